#include "balancer_dial.hpp"

#include "staithe/base/error.hpp"
#include "staithe/haproxy/stream.hpp"

#include <charconv>

namespace staithe::world {
namespace {

constexpr std::string_view tcp = "tcp ";

haproxy::Dial dial_here(const std::string& socket) {
  if (socket.rfind(tcp, 0) != 0) return haproxy::dial_unix(socket);
  const auto address = socket.substr(tcp.size());
  const auto colon = address.rfind(':');
  std::uint16_t port = 0;
  const char* const end = address.data() + address.size();
  const bool good = colon != std::string::npos &&
                    std::from_chars(address.data() + colon + 1, end, port).ptr == end && port != 0;
  if (!good)
    throw base::Error(base::ErrorCode::invalid,
                      "a TCP admin socket is written 'tcp HOST:PORT', not '" + socket + "'");
  return haproxy::dial_tcp(address.substr(0, colon), port);
}

}  // namespace

haproxy::Dial dial_balancer(Hosts& hosts, const plan::Balancer& balancer, SocketKind kind) {
  const auto& socket = kind == SocketKind::admin ? balancer.socket : balancer.master_socket;
  return balancer.on.empty() ? dial_here(socket) : hosts.dial_unix(balancer.on, socket);
}

}  // namespace staithe::world
