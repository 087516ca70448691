#pragma once
#include "support/directory.hpp"
#include "support/free_port.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/ssh/engine.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace staithe::ssh::test {

using staithe::test::Directory;
using staithe::test::free_port;

/// A child process in its own group, killed at the end.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  Process(Process&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Process& operator=(Process&&) = delete;
  ~Process();
  pid_t pid() const { return pid_; }
  void kill_now();

 private:
  pid_t pid_ = -1;
};

/// Output of a shell command; a status other than 0 fails the test.
std::string shell(const std::string& command);
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text, unsigned mode = 0600);
/// Polls, for what has no event to wait for; false after three minutes.
bool eventually(const std::function<bool()>& condition);
/// Is there a process whose command line contains `text`?
bool process_with(const std::string& text);

/// One sshd on 127.0.0.1 that lets the user running the test in with `key()`.
class Server {
 public:
  explicit Server(const std::string& extra_configuration = "");

  Endpoint endpoint() const;
  std::uint16_t port() const { return port_; }
  std::string key() const { return directory_ / "id"; }
  /// Writes another key pair; `more` are options of ssh-keygen.
  std::string make_key(const std::string& name, const std::string& more = "") const;
  void authorize(const std::string& public_key_line) const;
  const Directory& directory() const { return directory_; }
  std::string log() const { return read_file(directory_ / "log"); }
  /// Sends a signal ("STOP") to the processes of all connections, not to what runs for their users.
  void signal_connections(const std::string& signal) const;
  /// Kills the listener and every connection.
  void kill_all();

 private:
  Directory directory_;
  std::uint16_t port_;
  std::string user_;
  std::unique_ptr<Process> process_;
};

/// Limits of an endpoint that a busy machine keeps.
void be_patient(Endpoint& endpoint);

/// An engine that accepts every host key and records what it was shown.
Engine::Options accept_all();

inline base::Scope within(int milliseconds, const base::Cancel* cancel = nullptr) {
  return base::Scope::lasting(base::Duration(milliseconds), cancel);
}

/// Longer than anything here takes on a busy machine; commands that a test leaves running last longer still.
inline base::Scope soon(const base::Cancel* cancel = nullptr) {
  return within(180'000, cancel);
}

/// Runs `script` on its own, its output into the result.
inline Exit run(Session& session, const std::string& script, int milliseconds = 180'000) {
  Command command;
  command.script = script;
  return session.run(command, nullptr, within(milliseconds));
}

/// The code of the error that `action` throws; nullopt when it throws none.
struct Caught {
  bool thrown = false;
  base::ErrorCode code{};
  std::string text;
};
Caught caught(const std::function<void()>& action);

}  // namespace staithe::ssh::test
