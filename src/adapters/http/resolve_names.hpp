#pragma once
#include "staithe/base/cancel.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace staithe::http {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  /// "127.0.0.1:80" or "[::1]:80".
  std::string text() const;
};

/// All stream addresses of a host (at most 16), or Error{resolve}. Returns at once when the scope is
/// cancelled or expires; the system's resolver, which cannot be interrupted, then ends by itself in a thread
/// of its own.
std::vector<Address> resolve_names(const std::string& host, std::uint16_t port, const base::Scope& scope);

}  // namespace staithe::http
