#include "passes.hpp"

#include "catalog.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <set>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr std::size_t stalls_shown = 400;
/// For the workload to be in its stride before, and to show what still hangs after.
constexpr base::Duration settle_for{300};
constexpr Micros least_stall{1'000};
/// How long somebody is waited for who queues behind the statement: a busy machine may take its time.
constexpr base::Duration queue_patience{10'000};
constexpr base::Duration look_again{5};

Micros overlap(const LoadSample& sample, SteadyTime begin, SteadyTime end) {
  const auto from = std::max(sample.began, begin);
  const auto to =
      std::min(sample.began + std::chrono::duration_cast<steady_clock::duration>(sample.lasted), end);
  return to > from ? duration_cast<Micros>(to - from) : Micros{0};
}

/// The statement during which a sample waited longest is to blame for it.
void blame(const LoadSample& sample, bool writes, SteadyTime zero, const std::vector<StatementReport>& timed,
           std::vector<StatementReport>& into) {
  if (!sample.error.empty()) return;
  std::size_t worst = timed.size();
  Micros most = least_stall;
  for (std::size_t i = 0; i < timed.size(); ++i) {
    const auto share = overlap(sample, zero + timed[i].began, zero + timed[i].began + timed[i].took);
    if (share <= most) continue;
    most = share;
    worst = i;
  }
  if (worst >= into.size()) return;
  auto& stall = writes ? into[worst].worst_write_stall : into[worst].worst_read_stall;
  stall = std::max(stall, sample.lasted);
}

PassReport pass_report(std::string name, const Workload& workload, const std::vector<LoadSample>& samples,
                       SteadyTime zero) {
  PassReport pass;
  pass.name = std::move(name);
  pass.load_runs = workload.runs();
  pass.load_errors = workload.errors();
  pass.stalls = stalls_of(samples, workload.loads(), zero, stalls_shown);
  return pass;
}

/// Why a pass did not come to its end, and where.
void note_failure(PassReport& pass, const std::vector<StatementReport>& statements) {
  if (pass.passed || statements.empty() || !statements.back().failure) return;
  const auto& last = statements.back();
  pass.error = last.failure->message;
  pass.file = last.file;
  pass.line = last.line;
}

/// Locks of a statement that somebody on production could be waiting for.
std::vector<std::string> strongly_locked(const StatementReport& statement) {
  std::set<std::string> tables;
  for (const auto& lock : statement.locks)
    if (!lock.is_new && lock.blocks == Blocks::everybody) tables.insert(lock.object);
  return {tables.begin(), tables.end()};
}

/// The open reader of the third pass, and one who comes later.
class OpenReader {
 public:
  OpenReader(const std::string& url, base::Duration open_for, const Scope& scope)
      : url_(url), open_for_(open_for), scope_(scope) {}
  ~OpenReader() { finish(); }
  OpenReader(const OpenReader&) = delete;
  OpenReader& operator=(const OpenReader&) = delete;

  /// Opens a transaction that has read `table`; false when that is no table that can be read any more.
  bool open(const std::string& table) {
    finish();
    session_ = std::make_unique<pg::Session>(connect_clone(url_, "reader", scope_));
    try {
      session_->run("BEGIN", scope_);
      session_->run("SELECT FROM " + table + " LIMIT 1", scope_, pg::Rows::drop);
    } catch (const pg::StatementError&) {
      session_.reset();
      return false;
    }
    Load load{"read " + table, "SELECT FROM " + table + " LIMIT 1", "", base::Duration{5}};
    later_ = std::make_unique<Workload>(url_, std::vector<ReadyLoad>{{load, false, {}}}, scope_);
    over_ = std::make_unique<base::Cancel>();
    closer_ = std::thread([this, table] {
      try {
        const Scope queueing = scope_.at_most(queue_patience);
        while (!is_queued_for(table) &&
               base::wait_for(over_->fd(), POLLIN, queueing.at_most(look_again)) != base::Woke::ready)
          if (queueing.expired()) break;
        base::wait_for(over_->fd(), POLLIN, scope_.at_most(open_for_));
        session_->run("COMMIT", Scope::lasting(std::chrono::seconds(10)));
      } catch (const base::Error&) {
        session_.reset();  // its end closes the transaction all the same
      }
    });
    return true;
  }

  /// Lets a statement go that gave up: the reader is over.
  void close() {
    if (!closer_.joinable()) return;
    over_->request();
    closer_.join();
  }

  /// The longest that the later reader waited.
  Micros finish() {
    if (!later_) return Micros{0};
    close();
    Micros worst{0};
    for (const auto& sample : later_->finish()) worst = std::max(worst, sample.lasted);
    later_.reset();
    session_.reset();
    return worst;
  }

 private:
  /// The statement waits, and somebody behind it: only then it counts how long the reader stays.
  bool is_queued_for(const std::string& table) {
    const auto waiting = session_->run(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()) AND relation = " +
            pg::quoted_literal(table) + "::regclass",
        Scope::lasting(std::chrono::seconds(10)));
    return number_of(waiting.rows.at(0)[0]) >= 2;
  }

  std::string url_;
  base::Duration open_for_;
  Scope scope_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<Workload> later_;
  std::unique_ptr<base::Cancel> over_;
  std::thread closer_;
};

/// Runs steps of advice, or the statement itself where there is none.
class AdvisedRun {
 public:
  AdvisedRun(const Clone& clone, const Scope& scope)
      : url_(clone.url()),
        session_(clone.url(), {clone_session("rehearsal"), std::chrono::seconds(10), pg::usual_silence},
                 scope),
        scope_(scope) {}

  void plain(const StatementReport& statement) {
    if (statement.text == "COMMIT") return;
    session_.run(statement.text, scope_, pg::Rows::drop);
  }

  Advice::Verdict advised(const AdvicePlan& plan, Advice& advice) {
    advice_began_ = steady_clock::now();
    try {
      for (const auto& step : plan.steps) {
        if (step.backfill) {
          const auto result = run_backfill(url_, *step.backfill, {}, scope_, clone_session("backfill"));
          advice.detail =
              fmt::format("the backfill updated {} rows in {} batches, the longest {}", result.updated,
                          result.batches, base::elapsed_text(result.longest_batch));
          // An UPDATE's own WHERE may well hold afterwards; what was NULL may not.
          if (result.left > 0 && plan.code != "update-in-batches")
            throw base::Error(base::ErrorCode::failed, "rows that match are left over");
        } else {
          run_with_lock_retries(session_, step.sql, base::Duration{500}, 60, scope_);
        }
      }
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      advice.detail = error.what();
      advice.took = duration_cast<Micros>(steady_clock::now() - advice_began_);
      return Advice::Verdict::failed;
    }
    advice.took = duration_cast<Micros>(steady_clock::now() - advice_began_);
    return Advice::Verdict::passed;
  }

  SteadyTime advice_began() const { return advice_began_; }

 private:
  std::string url_;
  pg::Session session_;
  Scope scope_;
  SteadyTime advice_began_{};
};

struct Trial {
  Finding* finding;
  SteadyTime began, ended;
};

/// Findings keep no index of their statement: the file and line are it.
Finding* finding_of(RehearsalReport& report, const StatementReport& statement, const std::string& code) {
  for (auto& finding : report.findings)
    if (finding.instead && finding.instead->code == code && finding.file == statement.file &&
        finding.line == statement.line)
      return &finding;
  return nullptr;
}

}  // namespace

std::vector<ReadyLoad> ready_workload(const Clone& clone, const std::vector<Load>& loads,
                                      RehearsalReport& report, const Scope& scope) {
  auto session = connect_clone(clone.url(), "workload", scope);
  std::vector<std::string> remarks;
  auto out = ready_loads(session, loads, remarks, scope);
  for (auto& remark : remarks)
    if (std::find(report.remarks.begin(), report.remarks.end(), remark) == report.remarks.end())
      report.remarks.push_back(std::move(remark));
  return out;
}

/// The statement during which a sample waited longest is to blame for it.
void blame_all(const std::vector<LoadSample>& samples, const Workload& workload, SteadyTime zero,
               const std::vector<StatementReport>& timed, std::vector<StatementReport>& into) {
  for (const auto& sample : samples) blame(sample, workload.loads()[sample.load].writes, zero, timed, into);
}

std::vector<std::string> touched_tables(const std::vector<StatementReport>& statements) {
  std::set<std::string> tables;
  for (const auto& statement : statements) {
    for (const auto& lock : statement.locks)
      if (!lock.is_new && lock.blocks != Blocks::nobody) tables.insert(lock.object);
    for (const auto& touched : statement.touched)
      if (touched.inserted + touched.updated + touched.deleted > 0) tables.insert(touched.table);
  }
  return {tables.begin(), tables.end()};
}

void run_under_load(const RehearsalPlan& plan, const Clone& clone, const std::vector<Load>& loads,
                    RehearsalReport& report, const Scope& scope) {
  auto prepared = ready_workload(clone, loads, report, scope);
  if (prepared.empty()) {
    report.remarks.push_back(no_workload);
    return;
  }
  MigrationRun run(clone.url(), Measure::times, {}, scope);
  Workload workload(clone.url(), std::move(prepared), scope);
  base::sleep_for(settle_for, scope);
  const bool passed = run.run(plan.files);
  base::sleep_for(settle_for, scope);
  const auto samples = workload.finish();
  auto pass = pass_report("under load", workload, samples, run.zero());
  pass.passed = passed;
  for (const auto& statement : run.statements()) pass.took += statement.took;
  blame_all(samples, workload, run.zero(), run.statements(), report.statements);
  note_failure(pass, run.statements());
  report.passes.push_back(std::move(pass));
}

void run_with_open_transaction(const RehearsalPlan& plan, const Clone& clone, RehearsalReport& report,
                               const Scope& scope) {
  OpenReader reader(clone.url(), plan.settings.open_transaction, scope);
  std::set<std::string> held;  // the migration's own, until it commits: no reader could open there
  bool open = false, gave_up = false;
  MigrationHooks hooks;
  hooks.before = [&](std::size_t index, const StatementReport& statement) {
    open = gave_up = false;
    if (index >= report.statements.size() || statement.text == "COMMIT") return;
    for (const auto& table : strongly_locked(report.statements[index])) {
      if (open || held.contains(table)) continue;
      open = reader.open(table);
    }
  };
  hooks.again = [&](std::size_t, const pg::Refusal& refusal) {
    if (!open || gave_up || refusal.sqlstate != "55P03") return false;
    gave_up = true;
    reader.close();
    return true;
  };
  hooks.after = [&](std::size_t index, const StatementReport& statement) {
    if (index >= report.statements.size()) return;
    auto& into = report.statements[index];
    for (const auto& table : strongly_locked(into)) held.insert(table);
    const bool commits = statement.text == "COMMIT";
    if (commits) held.clear();
    if (!open) return;
    into.open_measured = true;
    into.open_wait = std::max(Micros{0}, statement.took - into.took);
    into.open_stall = std::max(into.open_stall, reader.finish());
  };
  MigrationRun run(clone.url(), Measure::times, hooks, scope);
  PassReport pass;
  pass.name = "open transaction";
  pass.passed = run.run(plan.files);
  reader.finish();
  note_failure(pass, run.statements());
  for (const auto& statement : run.statements()) pass.took += statement.took;
  report.passes.push_back(std::move(pass));
}

void try_advice(const Clone& clone, const std::vector<Load>& loads, const AdvicePlans& advice,
                RehearsalReport& report, const Scope& scope) {
  Workload workload(clone.url(), ready_workload(clone, loads, report, scope), scope);
  AdvisedRun run(clone, scope);
  std::vector<Trial> trials;
  const auto zero = steady_clock::now();
  base::sleep_for(settle_for, scope);
  for (std::size_t i = 0; i < report.statements.size(); ++i) {
    const auto& statement = report.statements[i];
    const auto plan_of = advice.find(i);
    if (plan_of == advice.end()) {
      try {
        run.plain(statement);
      } catch (const pg::StatementError& error) {
        report.remarks.push_back("what is advised was not tried to its end: " + std::string(error.what()));
        break;
      }
      continue;
    }
    Finding* finding = finding_of(report, statement, plan_of->second.code);
    if (finding == nullptr || plan_of->second.steps.empty()) continue;
    finding->instead->verdict = run.advised(plan_of->second, *finding->instead);
    trials.push_back({finding, run.advice_began(), steady_clock::now()});
    if (finding->instead->verdict == Advice::Verdict::failed) break;
    if (!plan_of->second.complete) break;  // what follows may need the rest
  }
  base::sleep_for(settle_for, scope);
  const auto samples = workload.finish();
  for (const auto& trial : trials)
    for (const auto& sample : samples)
      if (overlap(sample, trial.began, trial.ended) > Micros{0})
        trial.finding->instead->worst_stall = std::max(trial.finding->instead->worst_stall, sample.lasted);
  auto pass = pass_report("advice", workload, samples, zero);
  pass.took = duration_cast<Micros>(steady_clock::now() - zero);
  pass.passed = std::all_of(trials.begin(), trials.end(), [](const Trial& trial) {
    return trial.finding->instead->verdict == Advice::Verdict::passed;
  });
  report.passes.push_back(std::move(pass));
}

}  // namespace staithe::stage
