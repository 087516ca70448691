#pragma once
#include "trust.hpp"

#include "staithe/haproxy/stream.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/ssh/engine.hpp"
#include "staithe/ssh/ssh_config.hpp"
#include "staithe/world/world.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace staithe::world {

/// The SSH sessions of a run: one for each host, opened when first needed and kept; one more for each
/// balancer socket behind a host. Thread safe; calls for one host wait for each other.
class Hosts {
 public:
  Hosts(const plan::Plan& plan, const Person& person);
  ~Hosts();

  /// Runs a command under the leash. A session that died since the last call is opened anew first; an error
  /// of that is Unsent, as it is in upload().
  ssh::Exit run(const std::string& host, const ssh::Command& command, const ssh::OutputSink& sink,
                const base::Scope& scope);
  void upload(const std::string& host, const std::string& path, const std::string& bytes, unsigned mode,
              const base::Scope& scope);
  void close(const std::string& host) noexcept;

  /// Opens a unix socket on a host, over a session of its own that it keeps.
  haproxy::Dial dial_unix(const std::string& host, const std::string& path);

  /// Connects to every host that the plan needs, at most `at_once` at a time, and keeps the sessions.
  std::vector<ConnectFinding> connect_all(std::size_t at_once, const base::Scope& scope);

  /// The key of a host, of one type; nothing is judged and nobody logs in. Throws as ssh::Engine::scan.
  ssh::HostKey scan(const ssh::Endpoint& endpoint, std::string_view type, const base::Scope& scope);
  /// Whether it is the key on record.
  ssh::Verdict judge(const ssh::Endpoint& endpoint, const ssh::HostKey& key);
  /// Whether connecting to a host failed because its key, or that of a bastion before it, has changed.
  bool met_changed_key(const std::string& host);
  /// How a host is reached.
  ssh::Endpoint endpoint(const std::string& host);
  /// Opens a unix socket on a host and closes it again: how was it reached?
  std::string means_to(const std::string& host, const std::string& path, const base::Scope& scope);

  /// What a person wants to know of a session: null when the host is not connected.
  const ssh::Session* session(const std::string& host);

  /// What ssh_config has for the name of a host and not for its address, which is what it is asked about: a
  /// proxy, User, Port or IdentityFile that staithe.yml does not say either. A sentence; "" for nothing.
  std::string said_for_name_alone(const std::string& host) const;
  /// What ssh_config says for a host and the bastions before it and staithe does not honour, a sentence each.
  std::vector<std::string> unheard(const std::string& host) const;

 private:
  struct Connection {
    std::mutex mutex;
    std::unique_ptr<ssh::Session> session;
    std::chrono::steady_clock::time_point used{};  ///< or tried in vain
    /// It did not answer in time when all were connected to: for the first who needs it.
    std::optional<base::Error> silent;
  };
  class BalancerLink;

  Connection& of(const std::string& host);
  std::vector<ssh::Resolved> route(const std::string& host) const;
  ssh::Endpoint to_endpoint(const ssh::Resolved& resolved, const std::string& label);
  /// Throws base::Error as the engine does; a refused key with what the name's blocks would have said.
  std::unique_ptr<ssh::Session> connect(const std::string& host, const base::Scope& scope);
  static void refuse_silent(Connection& connection);
  ssh::Session& live(const std::string& host, Connection& connection, const base::Scope& scope);

  const plan::Plan& plan_;
  ssh::ConfigFiles config_files_;
  ssh::Sources sources_;
  Trust trust_;
  std::unique_ptr<ssh::Engine> engine_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Connection>> connections_;
};

}  // namespace staithe::world
