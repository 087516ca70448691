#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>

namespace staithe::test {

/// A port of 127.0.0.1 that nobody listens on, for a server that is still to be started: another one at each
/// call. It lies below the range from which the kernel gives ports to outgoing connections, of which many
/// come and go beside a test and would take it before the server does.
inline std::uint16_t free_port() {
  static std::mutex mutex;
  static std::mt19937 random{std::random_device{}()};
  static std::set<std::uint16_t> given;
  const std::lock_guard lock(mutex);
  std::uniform_int_distribution<int> any(15'000, 31'999);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(any(random));
    if (given.count(port) != 0) continue;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    if (!bound) continue;
    given.insert(port);
    return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace staithe::test
