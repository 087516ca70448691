#include "staithe/haproxy/stream.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/net/addresses.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;
using base::UniqueFd;
using base::Woke;

void wait_until(int fd, short events, const Scope& scope, const char* what) {
  switch (base::wait_for(fd, events, scope)) {
    case Woke::ready:
      return;
    case Woke::cancelled:
      throw Error(ErrorCode::cancelled, "stopped");
    case Woke::deadline:
      throw Error(ErrorCode::timeout, std::string(what) + " took too long");
  }
}

class FdStream final : public Stream {
 public:
  explicit FdStream(UniqueFd fd) : fd_(std::move(fd)) {}

  void write_all(std::string_view bytes, const Scope& scope) override {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        wait_until(fd_.get(), POLLOUT, scope, "writing");
      } else if (errno != EINTR) {
        throw base::system_error(ErrorCode::io, "write", errno);
      }
    }
  }

  void close_write() override {
    // ENOTCONN: the peer was quicker; the read that follows tells.
    if (::shutdown(fd_.get(), SHUT_WR) != 0 && errno != ENOTCONN)
      throw base::system_error(ErrorCode::io, "shutdown", errno);
  }

  std::string read_some(const Scope& scope) override {
    std::array<char, 16'384> buffer;
    for (;;) {
      wait_until(fd_.get(), POLLIN, scope, "the answer");
      const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got >= 0) return {buffer.data(), static_cast<std::size_t>(got)};
      if (errno != EAGAIN && errno != EINTR) throw base::system_error(ErrorCode::io, "read", errno);
    }
  }

 private:
  UniqueFd fd_;
};

/// Connects within the scope; `where` stands in front of every error.
std::unique_ptr<Stream> connect_to(const sockaddr* address, socklen_t length, const std::string& where,
                                   const Scope& scope) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) throw base::system_error(ErrorCode::connect, where, errno);
  int failure = ::connect(fd.get(), address, length) == 0 ? 0 : errno;
  // EAGAIN is a unix socket whose backlog is full, and nothing ever says when it is not.
  while (failure == EAGAIN) {
    constexpr base::Duration pause{10};
    const auto woke = base::sleep_for(pause, scope);
    if (woke == Woke::cancelled) throw Error(ErrorCode::cancelled, "stopped");
    if (woke == Woke::deadline) throw Error(ErrorCode::timeout, where + ": connecting took too long");
    failure = ::connect(fd.get(), address, length) == 0 ? 0 : errno;
  }
  if (failure == EINPROGRESS) {
    wait_until(fd.get(), POLLOUT, scope, "connecting");
    socklen_t size = sizeof failure;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
  }
  if (failure == EACCES || failure == EPERM) throw base::system_error(ErrorCode::permission, where, failure);
  if (failure != 0) throw base::system_error(ErrorCode::connect, where, failure);
  return std::make_unique<FdStream>(std::move(fd));
}

}  // namespace

Dial dial_unix(std::string path) {
  return [path = std::move(path)](const Scope& scope) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
      throw Error(ErrorCode::invalid,
                  "'" + path + "' is no path for a unix socket: it must have 1 to 107 bytes");
    std::memcpy(address.sun_path, path.data(), path.size());
    // The sockets API wants its own base type; this is the documented way.
    return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address, path, scope);
  };
}

Dial dial_tcp(std::string host, std::uint16_t port) {
  return [host = std::move(host), port](const Scope& scope) {
    const std::string where = host + " port " + std::to_string(port);
    const auto addresses = net::resolve(host, port, scope);
    for (std::size_t at = 0;; ++at) {
      try {
        return connect_to(addresses[at].plain(), addresses[at].size, where, scope);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::connect || at + 1 == addresses.size()) throw;
      }
    }
  };
}

}  // namespace staithe::haproxy
