#pragma once
#include "staithe/base/error.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/ssh/known_hosts.hpp"
#include "staithe/world/world.hpp"

#include <string>
#include <vector>

/// The host keys of a plan's hosts and of the bastions before them: what servers show, what is on record, and
/// writing it down.
namespace staithe::world {

struct ShownKey {
  ssh::HostKey key;
  ssh::HostKeyState state = ssh::HostKeyState::unknown;
  std::string detail;  ///< a sentence; "" when the key is on record
};

struct ShownHost {
  std::string host;
  bool bastion = false;     ///< not asked for itself: another host is behind it
  std::string name;         ///< as known_hosts lists it: "[10.0.0.1]:2222"
  std::string file;         ///< where its keys are to be written; "" when ssh_config names none
  bool hash_names = false;  ///< there
  std::string trouble;      ///< why it could not be asked; "" when it could
  bool waits = false;       ///< and that is only that the key of the bastion before it is not on record
  std::vector<ShownKey> keys;

  /// All of its keys are on record.
  bool known() const noexcept;
  /// A key differs from what is on record, or is revoked.
  bool changed() const noexcept;
};

/// Asks every host, and every bastion before one, for its keys of each type, without authenticating; bastions
/// come first. Nothing is written.
std::vector<ShownHost> scan_host_keys(const plan::Plan& plan, const std::vector<std::string>& hosts,
                                      const Person& person, const base::Scope& scope);

struct PinnedFile {
  std::string file;
  ssh::PinResult result;
};

/// The files that the keys of these hosts go to. Throws base::Error{not_found} when there is none for one.
std::vector<std::string> pin_files(const std::vector<ShownHost>& hosts);

/// Writes the keys of these hosts down; keys that were on record for a changed host go. Throws what
/// ssh::pin and pin_files throw, and base::Error{host_key} for a key that is revoked.
std::vector<PinnedFile> pin_host_keys(const std::vector<ShownHost>& hosts, const base::Scope& scope);

}  // namespace staithe::world
