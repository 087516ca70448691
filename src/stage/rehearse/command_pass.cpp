#include "command_pass.hpp"

#include "catalog.hpp"
#include "command_trace.hpp"
#include "facts.hpp"
#include "passes.hpp"

#include "staithe/base/text.hpp"
#include "staithe/pg/programs.hpp"
#include "staithe/proc/run.hpp"

#include <algorithm>
#include <tuple>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr base::Duration command_patience{8 * 3'600'000};
constexpr base::Duration settle{300};
constexpr std::size_t shown_begin = 200, shown_end = 400;
constexpr std::size_t most_stalls = 400;

std::map<std::string, Touched> rows_by_table(pg::Session& session, const Scope& scope) {
  std::map<std::string, Touched> out;
  const auto rows = session.run(
      "SELECT format('%I.%I', schemaname, relname), coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0), "
      "n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd FROM pg_stat_user_tables",
      scope);
  for (const auto& row : rows.rows)
    out[row[0].value_or("")] = {row[0].value_or(""), number_of(row[1]), number_of(row[2]),
                                number_of(row[3]),   number_of(row[4]), number_of(row[5])};
  return out;
}

bool mentions(const StatementReport& statement, const std::string& object) {
  for (const auto& lock : statement.locks)
    if (lock.object == object) return true;
  const auto bare = object.substr(object.rfind('.') + 1);
  return statement.text.find(bare) != std::string::npos;
}

/// The statement that something belongs to: the first that has to do with the object, else the last.
StatementReport& owner_of(std::vector<StatementReport>& statements, const std::string& object) {
  for (auto& one : statements)
    if (mentions(one, object)) return one;
  return statements.back();
}

bool writes_rows(const StatementReport& statement) {
  diag::Diagnostics ignored;
  const auto sql = split_sql(statement.text, "", ignored);
  if (sql.statements.empty()) return false;
  const auto act = facts_of(sql.statements.front()).front().act;
  return act == Act::update || act == Act::insert || act == Act::remove;
}

/// Rows are written by what says so, where such a statement was seen.
StatementReport& writer_of(std::vector<StatementReport>& statements, const std::string& table) {
  for (auto& one : statements)
    if (writes_rows(one) && mentions(one, table)) return one;
  return owner_of(statements, table);
}

/// Locks that were sampled last as long as they were seen; those that no trigger told of are added.
void add_sampled(const std::vector<SeenLock>& locks, const CatalogState& before, SteadyTime zero,
                 std::vector<StatementReport>& statements) {
  for (const auto& seen : locks) {
    const auto found = before.relations.find(seen.relation);
    if (found == before.relations.end() || found->second.is_toast || !seen.was_granted) continue;
    const auto held = duration_cast<Micros>(seen.released - seen.granted);
    const auto from = duration_cast<Micros>(seen.granted - zero);
    bool known = false;
    for (auto& statement : statements)
      for (auto& lock : statement.locks)
        if (lock.object == found->second.name && lock.mode == seen.mode) {
          known = true;
          if (from < lock.from + lock.held && lock.from < from + held) lock.held = std::max(lock.held, held);
        }
    if (known) continue;
    auto at = std::find_if(statements.rbegin(), statements.rend(),
                           [&](const StatementReport& one) { return one.began <= from; });
    auto& into = at == statements.rend() ? statements.front() : *at;
    const auto waited = duration_cast<Micros>(seen.granted - seen.asked);
    into.locks.push_back({found->second.name, seen.mode, blocked_by(seen.mode), false, waited, from, held,
                          static_cast<std::size_t>(&into - statements.data())});
  }
  for (auto& statement : statements)
    std::stable_sort(statement.locks.begin(), statement.locks.end(), [](const auto& a, const auto& b) {
      return std::tie(b.blocks, b.held) < std::tie(a.blocks, a.held);
    });
}

/// A table by its own name or by an index of it, as a statement writes it.
const Relation* table_of(const CatalogState& state, const std::string& name) {
  for (const auto& [oid, relation] : state.relations) {
    if (relation.name != name && relation.bare != name) continue;
    if (relation.table == 0) return &relation;
    const auto table = state.relations.find(relation.table);
    if (table != state.relations.end()) return &table->second;
  }
  return nullptr;
}

/// What runs CONCURRENTLY gives its lock back before a trigger is told, and may be over before a sample: then
/// it is said by what is known of it, https://www.postgresql.org/docs/current/explicit-locking.html.
void add_known(const CatalogState& before, std::vector<StatementReport>& statements) {
  for (std::size_t i = 0; i < statements.size(); ++i) {
    auto& statement = statements[i];
    diag::Diagnostics ignored;
    const auto sql = split_sql(statement.text, "", ignored);
    if (sql.statements.empty()) continue;
    const auto fact = facts_of(sql.statements.front()).front();
    if (!fact.concurrently) continue;
    const auto* table = table_of(before, fact.table.empty() ? fact.name : fact.table);
    constexpr const char* mode = "ShareUpdateExclusiveLock";
    if (table == nullptr ||
        std::any_of(statement.locks.begin(), statement.locks.end(),
                    [&](const LockSpan& one) { return one.object == table->name && one.mode == mode; }))
      continue;
    LockSpan span{table->name, mode, blocked_by(mode), false, Micros{0}, statement.began, statement.took, i};
    span.not_seen = true;
    statement.locks.push_back(std::move(span));
  }
}

}  // namespace

namespace {

/// Whatever way a program finds its database, it is to find the clone: also one that is started where PGHOST
/// or PGSERVICE says production.
void point_at(const std::string& url, proc::Command& program) {
  // Every tool knows this scheme; SQLAlchemy no longer knows "postgres".
  program.environment = {{"DATABASE_URL", "postgresql" + url.substr(url.find("://"))}};
  // What a service says comes before what variables say: its database would be taken for the clone.
  program.unset = {"PGSERVICE"};
  for (auto& variable : pg::program_environment(url))
    if (variable.first != program.unset.front()) program.environment.push_back(std::move(variable));
}

/// Some say first what is wrong, some last, behind or before a long trace.
std::string ends_of(const std::string& output) {
  if (output.size() <= shown_begin + shown_end) return output;
  const auto is_inside = [&](std::size_t at) {
    return (static_cast<unsigned char>(output[at]) & 0xC0U) == 0x80U;
  };
  std::size_t begin = shown_begin, end = output.size() - shown_end;
  while (begin > 0 && is_inside(begin)) --begin;
  while (end < output.size() && is_inside(end)) ++end;
  return output.substr(0, begin) + " … " + output.substr(end);
}

}  // namespace

CheckReport run_program(const std::string& command, const std::string& url, const RehearsalRun& run,
                        base::Duration patience, const Scope& scope) {
  proc::Command program;
  program.script = command;
  program.directory = run.directory;
  point_at(url, program);
  const auto exit = proc::run(program, scope.at_most(patience));
  CheckReport check{command, exit.ok(), {}};
  if (exit.ok()) return check;
  check.detail = exit.text();
  // A secret is known whole, not by its halves.
  if (run.redact)
    check.detail = run.redact(check.detail) + ": " +
                   ends_of(base::printable(run.redact(exit.err.empty() ? exit.out : exit.err)));
  check.detail = base::trim(base::printable(check.detail));
  return check;
}

void measure_command(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone,
                     RehearsalReport& report, const Scope& scope) {
  auto session = connect_clone(clone.url(), "rehearsal", scope);
  report.server_version = session.run("SHOW server_version", scope).rows.at(0)[0].value_or("");
  const auto before = read_state(session, scope);
  CommandTrace trace(clone.url(), scope);
  const auto rows_before = rows_by_table(session, scope);
  LockObserver observer(clone.url(), 0, scope);
  const auto began = steady_clock::now();
  const auto check = run_program(plan.command, clone.url(), run, command_patience, scope);
  const auto took = duration_cast<Micros>(steady_clock::now() - began);
  const auto locks = observer.finish();
  report.statements = trace.finish(before.relations);
  auto& statements = report.statements;
  if (!trace.remark().empty()) report.remarks.push_back(trace.remark());
  for (const auto& problem : {trace.problem(), observer.problem()})
    if (!problem.empty()) report.not_observed.push_back(problem);
  if (statements.empty() || !check.passed) {
    auto& whole = statements.emplace_back();
    whole.file = "command";
    whole.line = static_cast<std::uint32_t>(statements.size());
    whole.text = plan.command;
    if (!check.passed) whole.failure = Failure{"", check.detail, "", "", std::nullopt};
    if (statements.size() == 1) whole.took = took;
  }
  const auto after = read_state(session, scope);
  add_sampled(locks, before, began, statements);
  add_known(before, statements);
  for (auto& deed : deeds_of(before, after, {})) {
    auto& owner = owner_of(statements, deed.object);
    owner.deeds.push_back(std::move(deed));
  }
  for (const auto& [table, now] : rows_by_table(session, scope)) {
    auto touched = now;
    if (const auto old = rows_before.find(table); old != rows_before.end()) {
      touched.inserted -= std::min(touched.inserted, old->second.inserted);
      touched.updated -= std::min(touched.updated, old->second.updated);
      touched.deleted -= std::min(touched.deleted, old->second.deleted);
      touched.hot -= std::min(touched.hot, old->second.hot);
      touched.read -= std::min(touched.read, old->second.read);
    }
    if (touched.inserted + touched.updated + touched.deleted > 0)
      writer_of(statements, table).touched.push_back(std::move(touched));
  }
  statements.back().wal_bytes = after.wal - before.wal;
  statements.back().size_change_bytes =
      static_cast<std::int64_t>(after.size_bytes) - static_cast<std::int64_t>(before.size_bytes);
  report.clone_bytes = before.size_bytes;
  PassReport pass;
  pass.name = "measure";
  pass.passed = check.passed;
  pass.took = took;
  report.passes.push_back(std::move(pass));
}

void run_command_under_load(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone,
                            const std::vector<Load>& loads, RehearsalReport& report, const Scope& scope) {
  auto prepared = ready_workload(clone, loads, report, scope);
  if (prepared.empty()) {
    report.remarks.push_back(no_workload);
    return;
  }
  CommandTrace trace(clone.url(), scope);
  const auto zero = steady_clock::now();
  Workload workload(clone.url(), std::move(prepared), scope);
  base::sleep_for(settle, scope);
  const auto check = run_program(plan.command, clone.url(), run, command_patience, scope);
  base::sleep_for(settle, scope);
  const auto samples = workload.finish();
  const auto statements = trace.finish({});
  PassReport pass;
  pass.name = "under load";
  pass.passed = check.passed;
  pass.took = duration_cast<Micros>(steady_clock::now() - zero);
  pass.load_runs = workload.runs();
  pass.load_errors = workload.errors();
  pass.stalls = stalls_of(samples, workload.loads(), zero, most_stalls);
  blame_all(samples, workload, zero, statements, report.statements);
  pass.error = check.detail;
  report.passes.push_back(std::move(pass));
}

MigrationFile as_file(const std::vector<StatementReport>& statements) {
  MigrationFile file;
  file.path = "command";
  file.transactions = Transactions::each;
  for (const auto& one : statements) file.statements.push_back({one.text, one.line, 1, true});
  return file;
}

}  // namespace staithe::stage
