#include "after.hpp"

#include "catalog.hpp"
#include "facts.hpp"
#include "judge.hpp"
#include "migration_run.hpp"
#include "violations.hpp"

#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr base::Duration check_patience{10 * 60'000};
constexpr std::size_t shown_output = 600;

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

}  // namespace

After::After(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone, RehearsalReport& report,
             const Scope& scope)
    : plan_(plan), run_(run), clone_(clone), report_(report), scope_(scope) {}

bool After::failed() const {
  return std::any_of(report_.statements.begin(), report_.statements.end(),
                     [](const auto& statement) { return statement.failure.has_value(); });
}

void After::before() {
  pg::Session session(clone_.url(), {"staithe looks", std::chrono::seconds(10)}, scope_);
  std::vector<Query> queries = plan_.settings.queries;
  std::vector<std::uint64_t> calls(queries.size(), 0);
  if (!run_.source_url.empty()) {
    auto facts = ask_source(run_.source_url, session, plan_.settings.top_statements, scope_);
    report_.differences = std::move(facts.differences);
    report_.remarks.insert(report_.remarks.end(), facts.remarks.begin(), facts.remarks.end());
    queries.insert(queries.end(), facts.statements.begin(), facts.statements.end());
    calls.insert(calls.end(), facts.calls.begin(), facts.calls.end());
    report_.production_rows = std::move(facts.rows);
  }
  for (const auto& [table, rows] : plan_.settings.production_rows) report_.production_rows[table] = rows;
  for (std::size_t i = 0; i < queries.size(); ++i)
    plans_before_.push_back(plan_of(session, queries[i].name, queries[i].sql, calls[i], scope_));
  schema_before_ = schema_lines(session, scope_);
  invalid_before_ = invalid(session, scope_);
}

void After::after(const std::vector<std::string>& tables) {
  {
    pg::Session session(clone_.url(), {"staithe looks", std::chrono::seconds(10)}, scope_);
    side_effects(session);
    invalid_indexes(session);
    if (failed()) return;
    compare_plans(session);
    assertions(session);
  }
  checks();
  down(tables);
}

void After::compare_plans(pg::Session& session) {
  std::vector<QueryPlan> plans_after;
  for (const auto& plan : plans_before_)
    plans_after.push_back(plan_of(session, plan.name, plan.sql, plan.calls, scope_));
  report_.plans = compare(plans_before_, plans_after, report_.plans_skipped);
  report_.plans_compared = plans_before_.size() - report_.plans_skipped;
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

CheckReport After::run_program(const std::string& command) {
  proc::Command program;
  program.script = command;
  program.directory = run_.directory;
  program.environment = {{"DATABASE_URL", clone_.url()}};
  const auto exit = proc::run(program, scope_.at_most(check_patience));
  CheckReport check{command, exit.ok(), {}};
  std::string output = exit.err.empty() ? exit.out : exit.err;
  if (output.size() > shown_output) output = "…" + output.substr(output.size() - shown_output);
  if (!exit.ok())
    check.detail =
        base::trim(base::printable(run_.redact ? run_.redact(exit.text() + ": " + output) : exit.text()));
  return check;
}

void After::checks() {
  for (const auto& command : plan_.settings.checks) report_.checks.push_back(run_program(command));
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
    pg::Session now(clone_.url(), {"staithe looks", std::chrono::seconds(10)}, scope_);
    down.schema_difference = difference(schema_before_, schema_lines(now, scope_));
    const Clone untouched(run_.cluster_url, plan_.snapshot, clone_.name() + "_was", run_.run_id, scope_);
    pg::Session was(untouched.url(), {"staithe looks", std::chrono::seconds(10)}, scope_);
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

PassReport After::run_command(pg::Session& session) {
  const auto before = read_state(session, scope_);
  LockObserver observer(clone_.url(), 0, scope_);
  StatementReport report;
  report.text = plan_.command;
  report.file = "command";
  const auto began = steady_clock::now();
  const auto check = run_program(plan_.command);
  report.took = duration_cast<Micros>(steady_clock::now() - began);
  const auto locks = observer.finish();
  const auto after = read_state(session, scope_);
  if (!check.passed) report.failure = Failure{"", check.detail, "", "", std::nullopt};
  report.deeds = deeds_of(before, after, {});
  report.wal_bytes = after.wal - before.wal;
  report.size_change_bytes =
      static_cast<std::int64_t>(after.size_bytes) - static_cast<std::int64_t>(before.size_bytes);
  for (const auto& lock : locks) {
    const auto found = before.relations.find(lock.relation);
    if (found == before.relations.end() || found->second.is_toast || !lock.was_granted) continue;
    report.locks.push_back({found->second.name, lock.mode, blocked_by(lock.mode), false,
                            duration_cast<Micros>(lock.granted - lock.asked),
                            duration_cast<Micros>(lock.granted - began),
                            duration_cast<Micros>(lock.released - lock.granted), 0});
  }
  std::stable_sort(report.locks.begin(), report.locks.end(), [](const auto& a, const auto& b) {
    return std::tie(b.blocks, b.held) < std::tie(a.blocks, a.held);
  });
  report_.clone_bytes = before.size_bytes;
  PassReport pass;
  pass.name = "measure";
  pass.passed = check.passed;
  pass.took = report.took;
  report_.statements.push_back(std::move(report));
  return pass;
}

}  // namespace staithe::stage
