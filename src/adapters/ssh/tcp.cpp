#include "tcp.hpp"

#include "staithe/base/error.hpp"
#include "staithe/net/addresses.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);  // a missing option makes things slower, not wrong
}

void tune(int fd, const Endpoint& endpoint) {
  // Without this each command pays Nagle's algorithm against delayed acknowledgements: 40 ms.
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (endpoint.keepalive_interval <= base::Duration::zero()) return;
  const auto interval = std::max<long long>(endpoint.keepalive_interval.count(), 1000);
  const int count = std::max(endpoint.keepalive_count, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(interval / 1000));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(interval / 1000));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(interval * (count + 1)));
}

/// Null and errno when this address does not work.
base::UniqueFd connect_address(const net::Address& address, const Endpoint& endpoint,
                               const base::Scope& scope) {
  base::UniqueFd fd(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {};
  tune(fd.get(), endpoint);
  if (::connect(fd.get(), address.plain(), address.size) == 0) return fd;
  if (errno != EINPROGRESS) return {};
  if (base::wait_for(fd.get(), POLLOUT, scope) != base::Woke::ready) {
    errno = ETIMEDOUT;
    return {};
  }
  int problem = 0;
  socklen_t size = sizeof problem;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
  if (problem == 0) return fd;
  errno = problem;
  return {};
}

}  // namespace

base::UniqueFd connect_tcp(const Endpoint& endpoint, const base::Scope& scope) {
  const auto addresses = net::resolve(endpoint.address, endpoint.port, scope);
  std::string problems;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto share = scope.left() / static_cast<int>(addresses.size() - i);
    base::UniqueFd fd = connect_address(addresses[i], endpoint, scope.at_most(share));
    if (fd) return fd;
    const int problem = errno;
    if (scope.cancelled()) scope.check("connecting");
    if (!problems.empty()) problems += "; ";
    problems += fmt::format("{} port {}: {}", addresses[i].host(), endpoint.port, std::strerror(problem));
  }
  if (scope.expired()) throw Error(ErrorCode::timeout, "connecting took too long: " + problems);
  throw Error(ErrorCode::connect, "cannot connect to " + problems);
}

}  // namespace staithe::ssh
