#include "trust.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

namespace staithe::world {

std::string record_name(const ssh::Endpoint& endpoint) {
  return endpoint.host_key_alias.empty() ? ssh::known_hosts_name(endpoint.address, endpoint.port)
                                         : endpoint.host_key_alias;
}

ssh::KnownHosts& Trust::known(const std::vector<std::string>& files) {
  const std::lock_guard lock(mutex_);
  auto& known = known_[files];
  if (!known) known = std::make_unique<ssh::KnownHosts>(ssh::KnownHosts::load(files));
  return *known;
}

const ssh::RevokedKeys& Trust::revoked(const std::string& file) {
  const std::lock_guard lock(mutex_);
  const auto found = revoked_.find(file);
  return found != revoked_.end() ? found->second
                                 : revoked_.emplace(file, ssh::RevokedKeys::load(file)).first->second;
}

ssh::Verdict Trust::judge(const ssh::Endpoint& endpoint, const ssh::HostKey& key) {
  const auto& records = endpoint.key_records;
  if (!records.revoked.empty())
    if (auto refusal = revoked(records.revoked).refusal(key); !refusal.empty())
      return {ssh::HostKeyState::revoked, records.revoked, 0, std::move(refusal)};
  auto verdict = known(records.files).check(endpoint.address, endpoint.port, endpoint.host_key_alias, key);
  if (!verdict.ok() && !records.command.empty())
    verdict.detail +=
        fmt::format("; staithe does not run the KnownHostsCommand of ssh_config ({})", records.command);
  return verdict;
}

void Trust::check(const ssh::Endpoint& endpoint, const ssh::HostKey& key) {
  const auto verdict = judge(endpoint, key);
  if (verdict.ok()) return;
  if (verdict.state == ssh::HostKeyState::changed) {
    const std::lock_guard lock(mutex_);
    changed_.insert(record_name(endpoint));
  }
  const auto print = ssh::fingerprint(key);
  const bool is_shown = verdict.detail.find(print) != std::string::npos;
  throw base::Error(base::ErrorCode::host_key,
                    is_shown
                        ? verdict.detail
                        : fmt::format("{} key {}: {}", ssh::type_label(key.type), print, verdict.detail));
}

bool Trust::met_changed(const ssh::Endpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  return changed_.count(record_name(endpoint)) > 0;
}

std::vector<std::string> Trust::known_types(const ssh::Endpoint& endpoint) {
  return known(endpoint.key_records.files)
      .known_key_types(endpoint.address, endpoint.port, endpoint.host_key_alias);
}

}  // namespace staithe::world
