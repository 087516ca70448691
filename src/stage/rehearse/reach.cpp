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

/// The functions that count; `operators` and `domains` behind which one of them stands. A domain comes with
/// what is made of it: another one, an array, a range, a row type.
constexpr const char* own = "own AS (SELECT p.oid FROM pg_catalog.pg_proc p WHERE {})";
constexpr const char* operators = R"(operators AS (
  SELECT o.oid, o.oprname FROM pg_catalog.pg_operator o
  WHERE o.oprcode IN (SELECT oid FROM own) OR o.oprrest IN (SELECT oid FROM own)
    OR o.oprjoin IN (SELECT oid FROM own)))";
constexpr const char* domains = R"(domains AS (
  SELECT c.contypid AS oid FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
  WHERE c.contypid <> 0
    AND ((d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM own))
      OR (d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM operators)))
  UNION
  SELECT made.oid FROM domains JOIN (
    SELECT typbasetype AS part, oid FROM pg_catalog.pg_type
    UNION ALL SELECT typelem, oid FROM pg_catalog.pg_type
    UNION ALL SELECT rngsubtype, rngtypid FROM pg_catalog.pg_range
    UNION ALL SELECT a.atttypid, c.reltype FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0) made ON made.part = domains.oid))";

std::string with_own_code(Use use) {
  return "WITH RECURSIVE " + fmt::format(own, counted(use)) + ", " + operators + ", " + domains;
}

/// That a row d of pg_depend is of an expression that calls one of them.
constexpr const char* calls_own = R"((
  (d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM own))
  OR (d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM operators))
  OR (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM domains))))";

/// Whether anything that has a row in `catalogue` for the relation c calls a counted function; with Use::run,
/// any that is not built in.
std::string calls_from(const std::string& catalogue, const std::string& of_relation, Use use) {
  constexpr const char* any_function = "d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass OR ";
  return fmt::format(R"(EXISTS (
  SELECT FROM pg_catalog.{0} r
  JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 'pg_catalog.{0}'::pg_catalog.regclass
  WHERE r.{1} = c.oid AND ({2}{3})))",
                     catalogue, of_relation, use == Use::run ? any_function : "", calls_own);
}

/// What the transaction has locked, with the partitions and heirs that are locked only when it is planned.
constexpr const char* named = R"(named AS (
  SELECT relation AS oid FROM pg_catalog.pg_locks
  WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation'
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  UNION SELECT i.inhrelid FROM named n JOIN pg_catalog.pg_inherits i ON i.inhparent = n.oid))";

/// Constraints that the planner looks into to leave the relation c out.
constexpr const char* excludes = R"((
  pg_catalog.current_setting('constraint_exclusion') = 'on'
  OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)))";

/// The key of a partitioned table c.
constexpr const char* splits_by_own = R"((c.relkind = 'p' AND EXISTS (
  SELECT FROM pg_catalog.pg_depend d
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0 AND {})))";

constexpr const char* has_column_of_domain = R"(EXISTS (
  SELECT FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid IN (SELECT oid FROM domains)))";

/// What of the `named` cannot be looked into, and the texts of views. The server's own are left out: these
/// questions lock some themselves. Through a view, the policies that hold are those for the view's owner.
std::string worked_on(Use use, const std::string& sql) {
  std::vector<std::string> reasons{
      "c.relkind = 'f'",
      std::string("(c.relrowsecurity") + (use == Use::run
                                              ? std::string(")")
                                              : " AND (pg_catalog.row_security_active(c.oid) OR " +
                                                    calls_from("pg_policy", "polrelid", use) + "))"),
      calls_from("pg_rewrite", "ev_class", use),
      std::string("(") + excludes + " AND " + calls_from("pg_constraint", "conrelid", use) + ")",
      calls_from("pg_statistic_ext", "stxrelid", use),
      fmt::format(splits_by_own, calls_own)};
  if (!only_reads(sql)) {
    reasons.push_back(calls_from("pg_attrdef", "adrelid", use));
    reasons.emplace_back(has_column_of_domain);
  }
  return with_own_code(use) + ", " + named + " SELECT " + base::join(reasons, " OR ") +
         ", CASE WHEN c.relkind = 'v' THEN pg_catalog.pg_get_viewdef(c.oid) END"
         " FROM named JOIN pg_catalog.pg_class c USING (oid)"
         " WHERE c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace";
}

/// Casts and classes of operators work unseen.
constexpr const char* unseen_code = R"(
  EXISTS (SELECT FROM pg_catalog.pg_cast c JOIN own ON own.oid = c.castfunc)
  OR EXISTS (SELECT FROM pg_catalog.pg_amproc a JOIN own ON own.oid = a.amproc)
  OR EXISTS (SELECT FROM operators o JOIN pg_catalog.pg_amop a ON a.amopopr = o.oid))";

/// So do the operators that IN, BETWEEN, LIKE, NULLIF, CASE, USING, IS DISTINCT FROM and SIMILAR TO stand
/// for.
constexpr const char* signs_in_text = R"(EXISTS (
  SELECT FROM operators o WHERE pg_catalog.strpos($1, o.oprname::text) > 0
    OR o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '~~', '!~~', '~~*', '!~~*', '~', '!~')))";

/// A row type can bring a domain with it, from a string, by a cast, or filled from JSON and the like.
constexpr const char* domains_in_text = R"(EXISTS (
  SELECT FROM domains JOIN pg_catalog.pg_type t USING (oid)
  WHERE (t.typname = ANY ({}) AND (t.typtype = 'd' OR $1 ~* '::|cast|''|[$][^0-9]'))
    OR $1 ~* 'populate_record'
    OR (t.typtype = 'd' AND t.oid IN (
      SELECT pg_catalog.unnest(parameter_types)::oid FROM pg_catalog.pg_prepared_statements s
      WHERE s.name = $2))))";

/// Whether users' functions stand behind what a text ($1) may use without calling them: behind operators and
/// the like, and behind domains that it names or that parameters of a prepared statement ($2) have: even NULL
/// is held against their checks.
std::string has_code_behind(Use use, const std::string& names) {
  return with_own_code(use) + " SELECT " + unseen_code + " OR " + signs_in_text + ", " +
         fmt::format(domains_in_text, names);
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

/// False when the text cannot be understood, as with a name in U&"\0066".
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

/// In quotes, or between $$; $1 is none.
bool has_string(const std::string& sql) {
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const bool is_number = i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9';
    if (sql[i] == '\'' || (sql[i] == '$' && !is_number)) return true;
  }
  return false;
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
  // A domain may be checked while the string that becomes one is read. Without a string none is.
  if (has_string(sql) && code_behind(session, sql, words, {}, Use::run, scope).domains) return Reach::refused;
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
