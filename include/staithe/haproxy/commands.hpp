#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

/// The exact text of the commands that staithe sends to an admin socket, made without any socket: a plan can
/// print what a run will send.
namespace staithe::haproxy {

/// One server of one backend, as HAProxy's own commands name it: "backend/server".
struct ServerRef {
  std::string backend;
  std::string server;
  bool operator==(const ServerRef&) const = default;
  auto operator<=>(const ServerRef&) const = default;  // NOLINT(modernize-use-nullptr): a mistake of tidy 14
};

/// True for a name that can stand in a command. The socket's language has no quoting, so anything outside
/// [A-Za-z0-9_.:-] could become a second command.
bool valid_name(std::string_view name);

/// "api/web1".
std::string to_text(const ServerRef& ref);

/// Reads "api/web1"; throws base::Error{invalid} saying what is wrong with it.
ServerRef parse_ref(std::string_view text);

/// Each returns one command without its newline, and throws base::Error{invalid} for a name that cannot
/// stand in one.
namespace command {
std::string drain(const ServerRef& ref);
std::string maint(const ServerRef& ref);
std::string ready(const ServerRef& ref);
/// "state drain;health down" in one line: leaving maintenance declares a server UP before any check, so the
/// health must be taken in the same breath. From there only `rise` new successful checks lift it, still
/// without visitors. Only for servers whose own checks are on: nothing else would ever raise them again.
std::string prove(const ServerRef& ref);
/// An absolute weight, 0 to 256.
std::string weight(const ServerRef& ref, std::uint32_t weight);
/// Said to a server that has this limit already, it takes visitors from its backend's queue.
std::string maxconn(const ServerRef& ref, std::uint32_t connections);
std::string disable_agent(const ServerRef& ref);
std::string enable_agent(const ServerRef& ref);
std::string close_sessions(const ServerRef& ref);
}  // namespace command

}  // namespace staithe::haproxy
