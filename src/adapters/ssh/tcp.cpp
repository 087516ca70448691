#include "tcp.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t most_addresses = 16;

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  std::string text() const {
    char host[NI_MAXHOST] = "";
    ::getnameinfo(reinterpret_cast<const sockaddr*>(&bytes), size, host, sizeof host, nullptr, 0,
                  NI_NUMERICHOST);
    return host;
  }
};

/// getaddrinfo's answer: addresses, or what it says is wrong.
struct Answer {
  std::vector<Address> addresses;
  std::string problem;
};

Answer look_up(const std::string& name, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Answer answer;
  const int code = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (code != 0) {
    answer.problem = code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code);
    return answer;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* item = list; item != nullptr && answer.addresses.size() < most_addresses;
       item = item->ai_next) {
    Address address;
    std::memcpy(&address.bytes, item->ai_addr, std::min<std::size_t>(item->ai_addrlen, sizeof address.bytes));
    address.size = item->ai_addrlen;
    answer.addresses.push_back(address);
  }
  return answer;
}

/// Shared by the caller and the resolving thread; the last one frees it.
struct Question {
  std::mutex mutex;
  Answer answer;
  base::Cancel answered;  // used for its descriptor
};

/// getaddrinfo can neither be given a deadline nor be interrupted, so a name is looked up in a thread that is
/// left to itself when the scope ends first. Addresses need no thread.
std::vector<Address> resolve(const std::string& name, std::uint16_t port, const base::Scope& scope) {
  if (Answer literal = look_up(name, port, AI_NUMERICHOST); !literal.addresses.empty())
    return std::move(literal.addresses);
  const auto question = std::make_shared<Question>();
  std::thread([question, name, port] {
    Answer found = look_up(name, port, 0);
    const std::lock_guard lock(question->mutex);
    question->answer = std::move(found);
    question->answered.request();
  }).detach();
  if (base::wait_for(question->answered.fd(), POLLIN, scope) != base::Woke::ready)
    scope.check("looking up the name");
  const std::lock_guard lock(question->mutex);
  Answer& answer = question->answer;
  if (answer.addresses.empty())
    throw Error(ErrorCode::resolve, fmt::format("{}: {}", base::printable(name), answer.problem));
  return std::move(answer.addresses);
}

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
base::UniqueFd connect_address(const Address& address, const Endpoint& endpoint, const base::Scope& scope) {
  base::UniqueFd fd(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return {};
  tune(fd.get(), endpoint);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return fd;
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
  const std::vector<Address> addresses = resolve(endpoint.address, endpoint.port, scope);
  std::string problems;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto share = scope.left() / static_cast<int>(addresses.size() - i);
    base::UniqueFd fd = connect_address(addresses[i], endpoint, scope.at_most(share));
    if (fd) return fd;
    const int problem = errno;
    if (scope.cancelled()) scope.check("connecting");
    if (!problems.empty()) problems += "; ";
    problems += fmt::format("{} port {}: {}", addresses[i].text(), endpoint.port, std::strerror(problem));
  }
  if (scope.expired()) throw Error(ErrorCode::timeout, "connecting took too long: " + problems);
  throw Error(ErrorCode::connect, "cannot connect to " + problems);
}

}  // namespace staithe::ssh
