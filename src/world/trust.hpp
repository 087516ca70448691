#pragma once
#include "staithe/ssh/endpoint.hpp"
#include "staithe/ssh/known_hosts.hpp"
#include "staithe/ssh/revoked_keys.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace staithe::world {

/// The name under which known_hosts lists a server.
std::string record_name(const ssh::Endpoint& endpoint);

/// Which host keys are on record. Each server, and each bastion, has its own files, as ssh_config says; a
/// file is read once. Thread safe.
class Trust {
 public:
  /// Reads files of known_hosts ahead. Throws what ssh::KnownHosts::load throws.
  void read(const std::vector<std::string>& files) { known(files); }

  /// As known_hosts has it, and never ok for a key that RevokedHostKeys takes away.
  ssh::Verdict judge(const ssh::Endpoint& endpoint, const ssh::HostKey& key);
  /// Throws base::Error{host_key} when judge() does not say ok.
  void check(const ssh::Endpoint& endpoint, const ssh::HostKey& key);
  /// Whether check() has met a key of this server that differs from what is on record.
  bool met_changed(const ssh::Endpoint& endpoint);
  /// See ssh::KnownHosts::known_key_types. Throws what reading the files throws.
  std::vector<std::string> known_types(const ssh::Endpoint& endpoint);

 private:
  ssh::KnownHosts& known(const std::vector<std::string>& files);
  const ssh::RevokedKeys& revoked(const std::string& file);

  std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<ssh::KnownHosts>> known_;
  std::map<std::string, ssh::RevokedKeys> revoked_;
  std::set<std::string> changed_;  ///< names
};

}  // namespace staithe::world
