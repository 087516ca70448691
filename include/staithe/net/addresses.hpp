#pragma once
#include "staithe/base/cancel.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace staithe::net {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  const sockaddr* plain() const noexcept;
  std::string host() const;  ///< "127.0.0.1" or "::1"
  std::string text() const;  ///< "127.0.0.1:80" or "[::1]:80"
};

/// The stream addresses of a host, as this machine's resolver has them: one at least, 16 at most. Blocks no
/// longer than the scope lasts: the system's resolver can neither be given a deadline nor be interrupted, so
/// a name is looked up in a thread of its own, which ends by itself. An address needs no thread. Throws
/// base::Error with resolve, timeout, cancelled.
std::vector<Address> resolve(const std::string& host, std::uint16_t port, const base::Scope& scope);

}  // namespace staithe::net
