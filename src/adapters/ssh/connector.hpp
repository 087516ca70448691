#pragma once
#include "bastion.hpp"
#include "connection.hpp"
#include "gate.hpp"
#include "keys.hpp"

#include "staithe/ssh/engine.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace staithe::ssh {

/// Makes connections: by TCP, through a proxy command or through bastions; one handshake too many at a time
/// is held back, and one refused for that reason is repeated. Thread safe.
class Connector {
 public:
  explicit Connector(Engine::Options options);
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  ~Connector();

  /// An authenticated connection; see Engine::connect.
  Connection connect(const Endpoint& endpoint, const base::Scope& scope);
  /// See Engine::scan.
  HostKey scan(const Endpoint& endpoint, const base::Scope& scope, std::string_view only_type);

 private:
  /// A way to the server, and the place among the handshakes with it.
  struct Transport {
    Gate::Pass pass;
    base::UniqueFd socket;
    std::unique_ptr<Proxy> proxy;
    std::chrono::microseconds took{0};
  };

  Transport enter(const Endpoint& endpoint, const base::Scope& scope);
  /// One attempt, until the key exchange is done. The transport keeps the place only.
  Connection shake_hands(const Endpoint& endpoint, const base::Scope& scope, Transport& transport,
                         std::string_view only_type);
  Connection attempt(const Endpoint& endpoint, const base::Scope& scope);
  base::UniqueFd open_transport(const Endpoint& endpoint, const base::Scope& scope,
                                std::unique_ptr<Proxy>& proxy);
  std::shared_ptr<Bastion> bastion_for(const Endpoint& endpoint);
  template <typename Attempt>
  auto persistently(const Endpoint& endpoint, const base::Scope& scope, Attempt once);

  const Engine::Options options_;
  KeyRing keys_;
  Gate gate_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Bastion>> bastions_;  // guarded by mutex_
};

}  // namespace staithe::ssh
