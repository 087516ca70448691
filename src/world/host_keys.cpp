#include "staithe/world/host_keys.hpp"

#include "hosts.hpp"
#include "together.hpp"

#include <algorithm>
#include <array>

namespace staithe::world {
namespace {

constexpr std::size_t scans_at_once = 16;
constexpr base::Duration scan_within{20'000};
constexpr std::array<std::string_view, 3> types{"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"};

/// Where the user's own keys are kept, and how.
ssh::Resolved users_settings(const plan::Plan& plan) {
  auto sources = ssh::Sources::of_process();
  if (!plan.ssh.config.empty()) {
    sources.user_file = plan.ssh.config;
    sources.user_file_required = true;
  }
  const auto& first = plan.hosts.begin()->second;
  return ssh::resolve(sources, first.address.empty() ? first.name : first.address);
}

}  // namespace

bool ShownHost::known() const noexcept {
  return trouble.empty() && std::all_of(keys.begin(), keys.end(), [](const ShownKey& key) {
           return key.state == ssh::HostKeyState::ok;
         });
}

bool ShownHost::changed() const noexcept {
  return std::any_of(keys.begin(), keys.end(), [](const ShownKey& key) {
    return key.state == ssh::HostKeyState::changed || key.state == ssh::HostKeyState::revoked;
  });
}

std::vector<ShownHost> scan_host_keys(const plan::Plan& plan, const std::vector<std::string>& names,
                                      const Person& person, const base::Scope& scope) {
  Hosts hosts(plan, person);
  std::vector<ShownHost> shown(names.size());
  together(names.size(), scans_at_once, [&](std::size_t i) {
    auto& host = shown[i];
    host.host = names[i];
    try {
      host.name = hosts.known_hosts_name(names[i]);
      for (const auto type : types) {
        try {
          const auto key = hosts.scan(names[i], type, scope.at_most(scan_within));
          const auto verdict = hosts.judge(names[i], key);
          host.keys.push_back({key, verdict.state, verdict.detail});
        } catch (const base::Error& error) {
          // The server has no key of this type.
          if (error.code() != base::ErrorCode::protocol) throw;
        }
      }
      if (host.keys.empty()) host.trouble = names[i] + ": shows no key of a type that staithe knows";
    } catch (const base::Error& error) {
      host.trouble = error.what();
    }
  });
  if (scope.cancelled()) throw base::Error(base::ErrorCode::cancelled, "stopped");
  return shown;
}

std::string pin_file(const plan::Plan& plan) {
  if (!plan.ssh.known_hosts.empty()) return plan.ssh.known_hosts;
  const auto files = users_settings(plan).user_known_hosts_files;
  if (files.empty())
    throw base::Error(base::ErrorCode::not_found, "ssh_config names no known_hosts file to write to");
  return files.front();
}

ssh::PinResult pin_host_keys(const plan::Plan& plan, const std::vector<ShownHost>& hosts,
                             const base::Scope& scope) {
  std::vector<ssh::Pin> kept, replaced;
  for (const auto& host : hosts)
    for (const auto& key : host.keys) (host.changed() ? replaced : kept).push_back({host.name, key.key});
  const bool hashed = plan.ssh.known_hosts.empty() && users_settings(plan).hash_known_hosts;
  const auto hashing = hashed ? ssh::Hashing::hashed : ssh::Hashing::plain;
  const auto file = pin_file(plan);
  auto result = kept.empty() ? ssh::PinResult{} : ssh::pin(file, kept, ssh::Existing::keep, hashing, scope);
  if (replaced.empty()) return result;
  const auto more = ssh::pin(file, replaced, ssh::Existing::replace, hashing, scope);
  return {result.added + more.added, result.removed + more.removed};
}

}  // namespace staithe::world
