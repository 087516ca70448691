#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/ssh/endpoint.hpp"
#include "staithe/ssh/host_key.hpp"
#include "staithe/ssh/session.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// Judges a server's key; throws base::Error{host_key} to refuse it. Called in the connecting thread (for a
/// bastion in a thread of its own), possibly in several at once.
using HostKeyCheck = std::function<void(const Endpoint&, const HostKey&)>;

/// Asks for the passphrase of a key file; nullopt skips the key. Never called in two threads at once, and at
/// most once for a file while the passphrase is right.
using Passphrase = std::function<std::optional<std::string>(const std::string& key_file)>;

/// Connects to hosts. Thread safe. What is shared between sessions lives here: loaded keys, the limit on
/// handshakes per server, and one multiplexed session per bastion, each in a thread of its own, kept until
/// the engine is destroyed.
class Engine {
 public:
  struct Options {
    HostKeyCheck host_key_check;  ///< required
    Passphrase passphrase;        ///< null: encrypted key files are skipped
    /// Simultaneous unauthenticated connections to one server. sshd's MaxStartups drops some from 10 on.
    int handshakes_per_server = 8;
  };
  explicit Engine(Options options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  /// All sessions must be gone. Waits for the bastions' threads, which end at once.
  ~Engine();

  /// Connects, checks the host key and authenticates. A server that closes before authentication (too many at
  /// once) is tried again, with growing pauses, while the scope lasts. Throws base::Error: resolve, connect,
  /// reset_before_auth, host_key, auth, protocol, timeout, cancelled; the text begins with the endpoint's
  /// label.
  std::unique_ptr<Session> connect(const Endpoint& endpoint, const base::Scope& scope);

  /// Only the key exchange: the server's key, without the host key check (bastions on the way are checked)
  /// and without authenticating. `only_type` asks for a key of that type; protocol is thrown when there is
  /// none.
  HostKey scan(const Endpoint& endpoint, const base::Scope& scope, std::string_view only_type = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace staithe::ssh
