#include "net.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <stdexcept>

namespace staithe::haproxy::test {
namespace {

sockaddr_in address_of(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, own_address().c_str(), &address.sin_addr);
  return address;
}

base::UniqueFd new_socket() {
  base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

const std::string& own_address() {
  static const std::string address =
      "127.90." + std::to_string(::getpid() / 250 % 250 + 1) + '.' + std::to_string(::getpid() % 250 + 1);
  return address;
}

base::UniqueFd listen_on(std::uint16_t port) {
  auto fd = new_socket();
  const auto address = address_of(port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 512) != 0)
    throw std::runtime_error("port " + std::to_string(port) + " is taken");
  return fd;
}

std::uint16_t free_port() {
  const auto fd = listen_on(0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

base::UniqueFd connect_to(std::uint16_t port) {
  auto fd = new_socket();
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const auto address = address_of(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

bool send_text(int fd, const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto sent = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace staithe::haproxy::test
