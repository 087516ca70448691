#include "kinds.hpp"

#include "staithe/checks/help.hpp"

#include <array>
#include <charconv>

namespace staithe::checks {

std::span<const Kind> kinds() {
  // In the order of the manual. The entries live in other files, hence a function.
  static const std::array all{get_kind,  post_kind,    put_kind,     patch_kind, delete_kind,
                              head_kind, tls_kind,     tcp_kind,     dns_kind,   sql_kind,
                              run_kind,  haproxy_kind, compare_kind, wait_kind};
  return all;
}

const Kind* find_kind(std::string_view name) {
  for (const auto& kind : kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

std::vector<KindHelp> kind_help() {
  std::vector<KindHelp> help;
  for (const auto& kind : kinds()) help.push_back({kind.name, kind.summary, kind.example, kind.manual});
  return help;
}

std::optional<Address> split_address(std::string_view text) {
  Address address;
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return std::nullopt;
    if (!port.empty())
      port.remove_prefix(1);
    else
      port = {};
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty() || host.find(':') != std::string_view::npos) return std::nullopt;
  }
  if (host.empty() || host.find_first_of(" \t\n/") != std::string_view::npos) return std::nullopt;
  if (!port.empty()) {
    const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (read.ec != std::errc() || read.ptr != port.data() + port.size() || address.port == 0)
      return std::nullopt;
  }
  address.host = std::string(host);
  return address;
}

}  // namespace staithe::checks
