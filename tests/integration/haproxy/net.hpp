#pragma once
#include "staithe/base/unique_fd.hpp"

#include <cstdint>
#include <string>

/// Plain blocking TCP on a loopback address of this test program's own: no other program's ports are in the
/// way, and none of ours in theirs.
namespace staithe::haproxy::test {

/// "127.90.X.Y", from the process number.
const std::string& own_address();
/// A port of own_address() that nobody listens on.
std::uint16_t free_port();
/// Throws std::runtime_error when the port is taken.
base::UniqueFd listen_on(std::uint16_t port);
/// An invalid descriptor when nobody listens. Reads and writes time out after 10 s.
base::UniqueFd connect_to(std::uint16_t port);
bool send_text(int fd, const std::string& text);

}  // namespace staithe::haproxy::test
