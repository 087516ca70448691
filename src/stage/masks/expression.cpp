#include "staithe/stage/masks.hpp"

#include <fmt/format.h>

namespace staithe::stage {
namespace {

/// A value, and the encoding in which its bytes are taken.
struct Hashed {
  std::string value, encoding;
};

/// What pg_catalog functions make of a value under the key: 32 bytes. Measured: 1 µs a value. The key is a
/// subquery, which the server runs once for a COPY; a setting is looked up by its name for each value.
std::string digest(const Hashed& from) {
  return fmt::format(
      "pg_catalog.sha256(pg_catalog.convert_to((SELECT pg_catalog.current_setting('staithe.mask_key')) || "
      "({})::text, '{}'))",
      from.value, from.encoding);
}
std::string hex(const Hashed& from) {
  return fmt::format("pg_catalog.encode({}, 'hex')", digest(from));
}
/// Half of it: values stay as different as they are, and what has to be sorted into indexes stays short.
std::string short_hex(const Hashed& from) {
  return fmt::format("pg_catalog.encode(pg_catalog.substr({}, 1, 16), 'hex')", digest(from));
}
/// A number from 0 to 2^60 - 1.
std::string big_number(const Hashed& from) {
  return fmt::format("('x' || pg_catalog.substr({}, 1, 15))::pg_catalog.bit(60)::bigint", hex(from));
}

/// The 20 of "character varying(20)"; 0 for none.
std::size_t length_limit(const std::string& type) {
  const auto open = type.find('(');
  const bool has_length = open != std::string::npos && type.rfind("character", 0) == 0;
  return has_length ? std::stoul(type.substr(open + 1)) : 0;
}

std::string cut(const std::string& expression, const Column& column) {
  const auto limit = length_limit(column.type);
  return limit == 0 ? expression : fmt::format("pg_catalog.left({}, {})", expression, limit);
}

std::string hash_of(const Column& column, const Hashed& value) {
  const auto& type = column.base_type;
  if (type == "uuid") return fmt::format("{}::uuid", short_hex(value));
  if (type == "bytea") return digest(value);
  if (type == "bigint") return big_number(value);
  if (type == "integer") return fmt::format("({} & 2147483647)::integer", big_number(value));
  if (type == "numeric") return fmt::format("{}::numeric", big_number(value));
  if (type == "jsonb" || type == "json")
    return fmt::format("pg_catalog.to_json({})::{}", short_hex(value), type);
  return cut(short_hex(value), column);
}

std::string partial_of(const std::string& value, const Mask& mask, const Column& column) {
  const std::string text = fmt::format("({})::text", value);
  // A value no longer than what is to stay would be shown whole: nothing of it is.
  return cut(fmt::format("CASE WHEN pg_catalog.length({0}) <= {1} THEN pg_catalog.repeat('*', "
                         "pg_catalog.length({0})) ELSE pg_catalog.left({0}, {2}) || pg_catalog.repeat('*', "
                         "pg_catalog.length({0}) - {1}) || pg_catalog.right({0}, {3}) END",
                         text, mask.first + mask.last, mask.first, mask.last),
             column);
}

std::string shifted(const Hashed& own, const Mask& mask, const Column& column) {
  const auto& value = own.value;
  const Hashed by{mask.by.empty() ? value : pg::quoted_name(mask.by), own.encoding};
  const std::string days =
      fmt::format("(pg_catalog.mod({}, {}) - {})::integer", big_number(by), 2 * mask.days + 1, mask.days);
  if (column.base_type == "date") return fmt::format("({}) + {}", value, days);
  return fmt::format("({}) + {} * interval '1 day'", value, days);
}

}  // namespace

std::string mask_expression(const Column& column, const Mask& mask, const std::string& encoding) {
  std::string value = pg::quoted_name(column.name);
  // What is in no encoding may be no UTF-8, which the server would refuse to take it for.
  const Hashed hashed{value, encoding == "SQL_ASCII" ? "SQL_ASCII" : "UTF8"};
  std::string made;
  switch (mask.kind) {
    case Mask::Kind::keep:
      return value;
    case Mask::Kind::null:
      return fmt::format("NULL::{}", column.type);
    case Mask::Kind::sql:
      return fmt::format("({})::{}", mask.text, column.type);
    case Mask::Kind::constant:
      made = pg::quoted_literal(mask.text);
      break;
    case Mask::Kind::hash:
      made = hash_of(column, hashed);
      break;
    case Mask::Kind::fake_email:
      made = cut(fmt::format("'u' || pg_catalog.left({}, 16) || '@example.com'", short_hex(hashed)), column);
      break;
    case Mask::Kind::partial:
      made = partial_of(value, mask, column);
      break;
    case Mask::Kind::shift_days:
      made = shifted(hashed, mask, column);
      break;
  }
  return fmt::format("CASE WHEN {} IS NOT NULL THEN ({})::{} END", value, made, column.type);
}

bool keeps_nulls(const Mask& mask) {
  return mask.kind != Mask::Kind::null && mask.kind != Mask::Kind::sql;
}

std::string mask_text(const Mask& mask) {
  switch (mask.kind) {
    case Mask::Kind::keep:
      return "keep";
    case Mask::Kind::null:
      return "null";
    case Mask::Kind::constant:
      return "constant " + pg::quoted_literal(mask.text);
    case Mask::Kind::hash:
      return "hash";
    case Mask::Kind::fake_email:
      return "fake_email";
    case Mask::Kind::partial:
      return fmt::format("partial {}…{}", mask.first, mask.last);
    case Mask::Kind::shift_days:
      return fmt::format("shift_days {}{}", mask.days, mask.by.empty() ? "" : " by " + mask.by);
    case Mask::Kind::sql:
      return "sql " + mask.text;
  }
  return {};
}

}  // namespace staithe::stage
