#pragma once
#include "staithe/base/unique_fd.hpp"

#include <sys/types.h>

#include <string>

namespace staithe::ssh {

/// A running ProxyCommand: a shell command whose standard input and output are a connection. Runs in its own
/// process group, which is ended when this is destroyed.
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
  /// The last of what it has said on standard error, printable, in one line.
  std::string complaint() const;

 private:
  base::UniqueFd socket_;
  base::UniqueFd errors_;
  pid_t pid_ = -1;
};

}  // namespace staithe::ssh
