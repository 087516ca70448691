#include "reach.hpp"

#include "sql_text.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace staithe::stage {
namespace {

using base::Scope;

/// What the transaction has locked, with the partitions and heirs that are locked only when it is planned:
/// what of it cannot be looked into, and the texts of views. The server's own are left out: these questions
/// lock some themselves.
constexpr const char* worked_on =
    "WITH RECURSIVE named AS (SELECT relation AS oid FROM pg_catalog.pg_locks WHERE pid = "
    "pg_catalog.pg_backend_pid() AND locktype = 'relation' AND database = (SELECT oid FROM "
    "pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) UNION SELECT i.inhrelid FROM "
    "named n "
    "JOIN pg_catalog.pg_inherits i ON i.inhparent = n.oid) SELECT c.relkind = 'f' OR "
    "pg_catalog.row_security_active(c.oid) OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r JOIN "
    "pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass "
    "AND "
    "d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass WHERE r.ev_class = c.oid AND c.relkind = 'v'), "
    "CASE WHEN c.relkind = 'v' THEN pg_catalog.pg_get_viewdef(c.oid) END FROM named JOIN pg_catalog.pg_class "
    "c "
    "USING (oid) WHERE c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace";

std::optional<SqlStatement> statement_of(const std::string& sql) {
  diag::Diagnostics ignored;
  auto parsed = split_sql(sql, "", ignored);
  if (ignored.has_errors() || parsed.statements.size() != 1) return std::nullopt;
  return std::move(parsed.statements.front());
}

/// Adds the names that a function may be called by: "f(x)", and "x.f", which is the same for a row x. False
/// when the text cannot be understood.
bool add_called(const std::string& sql, std::set<std::string>& names) {
  const auto statement = statement_of(sql);
  if (!statement) return false;
  const auto& tokens = statement->tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool has_arguments = i + 1 < tokens.size() && tokens[i + 1].is_symbol('(');
    const bool is_part = i > 0 && tokens[i - 1].is_symbol('.');
    if (tokens[i].is_name() && (has_arguments || is_part)) names.insert(tokens[i].text);
  }
  return true;
}

/// A name that is too long is cut by the server, here as there.
bool any_leaves(pg::Session& session, const std::set<std::string>& names, const Scope& scope) {
  if (names.empty()) return false;
  std::vector<std::string> quoted;
  for (const auto& name : names) quoted.push_back(pg::quoted_literal(name));
  const auto found = session.run(
      "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = ANY (ARRAY[" + base::join(quoted, ", ") +
          "]::pg_catalog.name[]) AND (pronamespace <> 'pg_catalog'::pg_catalog.regnamespace OR provolatile = "
          "'v' OR proname LIKE '%\\_to\\_xml%'))",
      scope);
  return found.rows.at(0)[0] == "t";
}

}  // namespace

bool only_reads(const std::string& sql) {
  const auto statement = statement_of(sql);
  if (!statement || statement->tokens.empty()) return false;
  constexpr std::array<std::string_view, 4> reads{"select", "with", "values", "table"};
  constexpr std::array<std::string_view, 5> writes{"insert", "update", "delete", "merge", "into"};
  const auto& first = statement->tokens.front();
  if (!first.is_symbol('(') && std::none_of(reads.begin(), reads.end(), [&](auto w) { return first.is(w); }))
    return false;
  return std::none_of(statement->tokens.begin(), statement->tokens.end(), [&](const Token& token) {
    if (token.kind == TokenKind::quoted) return statement->text.at(token.begin) != '"';  // U&"\0066"
    return std::any_of(writes.begin(), writes.end(), [&](auto word) { return token.is(word); });
  });
}

bool stays_in_server(pg::Session& session, const std::string& sql, const Scope& scope) {
  const auto found = session.run(worked_on, scope);
  std::set<std::string> names;
  if (!add_called(sql, names)) return false;
  for (const auto& row : found.rows)
    if (row[0] != "f" || (row[1] && !add_called(*row[1], names))) return false;
  return !any_leaves(session, names, scope);
}

}  // namespace staithe::stage
