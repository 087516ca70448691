#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace staithe::ssh {

/// A key that an agent holds.
struct AgentKey {
  std::string blob;
  std::string comment;
};

/// A connection to an ssh-agent (draft-miller-ssh-agent).
class Agent {
 public:
  /// `identity_agent` as in Endpoint. nullopt when there is no agent; `problem` says why, when one was meant.
  static std::optional<Agent> connect(const std::string& identity_agent, std::string& problem);

  /// Its keys of types that libssh knows. Throws base::Error: timeout, cancelled, protocol, io.
  std::vector<AgentKey> keys(const base::Scope& scope);

  base::UniqueFd take_socket() { return std::move(socket_); }

 private:
  explicit Agent(base::UniqueFd socket) : socket_(std::move(socket)) {}
  base::UniqueFd socket_;
};

/// Stands between libssh and an agent, in a thread of its own: shows libssh only the keys it is given, in
/// that order, and passes on requests to sign. libssh talks to agents with blocking calls that nothing ends;
/// here the scope ends them, by closing libssh's side.
class AgentRelay {
 public:
  /// The scope must outlive the relay.
  AgentRelay(Agent agent, const std::vector<AgentKey>& keys, const base::Scope& scope);
  AgentRelay(const AgentRelay&) = delete;
  AgentRelay& operator=(const AgentRelay&) = delete;
  ~AgentRelay();

  /// For libssh; stays ours.
  int socket() const noexcept { return ours_.get(); }

 private:
  void serve(const base::UniqueFd& client, const base::UniqueFd& agent, const base::Scope& scope);

  std::string list_;
  base::UniqueFd ours_;
  base::Cancel stop_;
  std::thread thread_;
};

}  // namespace staithe::ssh
