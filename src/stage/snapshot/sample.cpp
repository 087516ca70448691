#include "sample.hpp"

#include "encoding.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace staithe::stage {
namespace {

constexpr std::uint64_t whole_below = 1024UL * 1024;
/// Rows whose values are compared; more would not find more.
constexpr int most_rows = 200;
/// A page with a few rows of many megabytes is no sample.
constexpr std::uint64_t longest_row = 64UL * 1024;

bool is_masked(const TableCopy& copy, const std::string& column) {
  return std::any_of(copy.masks.begin(), copy.masks.end(),
                     [&](const auto& mask) { return mask.first == column; });
}

/// The unmasked columns as one text.
std::string row_text(const Table& table, const TableCopy& copy) {
  std::string list;
  for (const auto& column : table.columns)
    if (!column.is_generated && !is_masked(copy, column.name))
      list += (list.empty() ? "" : ", ") + pg::quoted_name(column.name);
  return list.empty() ? "" : fmt::format("ROW({})::text", list);
}

std::string key_list(const Table& table) {
  std::string list;
  for (const auto& column : table.primary_key) list += (list.empty() ? "" : ", ") + pg::quoted_name(column);
  return list;
}

/// JSON as the bytes that the database has, in hex: a key may hold what has no equivalent in UTF-8, and one
/// that cannot be sent would end the snapshot.
std::string key_text(const Table& table) {
  std::string list;
  for (const auto& column : table.primary_key)
    list += (list.empty() ? "" : ", ") + pg::quoted_name(column) + "::text";
  return fmt::format(
      "pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_array({})::text, "
      "pg_catalog.getdatabaseencoding()), 'hex')",
      list);
}

/// For a message.
std::string shown(const std::string& key) {
  const auto bytes = from_hex(key);
  return base::is_utf8(bytes) ? bytes : "in hex " + key;
}

[[noreturn]] void differ(const Table& table, const std::string& how) {
  throw base::Error(base::ErrorCode::conflict,
                    fmt::format("the copy of {} is not what the source has: {}", table.full_name(), how));
}

void compare_whole(pg::Session& source, pg::Session& target, const Table& table, const std::string& text,
                   const base::Scope& scope) {
  const std::string sql = fmt::format(
      "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended({}, 0)) FROM ONLY {}", text,
      table.sql());
  if (source.run(sql, scope).rows != target.run(sql, scope).rows) differ(table, "its checksum differs");
}

void compare_pages(pg::Session& source, pg::Session& target, const Table& table, const std::string& text,
                   const base::Scope& scope) {
  // TABLESAMPLE SYSTEM picks pages, so the index that is not there yet is not missed. A percentage that gives
  // about two pages of the estimate.
  const double pages = std::max<double>(1.0, static_cast<double>(table.bytes) / 8192.0);
  const double percent = std::min(100.0, 300.0 / pages);
  const auto sampled = target.run(
      fmt::format("SELECT {}, pg_catalog.md5({}) FROM ONLY {} TABLESAMPLE SYSTEM ({:.6f}) LIMIT {}",
                  key_text(table), text, table.sql(), percent, most_rows),
      scope);
  if (sampled.rows.empty()) return;
  std::map<std::string, std::string> stored;
  for (const auto& row : sampled.rows) stored[row[0].value_or("")] = row[1].value_or("");
  std::string keys;
  for (const auto& row : sampled.rows)
    keys += (keys.empty() ? "" : ", ") + pg::quoted_literal(row[0].value_or(""));
  // The key goes back as columns of the table's own types, so that the source uses its index.
  std::string columns, parts;
  for (std::size_t i = 0; i < table.primary_key.size(); ++i) {
    const auto& name = table.primary_key[i];
    const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](const Column& one) { return one.name == name; });
    parts += fmt::format("{}(k->>{})::{}", parts.empty() ? "" : ", ", i, column->type);
  }
  const auto there =
      source.run(fmt::format("SELECT {}, pg_catalog.md5({}) FROM ONLY {} WHERE ({}) IN "
                             "(SELECT {} FROM (SELECT pg_catalog.convert_from(pg_catalog.decode(h, 'hex'),"
                             " pg_catalog.getdatabaseencoding())::json AS k"
                             " FROM pg_catalog.unnest(ARRAY[{}]) h) keys)",
                             key_text(table), text, table.sql(), key_list(table), parts, keys),
                 scope);
  if (there.rows.size() != stored.size())
    differ(table, fmt::format("{} of {} sampled rows are there", there.rows.size(), stored.size()));
  for (const auto& row : there.rows)
    if (stored[row[0].value_or("")] != row[1].value_or(""))
      differ(table, "the row with the key " + shown(row[0].value_or("")) + " differs");
}

}  // namespace

void compare_sample(pg::Session& source, pg::Session& target, const Table& table, const TableCopy& copy,
                    const base::Scope& scope) {
  const auto text = row_text(table, copy);
  if (text.empty() || !table.condition.empty()) return;
  const bool key_is_plain =
      !table.primary_key.empty() &&
      std::none_of(table.primary_key.begin(), table.primary_key.end(), [&](const auto& name) {
        const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                         [&](const Column& one) { return one.name == name; });
        return is_masked(copy, name) || column == table.columns.end() || column->is_generated;
      });
  const bool is_bulky = table.rows > 0 && table.bytes / table.rows > longest_row;
  if (is_bulky) return;
  if (key_is_plain) return compare_pages(source, target, table, text, scope);
  if (!copy.filtered && table.bytes <= whole_below) compare_whole(source, target, table, text, scope);
}

}  // namespace staithe::stage
