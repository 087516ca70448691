#pragma once
#include "staithe/base/error.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/ssh/known_hosts.hpp"
#include "staithe/world/world.hpp"

#include <string>
#include <vector>

/// The host keys of a plan's hosts: what servers show, what is on record, and writing it down.
namespace staithe::world {

struct ShownKey {
  ssh::HostKey key;
  ssh::HostKeyState state = ssh::HostKeyState::unknown;
  std::string detail;  ///< a sentence; "" when the key is on record
};

struct ShownHost {
  std::string host;
  std::string name;     ///< as known_hosts lists it: "[10.0.0.1]:2222"
  std::string trouble;  ///< why it could not be asked; "" when it could
  std::vector<ShownKey> keys;

  /// All of its keys are on record.
  bool known() const noexcept;
  /// A key differs from what is on record, or is revoked.
  bool changed() const noexcept;
};

/// Asks every host for its keys of each type, without authenticating. Nothing is written.
std::vector<ShownHost> scan_host_keys(const plan::Plan& plan, const std::vector<std::string>& hosts,
                                      const Person& person, const base::Scope& scope);

/// Where pins go: the environment's known_hosts, else the user's first file.
std::string pin_file(const plan::Plan& plan);

/// Writes the keys of these hosts down; keys that were on record for a changed host go. Throws what
/// ssh::pin throws.
ssh::PinResult pin_host_keys(const plan::Plan& plan, const std::vector<ShownHost>& hosts,
                             const base::Scope& scope);

}  // namespace staithe::world
