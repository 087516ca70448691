#include "kinds.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 3> tcp_subjects{"connected", "time", "address"};

std::optional<Request> parse_tcp(Fields& fields, const yaml::Reader& value) {
  const auto text = fields.plain(value);
  if (!text) return std::nullopt;
  const auto address = split_address(*text);
  if (!address || address->port == 0) {
    fields.mistake(value, "'" + *text + "' is not HOST:PORT", {});
    return std::nullopt;
  }
  return TcpRequest{Text(address->host), address->port};
}

}  // namespace

const Kind tcp_kind{
    "tcp",
    "connect by TCP",
    "tcp: db1.example.com:5432\nexpect: {connected: true}",
    "Connects to HOST:PORT, trying all addresses, and hangs up.\nExpectations: connected, time, address.",
    tcp_subjects,
    "connected",
    parse_tcp};

}  // namespace staithe::checks
