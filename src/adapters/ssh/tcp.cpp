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
#include <vector>

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

int family_of(AddressFamily family) {
  return family == AddressFamily::inet ? AF_INET : family == AddressFamily::inet6 ? AF_INET6 : AF_UNSPEC;
}

/// The addresses of a name that AddressFamily leaves.
std::vector<net::Address> addresses_of(const std::string& name, const Endpoint& endpoint,
                                       const base::Scope& scope) {
  auto addresses = net::resolve(name, endpoint.port, scope);
  const int family = family_of(endpoint.address_family);
  if (family == AF_UNSPEC) return addresses;
  addresses.erase(std::remove_if(addresses.begin(), addresses.end(),
                                 [&](const net::Address& one) { return one.bytes.ss_family != family; }),
                  addresses.end());
  if (addresses.empty())
    throw Error(ErrorCode::resolve,
                fmt::format("{} has no address of the family that ssh_config wants (AddressFamily {})", name,
                            family == AF_INET ? "inet" : "inet6"));
  return addresses;
}

/// Gives a socket the address that BindAddress names; false and errno when that does not work.
bool bound(int fd, int family, const Endpoint& endpoint, const base::Scope& scope) {
  if (endpoint.bind_address.empty()) return true;
  for (const auto& own : net::resolve(endpoint.bind_address, 0, scope))
    if (own.bytes.ss_family == family) return ::bind(fd, own.plain(), own.size) == 0;
  errno = EADDRNOTAVAIL;
  return false;
}

/// Null and errno when this address does not work.
base::UniqueFd connect_address(const net::Address& address, const Endpoint& endpoint,
                               const base::Scope& scope) {
  base::UniqueFd fd(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {};
  tune(fd.get(), endpoint);
  if (!bound(fd.get(), address.bytes.ss_family, endpoint, scope)) return {};
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
  const auto addresses = addresses_of(endpoint.address, endpoint, scope);
  std::string problems;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto share = scope.left() / static_cast<int>(addresses.size() - i);
    base::UniqueFd fd = connect_address(addresses[i], endpoint, scope.at_most(share));
    if (fd) return fd;
    const int problem = errno;
    if (scope.cancelled()) scope.check("connecting");
    if (!problems.empty()) problems += "; ";
    problems += fmt::format("{} port {}{}: {}", addresses[i].host(), endpoint.port,
                            endpoint.bind_address.empty() ? "" : " from " + endpoint.bind_address,
                            std::strerror(problem));
  }
  if (scope.expired()) throw Error(ErrorCode::timeout, "connecting took too long: " + problems);
  throw Error(ErrorCode::connect, "cannot connect to " + problems);
}

}  // namespace staithe::ssh
