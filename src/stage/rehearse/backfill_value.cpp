#include "backfill_value.hpp"

#include "catalog.hpp"

#include <fmt/format.h>

namespace staithe::stage {
namespace {

using base::Scope;

constexpr std::size_t most_candidates = 8;
/// Rows that are looked at for a dependency; exact is not needed for a proposal.
constexpr const char* dependency_rows = "200000";

bool from_default(pg::Session& session, const std::string& column, Violation& violation, const Scope& scope) {
  const pg::Value params[] = {violation.table, column};
  const auto rows = session.query(
      "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum "
      "= adnum "
      "WHERE adrelid = $1::regclass AND attname = $2",
      params, scope);
  if (rows.rows.empty()) return false;
  violation.backfill_set = pg::quoted_name(column) + " = DEFAULT";
  violation.backfill_why = "the column's default is " + rows.rows[0][0].value_or("");
  return true;
}

/// A column is worth asking when rows share its values: neither nearly unique nor nearly constant.
std::vector<std::string> candidates(pg::Session& session, const std::string& column,
                                    const Violation& violation, const Scope& scope) {
  const pg::Value params[] = {violation.table, column};
  const auto rows = session.query(
      "SELECT quote_ident(a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN "
      "pg_namespace n "
      "ON n.oid = c.relnamespace JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND "
      "s.attname = a.attname WHERE a.attrelid = $1::regclass AND a.attname <> $2 AND a.attnum > 0 AND NOT "
      "a.attisdropped AND CASE WHEN n_distinct < 0 THEN n_distinct > -0.2 ELSE n_distinct BETWEEN 2 AND "
      "100000 END "
      "ORDER BY a.attname ~ '_id$' DESC, a.attnum",
      params, scope);
  std::vector<std::string> names;
  for (const auto& row : rows.rows)
    if (names.size() < most_candidates) names.push_back(row[0].value_or(""));
  return names;
}

bool from_dependency(pg::Session& session, const std::string& column, Violation& violation,
                     const Scope& scope) {
  const std::string quoted = pg::quoted_name(column);
  for (const auto& other : candidates(session, column, violation, scope)) {
    const auto groups = session.run(
        fmt::format(
            "SELECT count(*), count(*) FILTER (WHERE low = high), sum(n), min(low) = max(high) FROM (SELECT "
            "count(*) AS n, "
            "min({0}::text) AS low, max({0}::text) AS high FROM (SELECT {0}, {1} FROM {2} WHERE {0} IS NOT "
            "NULL AND {1} IS NOT NULL LIMIT {3}) staithe_some GROUP BY {1}) g",
            quoted, other, violation.table, dependency_rows),
        scope);
    const auto& row = groups.rows.at(0);
    const auto all = number_of(row[0]), single = number_of(row[1]), rows = number_of(row[2]);
    // With few rows to a group, being single means nothing.
    if (row[3] == "t") return false;  // one value everywhere needs no other column to determine it
    if (all < 2 || single < all || rows < all * 3) continue;
    const auto uncovered = session.run(
        fmt::format(
            "SELECT count(*) FROM {2} staithe_row WHERE {0} IS NULL AND NOT EXISTS (SELECT 1 FROM (SELECT "
            "DISTINCT "
            "{1} FROM {2} WHERE {0} IS NOT NULL) staithe_known WHERE staithe_known.{1} = staithe_row.{1})",
            quoted, other, violation.table),
        scope);
    if (number_of(uncovered.rows.at(0)[0]) > 0) continue;
    violation.backfill_set = fmt::format(
        "{0} = (SELECT staithe_known.{0} FROM {2} staithe_known WHERE staithe_known.{1} = {2}.{1} AND "
        "staithe_known.{0} IS NOT NULL LIMIT 1)",
        quoted, other, violation.table);
    violation.backfill_why =
        fmt::format("{} determines it in all {} groups of the rows that have a value", other, all);
    return true;
  }
  return false;
}

void from_mode(pg::Session& session, const std::string& column, Violation& violation, const Scope& scope) {
  const std::string quoted = pg::quoted_name(column);
  const auto rows = session.run(fmt::format("SELECT quote_literal({0}::text), round(count(*) * 100.0 / "
                                            "sum(count(*)) OVER (), 1) FROM {1} WHERE {0} IS NOT "
                                            "NULL GROUP BY {0} ORDER BY count(*) DESC LIMIT 1",
                                            quoted, violation.table),
                                scope);
  if (rows.rows.empty()) {
    violation.backfill_why = "no row has a value yet: only a person knows what belongs there";
    return;
  }
  violation.backfill_set = quoted + " = " + rows.rows[0][0].value_or("");
  violation.backfill_why =
      fmt::format("the most frequent value, in {}% of the rows that have one", rows.rows[0][1].value_or("0"));
}

}  // namespace

void propose_value(pg::Session& session, const std::string& column, Violation& violation,
                   const Scope& scope) {
  violation.backfill_where = pg::quoted_name(column) + " IS NULL";
  if (from_default(session, column, violation, scope)) return;
  if (from_dependency(session, column, violation, scope)) return;
  from_mode(session, column, violation, scope);
}

}  // namespace staithe::stage
