#pragma once
#include "staithe/base/cancel.hpp"

#include <cstdint>
#include <string>

namespace staithe::net {

/// Connects to host:port, trying all its addresses at once, and hangs up. Blocks no longer than the scope
/// lasts. Returns the address that answered ("127.0.0.1:80", "[::1]:80"). Throws base::Error with resolve,
/// connect (each address with its reason), timeout, cancelled, invalid.
std::string tcp_connects(const std::string& host, std::uint16_t port, const base::Scope& scope);

}  // namespace staithe::net
