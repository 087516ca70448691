#include "sqlstate.hpp"

#include <algorithm>

namespace staithe::pg {

using base::ErrorCode;

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}

ErrorCode code_of(std::string_view sqlstate) {
  if (sqlstate == "23505" || sqlstate.starts_with("40")) return ErrorCode::conflict;
  if (sqlstate == "42501" || sqlstate == "25006") return ErrorCode::permission;
  if (sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "3F000") return ErrorCode::not_found;
  // Out of disk or memory, I/O trouble, or a server that is being shut down.
  if (sqlstate.starts_with("53") || sqlstate.starts_with("58") || sqlstate.starts_with("57P"))
    return ErrorCode::io;
  return ErrorCode::failed;
}

bool is_of_server(const base::Error& error) {
  return error.code() == ErrorCode::auth ||
         std::string_view(error.what()).find(":  ") != std::string_view::npos;
}

ErrorCode connect_code(std::string_view text) {
  const auto has = [text](std::string_view part) { return text.find(part) != std::string_view::npos; };
  if (has("authentication failed") || has("no password supplied") || has("pg_hba.conf") || has("role \"")) {
    return ErrorCode::auth;
  }
  if (has("translate host name")) return ErrorCode::resolve;
  if (has("does not exist")) return ErrorCode::not_found;
  if (has("timeout expired")) return ErrorCode::timeout;
  if (has("invalid connection option") || has("invalid ") || has("unrecognized ")) return ErrorCode::invalid;
  return ErrorCode::connect;
}

}  // namespace staithe::pg
