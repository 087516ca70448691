#pragma once
#include "staithe/base/error.hpp"
#include "staithe/haproxy/state.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Strict readers of what an admin socket says. Pure; every one throws base::Error{protocol} on text that a
/// HAProxy could not have written, base::Error{io} on a truncated dump, and the error that the text is when
/// it is one. Column order is never trusted, only names.
namespace staithe::haproxy {

/// Splits the answer to "set severity-output number;A;B;…" into the answers of A, B, … (each without its
/// closing empty line). Throws Error{io} when there are not exactly `count`, or, when one of them is an error
/// (which may break the framing), that error.
std::vector<std::string> split_replies(std::string_view reply, std::size_t count);

/// The error that a reply is: a severity of 0 to 3 in front, or "Unknown command". Nothing for any other
/// text.
std::optional<base::Error> error_in(std::string_view reply);
/// The error that anything but silence is after a change of state.
std::optional<base::Error> refusal_in(std::string_view reply);

Info parse_info(std::string_view text);
std::string parse_level(std::string_view text);
std::vector<ServerState> parse_servers(std::string_view text);
/// Frontend and listener rows are left out.
std::vector<ServerStat> parse_stats(std::string_view text);
std::vector<StickTable> parse_tables(std::string_view text);
std::vector<Worker> parse_workers(std::string_view text);
/// Only sessions that have a server.
std::vector<Session> parse_sessions(std::string_view text);

}  // namespace staithe::haproxy
