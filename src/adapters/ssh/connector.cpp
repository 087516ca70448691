#include "connector.hpp"

#include "authenticate.hpp"
#include "retry.hpp"
#include "tcp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;
using Clock = std::chrono::steady_clock;

std::chrono::microseconds since(Clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began);
}

/// Names a server and the way to it.
std::string way_to(const Endpoint& endpoint) {
  std::string way;
  for (const Endpoint& jump : endpoint.jumps)
    way += fmt::format("{}@{}:{} ", jump.user, jump.address, jump.port);
  if (!endpoint.proxy_command.empty()) return way + "proxy " + endpoint.proxy_command;
  return way + fmt::format("{}:{}", endpoint.address, endpoint.port);
}

/// What counts as one for the handshake limit. Of a ProxyCommand all but the host that it leads to: commands
/// that are the same then go through one bastion (`ssh -W HOST:22 bastion`), as far as anybody can tell.
std::string door_of(const Endpoint& endpoint) {
  std::string door = way_to(endpoint);
  if (endpoint.proxy_command.empty() || endpoint.address.empty()) return door;
  for (auto at = door.find(endpoint.address); at != std::string::npos; at = door.find(endpoint.address, at))
    door.erase(at, endpoint.address.size());
  return door;
}

/// The last jump of an endpoint, with the jumps before it as its own way.
Endpoint last_jump(const Endpoint& endpoint) {
  Endpoint jump = endpoint.jumps.back();
  jump.jumps.assign(endpoint.jumps.begin(), endpoint.jumps.end() - 1);
  return jump;
}

/// What counts as one for sharing a bastion: two names of one server may have keys, records of keys and
/// settings of their own, and who may go through one need not be let through the other.
std::string bastion_key(const Endpoint& bastion) {
  std::string key = bastion.user + " " + way_to(bastion);
  for (const Endpoint& before : bastion.jumps) key += "\n" + before.label;
  return key + "\n" + bastion.label;
}

constexpr int most_attempts = 8;
constexpr base::Duration pause_of_attempts{1000};
/// A command that ends does not say whether another try makes sense (a bastion too busy) or not (nobody
/// there).
constexpr int most_attempts_of_proxy = 4;

/// The phase's own limit, named when it is that which passed.
template <typename Step>
auto within_phase(const base::Scope& scope, base::Duration limit, const char* phase, Step step) {
  const base::Scope inner = scope.at_most(limit);
  try {
    return step(inner);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout || scope.expired()) throw;
    throw Error(ErrorCode::timeout, fmt::format("{} took longer than {}", phase, base::to_text(limit)));
  }
}

}  // namespace

const std::string& label_of(const Endpoint& endpoint) {
  return endpoint.label.empty() ? endpoint.address : endpoint.label;
}

Connector::Connector(Engine::Options options)
    : options_(std::move(options)),
      keys_(options_.passphrase),
      gate_(std::max(options_.handshakes_per_server, 1)) {
  if (!options_.host_key_check) throw Error(ErrorCode::invalid, "an SSH engine needs a host key check");
}

Connector::~Connector() {
  // Ended outside the lock, which a bastion that is just connecting may want. One that waits for another is
  // woken by its own stop, so the order does not matter.
  std::map<std::string, std::shared_ptr<Bastion>> bastions;
  {
    const std::lock_guard lock(mutex_);
    bastions.swap(bastions_);
  }
  bastions.clear();
}

base::UniqueFd Connector::open_transport(const Endpoint& endpoint, const base::Scope& scope,
                                         std::unique_ptr<Proxy>& proxy) {
  if (!endpoint.proxy_command.empty()) {
    proxy = std::make_unique<Proxy>(endpoint.proxy_command);
    if (!endpoint.proxy_passes_socket) return proxy->take_socket();
    auto socket = within_phase(scope, endpoint.connect_timeout, "the proxy command",
                               [&](const base::Scope& inner) { return proxy->passed_socket(inner); });
    proxy.reset();
    return socket;
  }
  if (endpoint.jumps.empty())
    return within_phase(scope, endpoint.connect_timeout, "connecting",
                        [&](const base::Scope& inner) { return connect_tcp(endpoint, inner); });
  // The bastion's own phases have their own limits.
  return bastion_for(endpoint)->open(endpoint.address, endpoint.port, scope);
}

/// As often as ConnectionAttempts says. The place in the gate is others' while nothing is tried.
Connector::Transport Connector::enter(const Endpoint& endpoint, const base::Scope& scope) {
  const bool dials = endpoint.proxy_command.empty() && endpoint.jumps.empty();
  for (int left = dials ? endpoint.connection_attempts : 1;; --left) {
    try {
      auto pass = gate_.enter(door_of(endpoint), scope);
      const auto began = Clock::now();
      std::unique_ptr<Proxy> proxy;
      auto socket = open_transport(endpoint, scope, proxy);
      return {std::move(pass), std::move(socket), std::move(proxy), since(began)};
    } catch (const Error& error) {
      const bool again = error.code() == ErrorCode::connect || error.code() == ErrorCode::timeout;
      if (!again || left <= 1 || scope.left() <= pause_of_attempts) throw;
    }
    if (base::sleep_for(pause_of_attempts, scope) == base::Woke::cancelled) scope.check("connecting");
  }
}

std::shared_ptr<Bastion> Connector::bastion_for(const Endpoint& endpoint) {
  const Endpoint jump = last_jump(endpoint);
  const std::string key = bastion_key(jump);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Bastion>& bastion = bastions_[key];
  if (bastion == nullptr || !bastion->usable()) {
    const auto limit = 3 * (jump.connect_timeout + jump.handshake_timeout + jump.auth_timeout);
    bastion = std::make_shared<Bastion>(label_of(jump), [this, jump, limit](const base::Cancel& stop) {
      return connect(jump, base::Scope::lasting(limit, &stop));
    });
  }
  return bastion;
}

Connection Connector::shake_hands(const Endpoint& endpoint, const base::Scope& scope, Transport& transport,
                                  std::string_view only_type) {
  Connection result;
  result.proxy = std::move(transport.proxy);
  result.timings.connect = transport.took;
  const auto began = Clock::now();
  result.link = std::make_unique<Link>(endpoint, std::move(transport.socket), only_type);
  try {
    within_phase(scope, endpoint.handshake_timeout, "the SSH handshake",
                 [&](const base::Scope& inner) { return result.link->handshake(inner), 0; });
  } catch (const Error& error) {
    if (result.proxy == nullptr || error.code() != ErrorCode::reset_before_auth) throw;
    throw result.proxy->failure(error);
  }
  result.timings.handshake = since(began);
  return result;
}

Connection Connector::attempt(const Endpoint& endpoint, const base::Scope& scope) {
  Transport transport = enter(endpoint, scope);
  Connection result = shake_hands(endpoint, scope, transport, {});
  auto began = Clock::now();
  const HostKey key = result.link->host_key();
  options_.host_key_check(endpoint, key);
  result.negotiated = result.link->negotiated();
  result.negotiated.host_key_type = key.type;
  result.timings.handshake += since(began);
  began = Clock::now();
  auto admission = within_phase(
      scope, endpoint.auth_timeout, "authentication",
      [&](const base::Scope& inner) { return authenticate(*result.link, endpoint, keys_, inner); });
  result.negotiated.identity = std::move(admission.identity);
  result.negotiated.not_shown = std::move(admission.not_shown);
  result.timings.authentication = since(began);
  return result;
}

template <typename Attempt>
auto Connector::persistently(const Endpoint& endpoint, const base::Scope& scope, Attempt once) {
  const int most = endpoint.proxy_command.empty() ? most_attempts : most_attempts_of_proxy;
  for (int attempt = 1;; ++attempt) {
    try {
      return once(attempt);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::reset_before_auth || attempt >= most)
        throw error.within(label_of(endpoint));
      const base::Duration pause = pause_before(attempt);
      if (pause >= scope.left()) throw error.within(label_of(endpoint));
      if (base::sleep_for(pause, scope) == base::Woke::cancelled)
        throw Error(ErrorCode::cancelled, "stopped").within(label_of(endpoint));
    }
  }
}

Connection Connector::connect(const Endpoint& endpoint, const base::Scope& scope) {
  return persistently(endpoint, scope, [&](int number) {
    Connection result = attempt(endpoint, scope);
    result.timings.attempts = number;
    return result;
  });
}

HostKey Connector::scan(const Endpoint& endpoint, const base::Scope& scope, std::string_view only_type) {
  return persistently(endpoint, scope, [&](int) {
    Transport transport = enter(endpoint, scope);
    return shake_hands(endpoint, scope, transport, only_type).link->host_key();
  });
}

}  // namespace staithe::ssh
