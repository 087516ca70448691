#include "staithe/stage/rehearse.hpp"

#include "after.hpp"
#include "command_pass.hpp"
#include "emitter.hpp"
#include "judge.hpp"
#include "left_clones.hpp"
#include "lint.hpp"
#include "passes.hpp"
#include "replay.hpp"
#include "violations.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/pg/programs.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace staithe::stage {
namespace {

using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

class Rehearsal {
 public:
  Rehearsal(const RehearsalPlan& plan, const RehearsalRun& run, event::EventSink& sink, const Scope& scope)
      : plan_(plan), run_(run), emit_(sink, run.run_id), scope_(scope), expected_(lint(plan.files)) {}

  RehearsalEnd run(const std::atomic<int>& interrupted_exit_code) {
    const auto began = steady_clock::now();
    begin();
    RehearsalEnd end;
    try {
      passes();
      conclude(report_);
      tell_findings();
      end.finished.exit_code = report_.passed ? event::exit_done : event::exit_failed;
      end.finished.verdict = report_.passed ? "done" : "failed";
      if (!report_.passed) end.finished.failure = report_.verdict;
      end.report.emplace();
    } catch (const std::exception& error) {
      // Also what no error of ours is: whoever hears the run has to hear how it ended.
      note_error(error, interrupted_exit_code.load(), end.finished);
    }
    note_left_clones(report_.clones_left, run_.drop_command, end.finished);
    report_.took = end.finished.duration = duration_cast<base::Duration>(steady_clock::now() - began);
    emit_(end.finished);
    if (end.report) end.report = std::move(report_);
    return end;
  }

 private:
  void begin() {
    report_.plan_id = id_of(plan_);
    report_.run_id = run_.run_id;
    report_.migration_hash = migration_hash(plan_);
    report_.revision = run_.revision;
    report_.is_altered = run_.is_altered;
    report_.has_unknown = run_.has_unknown;
    report_.snapshot = plan_.snapshot;
    report_.snapshot_taken_at = plan_.snapshot_taken_at;
    report_.snapshot_origin = plan_.snapshot_origin;
    report_.snapshot_lsn = plan_.snapshot_lsn;
    report_.production_version = plan_.snapshot_version;
    report_.masked = plan_.masked;
    report_.partial = plan_.partial;
    report_.started = base::utc_text(std::chrono::system_clock::now());
    event::RunStarted started;
    started.run_id = run_.run_id;
    started.plan_id = report_.plan_id;
    started.kind = "rehearse";
    started.title = "rehearse on " + plan_.snapshot;
    started.environment = plan_.environment;
    emit_(started);
  }

  /// It could not be made to its end.
  void note_error(const std::exception& thrown, int interrupted, event::RunFinished& finished) const {
    const auto* error = dynamic_cast<const base::Error*>(&thrown);
    const bool stopped = error != nullptr && error->code() == base::ErrorCode::cancelled;
    finished.exit_code = stopped ? interrupted : event::exit_refused;
    finished.verdict = stopped ? "interrupted" : "refused";
    finished.failed_action = step_;
    finished.failure = thrown.what();
    if (!stopped && !run_.again.empty())
      finished.next.push_back(run_.again + "    again, once that is fixed");
  }

  /// Reasons to fail are actions of their own, so that every reporter shows them as failed.
  void tell_findings() {
    for (const auto& finding : report_.findings) {
      if (!finding.gate) {
        if (finding.severity == Severity::warning)
          emit_(event::Message{event::Level::warning, "", finding.text});
        continue;
      }
      event::ActionStarted started;
      started.step = "finding";
      started.title =
          finding.code + (finding.file.empty() ? "" : fmt::format(" {}:{}", finding.file, finding.line));
      started.action_id = started.kind =
          finding.code +
          fmt::format(" {}:{}", finding.file.substr(finding.file.rfind('/') + 1), finding.line);
      started.index = ++actions_;
      started.timeout = scope_.left();
      emit_(started);
      event::ActionFinished ended;
      ended.action_id = ended.kind = started.kind;
      ended.step = "finding";
      ended.title = started.title;
      ended.outcome = event::Outcome::failed;
      ended.detail = finding.text;
      ended.index = actions_;
      emit_(ended);
    }
  }

  /// One line for the person, begun and ended.
  template <class Work>
  void step(const std::string& kind, const std::string& title, Work work) {
    step_ = kind;
    event::ActionStarted started;
    started.action_id = kind;
    started.kind = started.step = kind;
    started.title = title;
    started.index = ++actions_;
    started.timeout = scope_.left();
    emit_(started);
    const auto began = steady_clock::now();
    event::ActionFinished ended;
    ended.action_id = ended.kind = ended.step = kind;
    ended.title = title;
    const auto close = [&](event::Outcome outcome) {
      ended.outcome = outcome;
      ended.duration = duration_cast<base::Duration>(steady_clock::now() - began);
      ended.index = actions_;
      emit_(ended);
    };
    try {
      ended.detail = work();
    } catch (const std::exception& thrown) {
      const auto* error = dynamic_cast<const base::Error*>(&thrown);
      const bool stopped = error != nullptr && error->code() == base::ErrorCode::cancelled;
      ended.detail = thrown.what();
      close(stopped ? event::Outcome::cancelled : event::Outcome::failed);
      throw;
    }
    close(event::Outcome::ok);
  }

  Clone clone(const std::string& why) {
    const auto name = clone_name(rehearsal_clones, run_.run_id, ++clones_);
    std::optional<Clone> made;
    step("clone", "clone " + plan_.snapshot + " " + why, [&] {
      made.emplace(run_.cluster_url, plan_.snapshot, name, run_.run_id, report_.clones_left, scope_);
      return name + " in " + micros_text(made->took());
    });
    return std::move(*made);
  }

  void passes() {
    const CloneClaim claim(run_.cluster_url, run_.run_id, scope_);
    {
      auto cluster = connect_cluster(run_.cluster_url, {}, scope_);
      allow_writes(cluster, scope_);
      drop_stale_clones(cluster, scope_);
    }
    measure();
    const bool failed = std::any_of(report_.statements.begin(), report_.statements.end(),
                                    [](const auto& statement) { return statement.failure.has_value(); });
    if (!failed && plan_.passes.load) under_load();
    if (!failed && plan_.passes.open_transaction && !plan_.files.empty()) open_transaction();
    RehearsalPlan judged = plan_;
    if (plan_.files.empty()) {
      judged.files = {as_file(report_.statements)};
      expected_ = lint(judged.files);
    }
    const auto advice = judge(judged, expected_, report_);
    if (plan_.passes.advice && !advice.empty() && worth_trying()) {
      const auto copy = clone("for what is advised");
      choose_loads(copy);
      step("advice", "try what is advised instead", [&] {
        try_advice(copy, loads_, advice, report_, scope_);
        return std::string();
      });
    }
  }

  bool worth_trying() const {
    return std::any_of(report_.findings.begin(), report_.findings.end(), [](const Finding& finding) {
      return finding.instead && finding.severity != Severity::note;
    });
  }

  void measure() {
    auto copy = clone("to measure");
    if (plan_.keep_clone) copy.keep(scope_);
    report_.clone_took = copy.took();
    if (plan_.files.empty() || !plan_.settings.checks.empty()) say_what_has_no_variable();
    After after(plan_, run_, copy, report_, scope_);
    step("before", "look at the snapshot", [&] {
      after.before();
      return std::string();
    });
    if (plan_.files.empty())
      step("command", plan_.command, [&] {
        measure_command(plan_, run_, copy, report_, scope_);
        return std::string();
      });
    else
      measure_files(copy);
    for (const auto& statement : report_.statements) {
      report_.total += statement.took;
      report_.wal_bytes += statement.wal_bytes;
      report_.temp_bytes += statement.temp_bytes;
    }
    const auto tables = touched_tables(report_.statements);
    step("after", "look at what became of it", [&] {
      after.after(tables);
      return std::string();
    });
    tables_ = tables;
    of_production_ = after.statements_of_production();
  }

  /// DATABASE_URL has it; a program that goes by PGHOST and the like does without.
  void say_what_has_no_variable() {
    for (const auto& keyword : pg::keywords_without_variable(run_.cluster_url))
      report_.remarks.push_back("no variable of libpq says what the URL of the cluster says with '" +
                                keyword + "': programs have it in DATABASE_URL alone");
  }

  void measure_files(const Clone& copy) {
    step_ = "measure";
    MigrationHooks hooks;
    hooks.before = [this](std::size_t index, const StatementReport& statement) {
      event::ActionStarted started;
      started.action_id = started.kind = id_of_statement(index, statement);
      started.step = "statement";
      started.title = title_of(statement);
      started.index = ++actions_;
      started.timeout = scope_.left();
      emit_(started);
    };
    hooks.after = [this](std::size_t index, const StatementReport& statement) {
      event::ActionFinished ended;
      ended.action_id = ended.kind = id_of_statement(index, statement);
      ended.step = "statement";
      ended.title = title_of(statement);
      ended.outcome = statement.failure ? event::Outcome::failed : event::Outcome::ok;
      if (statement.failure) ended.detail = statement.failure->message;
      ended.duration = duration_cast<base::Duration>(statement.took);
      ended.index = actions_;
      emit_(ended);
    };
    hooks.diagnose = [this](pg::Session& session, StatementReport& statement, const pg::Refusal& refusal) {
      diag::Diagnostics ignored;
      const auto parsed_sql = split_sql(statement.text, "", ignored);
      if (parsed_sql.statements.empty()) return;
      std::string why_not;
      statement.failure->violation =
          find_violation(session, parsed_sql.statements.front(), refusal, why_not, scope_);
      if (!why_not.empty())
        report_.remarks.push_back("the violating rows could not be asked for: " + why_not);
    };
    MigrationRun run(copy.url(), Measure::everything, hooks, scope_);
    report_.server_version = version_text(run.session());
    report_.clone_bytes = run.first_state().size_bytes;
    PassReport pass;
    pass.name = "measure";
    pass.passed = run.run(plan_.files);
    run.finish();
    if (!run.problem().empty()) report_.not_observed.push_back(run.problem());
    report_.statements = std::move(run.statements());
    for (const auto& statement : report_.statements) pass.took += statement.took;
    report_.passes.push_back(std::move(pass));
  }

  std::string version_text(pg::Session& session) const {
    return session.run("SHOW server_version", scope_).rows.at(0)[0].value_or("");
  }

  /// Without a '/': reporters take what stands behind the last one for the name.
  static std::string id_of_statement(std::size_t index, const StatementReport& statement) {
    return fmt::format("{}:{} #{}", statement.file.substr(statement.file.rfind('/') + 1), statement.line,
                       index + 1);
  }

  static std::string title_of(const StatementReport& statement) {
    std::string line = statement.text.substr(0, statement.text.find('\n'));
    if (line.size() < statement.text.size()) line += " …";
    return fmt::format("{}:{} {}", statement.file, statement.line, line);
  }

  /// On a clone that the migration has not altered: what it makes is not there for today's readers.
  void choose_loads(const Clone& copy) {
    if (!loads_.empty()) return;
    loads_ = plan_.settings.workload;
    if (!loads_.empty()) return;
    auto session = connect_clone(copy.url(), "workload", scope_);
    loads_ = automatic_loads(session, tables_, scope_);
    const auto patience = std::min(base::Duration{100}, plan_.settings.budgets.blocking / 2);
    auto replayed = replayed_loads(session, of_production_, tables_, plan_.settings.replay, patience,
                                   report_.remarks, scope_);
    loads_.insert(loads_.end(), replayed.begin(), replayed.end());
  }

  void under_load() {
    const auto copy = clone("for the load");
    choose_loads(copy);
    step("load", "again under load", [&] {
      if (plan_.files.empty())
        run_command_under_load(plan_, run_, copy, loads_, report_, scope_);
      else
        run_under_load(plan_, copy, loads_, report_, scope_);
      return std::string();
    });
  }

  void open_transaction() {
    const auto copy = clone("for an open transaction");
    step("open", "again with a reader's transaction open", [&] {
      run_with_open_transaction(plan_, copy, report_, scope_);
      return std::string();
    });
  }

  const RehearsalPlan& plan_;
  const RehearsalRun& run_;
  Emitter emit_;
  Scope scope_;
  std::vector<Expectation> expected_;
  RehearsalReport report_;
  std::vector<Load> loads_;
  std::vector<std::string> tables_;  ///< that the migration touched
  std::vector<Query> of_production_;
  int clones_ = 0;
  std::uint64_t actions_ = 0;
  std::string step_ = "begin";  ///< that is under way
};

}  // namespace

RehearsalEnd run_rehearsal(const RehearsalPlan& plan, const RehearsalRun& run, event::EventSink& sink,
                           const Scope& scope, const std::atomic<int>& interrupted_exit_code) {
  return Rehearsal(plan, run, sink, scope).run(interrupted_exit_code);
}

}  // namespace staithe::stage
