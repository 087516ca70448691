#include "reach.hpp"

#include "sql_text.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace staithe::stage {
namespace {

using base::Scope;

/// Functions that users have made: beside the server's own and those that extensions brought.
constexpr const char* made_by_users =
    "p.pronamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', "
    "'information_schema')) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = "
    "'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid AND e.deptype = 'e')";

/// The planner runs no volatile function, but looks into one in SQL.
constexpr const char* run_by_planner =
    " AND (p.provolatile <> 'v' OR p.prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = "
    "'sql'))";

std::string counted(Use use) {
  return std::string(made_by_users) + (use == Use::plan ? run_by_planner : "");
}

/// Whether anything that has a row in `catalogue` for the relation c calls a counted function.
std::string calls_from(const std::string& catalogue, const std::string& of_relation, Use use) {
  const std::string function = use == Use::plan ? counted(use) : "true";
  return fmt::format(
      "EXISTS (SELECT FROM pg_catalog.{0} r JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = "
      "'pg_catalog.{0}'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
      "JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid WHERE r.{1} = c.oid AND {2})",
      catalogue, of_relation, function);
}

/// What the transaction has locked, with the partitions and heirs that are locked only when it is planned:
/// what of it cannot be looked into, and the texts of views. The server's own are left out: these questions
/// lock some themselves.
std::string worked_on(Use use, const std::string& sql) {
  return "WITH RECURSIVE named AS (SELECT relation AS oid FROM pg_catalog.pg_locks WHERE pid = "
         "pg_catalog.pg_backend_pid() AND locktype = 'relation' AND database = (SELECT oid FROM "
         "pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) UNION SELECT i.inhrelid "
         "FROM named n JOIN pg_catalog.pg_inherits i ON i.inhparent = n.oid) SELECT c.relkind = 'f' OR "
         "pg_catalog.row_security_active(c.oid) OR " +
         calls_from("pg_rewrite", "ev_class", use) +
         (only_reads(sql) ? "" : " OR " + calls_from("pg_attrdef", "adrelid", use)) +
         ", CASE WHEN c.relkind = 'v' THEN pg_catalog.pg_get_viewdef(c.oid) END FROM named JOIN "
         "pg_catalog.pg_class c USING (oid) WHERE c.relnamespace <> "
         "'pg_catalog'::pg_catalog.regnamespace";
}

/// Whether users' functions stand behind what a text ($1) may use without calling them: behind operators and
/// the like, and behind domains that it names or that parameters of a prepared statement ($2) have: even NULL
/// is held against their checks. Casts and classes of operators work unseen. A row type can bring a domain
/// with it, from a string or by a cast.
std::string has_code_behind(Use use, const std::string& names) {
  return "WITH RECURSIVE own AS (SELECT p.oid FROM pg_catalog.pg_proc p WHERE " + counted(use) +
         "), operators AS (SELECT o.oid, o.oprname FROM pg_catalog.pg_operator o JOIN own ON own.oid IN "
         "(o.oprcode, o.oprrest, o.oprjoin)), domains AS (SELECT c.contypid AS oid FROM "
         "pg_catalog.pg_constraint c JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.classid = "
         "'pg_catalog.pg_constraint'::pg_catalog.regclass WHERE c.contypid <> 0 AND ((d.refclassid = "
         "'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM own)) OR "
         "(d.refclassid "
         "= 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM operators))) "
         "UNION SELECT made.oid FROM domains JOIN (SELECT typbasetype AS part, oid FROM pg_catalog.pg_type "
         "UNION ALL SELECT typelem, oid FROM pg_catalog.pg_type UNION ALL SELECT rngsubtype, rngtypid FROM "
         "pg_catalog.pg_range UNION ALL SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a JOIN "
         "pg_catalog.pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0) made ON made.part = domains.oid) "
         "SELECT EXISTS (SELECT FROM pg_catalog.pg_cast c JOIN own ON own.oid = c.castfunc) OR EXISTS "
         "(SELECT FROM pg_catalog.pg_amproc a JOIN own ON own.oid = a.amproc) OR EXISTS (SELECT FROM "
         "operators o WHERE pg_catalog.strpos($1, o.oprname::text) > 0 OR EXISTS (SELECT FROM "
         "pg_catalog.pg_amop a WHERE a.amopopr = o.oid)), EXISTS (SELECT FROM domains JOIN "
         "pg_catalog.pg_type t USING (oid) WHERE (t.typname = ANY (" +
         names +
         ") AND (t.typtype = 'd' OR $1 ~* '::|cast|''|[$][^0-9]')) OR (t.typtype = 'd' AND t.oid IN "
         "(SELECT pg_catalog.unnest(parameter_types)::oid FROM pg_catalog.pg_prepared_statements s WHERE "
         "s.name = $2)))";
}

std::optional<SqlStatement> statement_of(const std::string& sql) {
  diag::Diagnostics ignored;
  auto parsed = split_sql(sql, "", ignored);
  if (ignored.has_errors() || parsed.statements.size() != 1) return std::nullopt;
  return std::move(parsed.statements.front());
}

/// Names that stand in a text, and of these the ones that a function may be called by: "f(x)", and "x.f",
/// which is the same for a row x.
struct Words {
  std::set<std::string> names, called;
};

std::string as_names(const std::set<std::string>& words) {
  std::vector<std::string> quoted;
  for (const auto& word : words) quoted.push_back(pg::quoted_literal(word));
  return "ARRAY[" + base::join(quoted, ", ") + "]::pg_catalog.name[]";  // what is too long is cut, as there
}

/// False
/// when the text cannot be understood, as with a name in U&"\0066".
bool add_words(const std::string& sql, Words& words) {
  const auto statement = statement_of(sql);
  if (!statement) return false;
  const auto& tokens = statement->tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind == TokenKind::quoted && statement->text.at(tokens[i].begin) != '"') return false;
    const bool has_arguments = i + 1 < tokens.size() && tokens[i + 1].is_symbol('(');
    const bool is_part = i > 0 && tokens[i - 1].is_symbol('.');
    if (!tokens[i].is_name()) continue;
    words.names.insert(tokens[i].text);
    if (has_arguments || is_part) words.called.insert(tokens[i].text);
  }
  return true;
}

bool any_leaves(pg::Session& session, const std::set<std::string>& called, Use use, const Scope& scope) {
  const std::string not_its_own = use == Use::plan
                                      ? "(" + counted(use) + ")"
                                      : "p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace OR "
                                        "p.provolatile = 'v'";
  const auto found =
      session.run("SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname = ANY (" +
                      as_names(called) + ") AND (" + not_its_own + " OR p.proname LIKE '%\\_to\\_xml%'))",
                  scope);
  return found.rows.at(0)[0] == "t";
}

struct Behind {
  bool operators = false, domains = false;
};
Behind code_behind(pg::Session& session, const std::string& text, const Words& words,
                   const std::string& prepared, Use use, const Scope& scope) {
  const pg::Value values[] = {text, prepared};
  const auto found = session.query(has_code_behind(use, as_names(words.names)), values, scope);
  return {found.rows.at(0)[0] == "t", found.rows.at(0)[1] == "t"};
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
    return std::any_of(writes.begin(), writes.end(), [&](auto word) { return token.is(word); });
  });
}

Reach prepare(pg::Session& session, const std::string& name, const std::string& sql, Use use,
              const Scope& scope) {
  Words words;
  if (!add_words(sql, words)) return Reach::refused;
  // A domain may be checked while the string that becomes one is read.
  if (code_behind(session, sql, words, {}, Use::run, scope).domains) return Reach::refused;
  session.prepare(name, sql, scope);
  std::string texts = sql;
  for (const auto& row : session.run(worked_on(use, sql), scope).rows) {
    if (row[0] != "f" || (row[1] && !add_words(*row[1], words))) return Reach::leaves;
    if (row[1]) texts += '\n' + *row[1];
  }
  const auto behind = code_behind(session, texts, words, name, use, scope);
  const bool leaves = behind.operators || behind.domains || any_leaves(session, words.called, use, scope);
  return leaves ? Reach::leaves : Reach::stays;
}

}  // namespace staithe::stage
