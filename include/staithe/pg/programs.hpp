#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// PostgreSQL's own programs, for what nobody should write twice.
namespace staithe::pg {

/// What makes a program that uses libpq connect as `url` says: PGHOST, PGPASSWORD and so on, so that nothing
/// of it stands in a command line. Without what no variable sets.
std::vector<std::pair<std::string, std::string>> program_environment(std::string_view url);
/// The keywords of `url` that program_environment() leaves out ("sslpassword"), but for how long silence of
/// the network is borne (keepalives, tcp_user_timeout).
std::vector<std::string> keywords_without_variable(std::string_view url);

/// What in a URL must never be shown: the passwords.
std::vector<std::string> secrets_of(std::string_view url);

/// The path of `name` ("pg_dump") of the lowest major version that is at least `major` (15), where Debian
/// and the PostgreSQL project install them. Throws base::Error{unavailable}; the text says
/// which versions there are.
std::string find_program(const std::string& name, int major);

}  // namespace staithe::pg
