#include "staithe/net/addresses.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

namespace staithe::net {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t most_addresses = 16;

struct Answer {
  int code = 0;  // of getaddrinfo
  int error_number = 0;
  std::vector<Address> addresses;
};

Answer look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Answer answer;
  answer.code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  answer.error_number = errno;
  if (answer.code != 0) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* entry = list; entry != nullptr && answer.addresses.size() < most_addresses;
       entry = entry->ai_next) {
    Address address;
    if (entry->ai_addrlen > sizeof address.bytes) continue;
    std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    answer.addresses.push_back(address);
  }
  if (answer.addresses.empty()) answer.code = EAI_NONAME;
  return answer;
}

/// Shared by the waiting thread and the resolving one: whoever is last frees it.
struct LookUp {
  std::mutex mutex;
  Answer answer;
  base::Cancel done;  // used as an event: readable when the answer is there
};

[[noreturn]] void refuse(const std::string& host, const Answer& answer) {
  const std::string reason =
      answer.code == EAI_SYSTEM ? std::strerror(answer.error_number) : ::gai_strerror(answer.code);
  throw Error(ErrorCode::resolve, fmt::format("{}: {}", base::printable(host), reason));
}

}  // namespace

const sockaddr* Address::plain() const noexcept {
  return static_cast<const sockaddr*>(static_cast<const void*>(&bytes));
}

std::string Address::host() const {
  std::array<char, NI_MAXHOST> host{};
  ::getnameinfo(plain(), size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST);
  return host.data();
}

std::string Address::text() const {
  std::array<char, NI_MAXSERV> port{};
  ::getnameinfo(plain(), size, nullptr, 0, port.data(), port.size(), NI_NUMERICSERV);
  const auto name = bytes.ss_family == AF_INET6 ? "[" + host() + "]" : host();
  return name + ":" + port.data();
}

std::vector<Address> resolve(const std::string& host, std::uint16_t port, const base::Scope& scope) {
  scope.check("looking up a host name");
  if (Answer literal = look_up(host, port, AI_NUMERICHOST); literal.code == 0)
    return std::move(literal.addresses);

  auto shared = std::make_shared<LookUp>();
  std::thread([shared, host, port] {
    Answer answer = look_up(host, port, AI_ADDRCONFIG);
    // AI_ADDRCONFIG hides loopback addresses of a machine without a network.
    if (answer.code != 0) answer = look_up(host, port, 0);
    const std::lock_guard lock(shared->mutex);
    shared->answer = std::move(answer);
    shared->done.request();
  }).detach();
  switch (base::wait_for(shared->done.fd(), POLLIN, scope)) {
    case base::Woke::ready:
      break;
    case base::Woke::deadline:
      throw Error(ErrorCode::timeout, "looking up " + base::printable(host) + " took too long");
    case base::Woke::cancelled:
      throw Error(ErrorCode::cancelled, "stopped");
  }
  const std::lock_guard lock(shared->mutex);
  if (shared->answer.code != 0) refuse(host, shared->answer);
  return std::move(shared->answer.addresses);
}

}  // namespace staithe::net
