#include "encoding.hpp"

#include <charconv>
#include <cstdint>

namespace staithe::stage {
namespace {

void speak(pg::Session& session, const std::string& encoding, const base::Scope& scope) {
  session.query("SELECT pg_catalog.set_config('client_encoding', $1, false)",
                std::vector<pg::Value>{encoding}, scope);
}

}  // namespace

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    std::uint8_t byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    out += static_cast<char>(byte);
  }
  return out;
}

bool is_converted(const std::string& encoding) {
  return encoding != "UTF8" && encoding != "SQL_ASCII";
}

std::string spoken_to(const std::string& encoding) {
  return encoding == "SQL_ASCII" ? encoding : "UTF8";
}

void speak_utf8(pg::Session& session, const std::string& encoding, const base::Scope& scope) {
  speak(session, spoken_to(encoding), scope);
}

std::string speak_as_server(pg::Session& session, const std::string& encoding, const std::string& sql,
                            const base::Scope& scope) {
  if (!is_converted(encoding)) return sql;
  const auto answer = session.query(
      "SELECT pg_catalog.encode(pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()::text), 'hex')",
      std::vector<pg::Value>{sql}, scope);
  speak(session, encoding, scope);
  return from_hex(answer.rows.at(0).at(0).value_or(""));
}

}  // namespace staithe::stage
