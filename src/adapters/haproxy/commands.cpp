#include "staithe/haproxy/commands.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;

// HAProxy itself has no limit but its line buffer; a name longer than this is not a name.
constexpr std::size_t longest_name = 255;

bool name_character(char c) {
  return base::is_alnum(c) || c == '_' || c == '.' || c == ':' || c == '-';
}

std::string checked_text(const ServerRef& ref) {
  for (const auto* name : {&ref.backend, &ref.server})
    if (!valid_name(*name))
      throw Error(ErrorCode::invalid, "'" + base::printable(name->substr(0, longest_name)) +
                                          "' cannot be a HAProxy name: only letters, digits and _ . : - can");
  return ref.backend + '/' + ref.server;
}

std::string set_server(const ServerRef& ref, std::string_view what) {
  return "set server " + checked_text(ref) + ' ' + std::string(what);
}

}  // namespace

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name &&
         std::all_of(name.begin(), name.end(), name_character);
}

std::string to_text(const ServerRef& ref) {
  return ref.backend + '/' + ref.server;
}

ServerRef parse_ref(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos)
    throw Error(ErrorCode::invalid, "'" + base::printable(text) + "' is not BACKEND/SERVER");
  ServerRef ref{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
  checked_text(ref);
  return ref;
}

namespace command {

std::string drain(const ServerRef& ref) {
  return set_server(ref, "state drain");
}
std::string maint(const ServerRef& ref) {
  return set_server(ref, "state maint");
}
std::string ready(const ServerRef& ref) {
  return set_server(ref, "state ready");
}
std::string prove(const ServerRef& ref) {
  return drain(ref) + ';' + set_server(ref, "health down");
}

std::string weight(const ServerRef& ref, std::uint32_t weight) {
  if (weight > 256) throw Error(ErrorCode::invalid, "a HAProxy weight is at most 256");
  return "set weight " + checked_text(ref) + ' ' + std::to_string(weight);
}

std::string maxconn(const ServerRef& ref, std::uint32_t connections) {
  return "set maxconn server " + checked_text(ref) + ' ' + std::to_string(connections);
}

std::string disable_agent(const ServerRef& ref) {
  return "disable agent " + checked_text(ref);
}
std::string enable_agent(const ServerRef& ref) {
  return "enable agent " + checked_text(ref);
}
std::string close_sessions(const ServerRef& ref) {
  return "shutdown sessions server " + checked_text(ref);
}

}  // namespace command
}  // namespace staithe::haproxy
