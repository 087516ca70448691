#include "after.hpp"

#include "catalog.hpp"
#include "code_words.hpp"
#include "command_pass.hpp"
#include "facts.hpp"
#include "judge.hpp"
#include "migration_run.hpp"
#include "sight.hpp"
#include "violations.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr base::Duration check_patience{10 * 60'000};

std::set<std::string> invalid(pg::Session& session, const Scope& scope) {
  std::set<std::string> names;
  for (const auto& row :
       session.run("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid", scope).rows)
    names.insert(row[0].value_or(""));
  return names;
}

/// Columns that an UPDATE sets: the names before '=' in its SET list.
std::vector<std::string> set_columns(const SqlStatement& statement) {
  std::vector<std::string> columns;
  bool in_set = false;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < statement.tokens.size(); ++i) {
    const auto& token = statement.tokens[i];
    depth += token.is_symbol('(') ? 1 : token.is_symbol(')') ? -1 : 0;
    if (depth == 0 && token.is("set"))
      in_set = true;
    else if (depth == 0 && (token.is("where") || token.is("from")))
      return columns;
    else if (in_set && depth == 0 && token.is_name() && statement.tokens[i + 1].is_symbol('=') &&
             (statement.tokens[i - 1].is("set") || statement.tokens[i - 1].is_symbol(',')))
      columns.push_back(token.text);
  }
  return columns;
}

void add_function(RehearsalReport& report, const std::string& name, const std::string& body) {
  const auto [known, is_new] = report.functions.emplace(name, body);
  if (is_new) return;
  if (body.empty() || known->second.empty())
    known->second.clear();
  else if (known->second.find(body) == std::string::npos)
    known->second += ' ' + body;
}

}  // namespace

After::After(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone, RehearsalReport& report,
             const Scope& scope)
    : plan_(plan), run_(run), clone_(clone), report_(report), scope_(scope) {}

bool After::failed() const {
  return std::any_of(report_.statements.begin(), report_.statements.end(),
                     [](const auto& statement) { return statement.failure.has_value(); });
}

void After::before() {
  auto session = connect_clone(clone_.url(), "looks", scope_);
  std::vector<Query> queries = plan_.settings.queries;
  std::vector<std::uint64_t> calls(queries.size(), 0);
  if (!run_.source_url.empty()) {
    auto facts = ask_source(run_.source_url, session, plan_.settings.top_statements, scope_);
    report_.differences = std::move(facts.differences);
    report_.remarks.insert(report_.remarks.end(), facts.remarks.begin(), facts.remarks.end());
    queries.insert(queries.end(), facts.statements.begin(), facts.statements.end());
    statements_of_production_ = std::move(facts.statements);
    calls.insert(calls.end(), facts.calls.begin(), facts.calls.end());
    report_.production_rows = std::move(facts.rows);
    report_.asked = facts.asked;
    report_.standbys = facts.standbys;
    report_.production_wal_rate = facts.wal_rate;
    if (!facts.version.empty()) report_.production_version = std::move(facts.version);
  }
  report_.clone_rows = rows_of_tables(session, scope_);
  // What production says itself can be added to, not talked away.
  for (const auto& [table, rows] : plan_.settings.production_rows) {
    auto& there = report_.production_rows[table];
    there = std::max(there, rows);
  }
  for (std::size_t i = 0; i < queries.size(); ++i)
    plans_before_.push_back(
        plan_of(session, {queries[i].name, queries[i].sql, calls[i], 0, {}, {}}, whose(i), scope_));
  code_and_partitions(session);
  schema_before_ = schema_lines(session, scope_);
  invalid_before_ = invalid(session, scope_);
}

void After::after(const std::vector<std::string>& tables) {
  {
    auto session = connect_clone(clone_.url(), "looks", scope_);
    side_effects(session);
    code_and_partitions(session);
    code_of_statements();
    invalid_indexes(session);
    if (report_.asked) look_at_source(run_.source_url, tables, report_, scope_);
    if (failed()) return;
    compare_plans(session);
    assertions(session);
  }
  checks();
  down(tables);
}

/// What extensions bring looks at nothing but what it is given.
void After::code_and_partitions(pg::Session& session) {
  const auto functions = session.run(
      "SELECT p.proname, CASE WHEN bool_and(l.lanname IN ('sql', 'plpgsql') AND p.prosrc <> '') THEN "
      "string_agg(p.prosrc, ' ') END FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN "
      "pg_language l ON l.oid = p.prolang WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND "
      "NOT "
      "EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND "
      "d.deptype = 'e') GROUP BY 1",
      scope_);
  for (const auto& row : functions.rows) add_function(report_, row[0].value_or(""), row[1].value_or(""));
  const auto triggers = session.run(
      "SELECT n.nspname || '.' || c.relname, t.tgtype & 4, t.tgtype & 16, t.tgtype & 8, p.proname, t.tgtype "
      "& "
      "32 FROM "
      "pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN "
      "pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'",
      scope_);
  const auto on = [](const pg::Value& bit) { return bit != "0"; };
  for (const auto& row : triggers.rows)
    report_.triggers[row[0].value_or("")].push_back(
        {on(row[1]), on(row[2]), on(row[3]), row[4].value_or(""), on(row[5])});
  const auto partitions = session.run(
      "SELECT cn.nspname || '.' || c.relname, pn.nspname || '.' || p.relname FROM pg_inherits i JOIN "
      "pg_class c "
      "ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace JOIN pg_class p ON p.oid = "
      "i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE c.relkind IN ('r', 'p')",
      scope_);
  for (const auto& row : partitions.rows) report_.parents[row[0].value_or("")] = row[1].value_or("");
}

namespace {

/// A trigger is kept by the whole names of tables that were written to.
void add_trigger(RehearsalReport& report, const MadeTrigger& made) {
  std::set<std::string> tables{made.table};
  for (const auto& one : report.statements) {
    for (const auto& rows : one.touched) tables.insert(plain_name(rows.table));
    for (const auto& lock : one.locks) tables.insert(plain_name(lock.object));
  }
  for (const auto& table : tables)
    if (table == made.table || table.ends_with("." + made.table))
      report.triggers[table].push_back(
          {made.on_insert, made.on_update, made.on_delete, made.function, made.on_truncate});
}

}  // namespace

/// A function or a trigger may be made, run, and be gone or another one at the end; also by EXECUTE.
void After::code_of_statements() {
  bool has_unnamed = false, drops = false;
  for (const auto& one : report_.statements) {
    Code code;
    (void)code.add(one.text);
    for (const auto& sql : code.statements()) {
      drops |= may_drop_code(sql);
      if (const auto made = function_made_by(sql)) {
        if (!made->name.empty())
          add_function(report_, made->name, made->is_readable ? sql.text : std::string());
        has_unnamed |= made->name.empty();
      }
      if (const auto made = trigger_made_by(sql)) {
        add_trigger(report_, *made);
        has_unnamed |= made->table.empty() || made->function.empty();
      }
    }
  }
  report_.has_unseen_code = has_unnamed && drops;
}

/// Declared queries stand before production's.
Whose After::whose(std::size_t query) const {
  return query < plan_.settings.queries.size() ? Whose::declared : Whose::production;
}

void After::compare_plans(pg::Session& session) {
  std::vector<QueryPlan> plans_after;
  for (std::size_t i = 0; i < plans_before_.size(); ++i)
    plans_after.push_back(plan_of(session, plans_before_[i], whose(i), scope_));
  auto compared = compare(plans_before_, plans_after);
  report_.plans = std::move(compared.changes);
  report_.plans_skipped = compared.skipped;
  report_.plans_compared = plans_before_.size() - compared.skipped - compared.unplanned;
  if (compared.unplanned > 0)
    report_.remarks.push_back(fmt::format(
        "{} of production's statements {} not planned: code that is not the server's own would run "
        "while {} read or planned, and may act outside of the clone",
        compared.unplanned, compared.unplanned == 1 ? "was" : "were",
        compared.unplanned == 1 ? "it is" : "they are"));
  if (report_.plans_compared > 0 && !report_.masked.empty())
    report_.remarks.push_back(
        "masked columns have other values than production, so that plans may differ there");
}

void After::assertions(pg::Session& session) {
  for (const auto& assertion : plan_.settings.assertions) {
    CheckReport check{assertion.name, false, {}};
    try {
      const auto answer = session.run(assertion.sql, scope_);
      const bool single = answer.rows.size() == 1 && answer.rows[0].size() == 1;
      check.passed = single && answer.rows[0][0] == "t";
      if (!single)
        check.detail = fmt::format("one true or false is needed, {} rows came", answer.rows.size());
      else if (!check.passed)
        check.detail = "it is " + answer.rows[0][0].value_or("NULL");
    } catch (const pg::StatementError& error) {
      check.detail = error.refusal().message;
    }
    report_.checks.push_back(std::move(check));
  }
}

void After::checks() {
  for (const auto& command : plan_.settings.checks)
    report_.checks.push_back(run_program(command, clone_.url(), run_, check_patience, scope_));
}

void After::invalid_indexes(pg::Session& session) {
  for (const auto& name : invalid(session, scope_))
    if (!invalid_before_.contains(name)) report_.left_invalid.push_back(name);
}

void After::side_effects(pg::Session& session) {
  for (auto& report : report_.statements) {
    diag::Diagnostics ignored;
    const auto sql = split_sql(report.text, "", ignored);
    if (sql.statements.empty() || report.failure) continue;
    const auto& statement = sql.statements.front();
    const auto facts = facts_of(statement);
    if (facts.front().act != Act::update) continue;
    std::set<std::string> effects;
    for (const auto& column : set_columns(statement))
      for (auto& effect : side_effects_of_update(session, facts.front().table, column, scope_))
        effects.insert(std::move(effect));
    report.side_effects.assign(effects.begin(), effects.end());
  }
}

void After::down(const std::vector<std::string>& tables) {
  std::vector<MigrationFile> files;
  for (auto at = plan_.files.rbegin(); at != plan_.files.rend(); ++at) {
    if (at->down_path.empty()) continue;
    MigrationFile file = *at;
    file.path = at->down_path;
    file.statements = at->down;
    file.expected.reset();
    if (std::any_of(file.statements.begin(), file.statements.end(),
                    [](const auto& s) { return !s.in_transaction; }))
      file.transactions = Transactions::each;
    files.push_back(std::move(file));
  }
  if (files.empty()) return;
  DownReport down;
  down.ran = true;
  MigrationRun run(clone_.url(), Measure::times, {}, scope_);
  down.passed = run.run(files);
  for (const auto& statement : run.statements()) {
    down.took += statement.took;
    if (statement.failure)
      down.error = fmt::format("{}:{}: {}", statement.file, statement.line, statement.failure->message);
  }
  if (down.passed) {
    auto now = connect_clone(clone_.url(), "looks", scope_);
    down.schema_difference = difference(schema_before_, schema_lines(now, scope_));
    const Clone untouched(run_.cluster_url, plan_.snapshot, clone_.name() + std::string(untouched_clone),
                          run_.run_id, report_.clones_left, scope_);
    auto was = connect_clone(untouched.url(), "looks", scope_);
    for (const auto& table : tables) {
      const auto columns = column_names(was, table, scope_);
      if (columns.empty() || column_names(now, table, scope_) != columns) continue;
      if (checksum(was, table, columns, scope_) != checksum(now, table, columns, scope_))
        down.data_difference.push_back(table);
    }
    down.passed = down.schema_difference.empty() && down.data_difference.empty();
  }
  report_.down = std::move(down);
}

}  // namespace staithe::stage
