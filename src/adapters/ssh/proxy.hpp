#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"

#include <sys/types.h>

#include <string>

namespace staithe::ssh {

/// A running ProxyCommand: a command of the person's shell ($SHELL, as with OpenSSH) whose standard input and
/// output are a connection. Runs in its own process group, which is ended when this is destroyed.
class Proxy {
 public:
  /// Throws base::Error{connect} when it cannot be started.
  explicit Proxy(const std::string& command);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  /// Blocks for as long as the command takes to die of TERM, at most a second; then KILL.
  ~Proxy();

  /// Our end of the connection, to be taken once.
  base::UniqueFd take_socket() { return std::move(socket_); }
  /// The connection that the command made and hands over, as ProxyUseFdpass wants it. Throws base::Error:
  /// connect when it ends without one, timeout, cancelled.
  base::UniqueFd passed_socket(const base::Scope& scope);
  /// `error`, a connection that ended before the server had said who it is, in terms of the command: how it
  /// ended and what it said. Its code is connect where the shell could not run it, which another try does not
  /// mend. Blocks for as long as the command takes to end, at most a quarter of a second.
  base::Error failure(const base::Error& error) const;

 private:
  std::string complaint() const;

  base::UniqueFd socket_;
  base::UniqueFd errors_;
  pid_t pid_ = -1;
};

}  // namespace staithe::ssh
