#include "judge.hpp"

#include "copy_findings.hpp"
#include "estimate.hpp"
#include "passes.hpp"
#include "version_words.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace staithe::stage {
namespace {

constexpr Micros noticeable{50'000};
constexpr std::uint64_t many_rows = 10'000;
constexpr Micros long_update{1'000'000};

class Judge {
 public:
  Judge(const RehearsalPlan& plan, const std::vector<Expectation>& expected, RehearsalReport& report)
      : plan_(plan), expected_(expected), report_(report) {}

  AdvicePlans run() {
    add_estimates(report_);
    for (std::size_t f = 0; f < plan_.files.size(); ++f)
      for (std::size_t s = 0; s < plan_.files[f].statements.size(); ++s) {
        const std::size_t index = report_index(plan_.files, f, s);
        if (index < report_.statements.size()) statement(index, parsed(plan_.files[f].statements[s]));
      }
    for (const auto& file : plan_.files) expected_time(file);
    report_.disagreements = disagreements(plan_.files, expected_, report_.statements);
    totals();
    replicas();
    nulls_there();
    passes();
    add_copy_findings(plan_, report_);
    add_version_findings(report_);
    plans_and_checks();
    invalid_indexes();
    production_now();
    down();
    return std::move(advice_);
  }

 private:
  Micros budget() const { return std::chrono::duration_cast<Micros>(plan_.settings.budgets.blocking); }

  Finding& add(Severity severity, std::string code, const StatementReport* where, std::string object,
               std::string text) {
    Finding finding;
    finding.severity = severity;
    finding.code = std::move(code);
    if (where != nullptr) {
      finding.file = where->file;
      finding.line = where->line;
    }
    finding.object = std::move(object);
    finding.text = std::move(text);
    finding.gate = severity == Severity::error;
    report_.findings.push_back(std::move(finding));
    return report_.findings.back();
  }

  void statement(std::size_t index, const SqlStatement& sql) {
    const auto& one = report_.statements[index];
    const std::size_t first = report_.findings.size();
    if (one.failure) failed(index, one);
    locks(one);
    stalls(one);
    rewrites(one);
    big_update(one);
    expectations(one);
    attach(index, first, sql);
  }

  void failed(std::size_t index, const StatementReport& one) {
    const auto& failure = *one.failure;
    if (!failure.violation) {
      add(Severity::error, "fails", &one, "",
          failure.message + (failure.detail.empty() ? "" : ": " + failure.detail))
          .advice = failure.hint;
      return;
    }
    const auto& violation = *failure.violation;
    std::string kind = violation.kind;
    std::replace(kind.begin(), kind.end(), ' ', '-');
    std::string text =
        fmt::format("{}: {} of {} rows violate it", failure.message, violation.violating, violation.total);
    if (!violation.sample_keys.empty())
      text +=
          fmt::format(", {} from {} to {}", violation.key_columns, violation.first_key, violation.last_key);
    if (!violation.newest_violating.empty())
      text += violation.newest_violating == violation.newest_row
                  ? fmt::format("; the newest row ({} {}) is one of them: the application still writes them",
                                violation.time_column, violation.newest_row)
                  : fmt::format("; the newest of them is of {}, the newest row of {}",
                                violation.newest_violating, violation.newest_row);
    text += also_there(index, violation.violating);
    auto& finding = add(Severity::error, "fails-" + kind, &one, violation.table, std::move(text));
    if (!violation.backfill_set.empty())
      finding.advice = fmt::format("the backfill that is missing: SET {} WHERE {} ({}; judge it yourself)",
                                   violation.backfill_set, violation.backfill_where, violation.backfill_why);
  }

  /// The locks are sorted, those that keep out most first; one finding for each statement says enough.
  void locks(const StatementReport& one) {
    for (const auto& lock : one.locks)
      if (keeps_out(lock) && lock.held > budget())
        return blocks(Severity::error, one, lock, "is held for " + micros_text(lock.held), "that long");
    bool is_doubtful = false;
    for (const auto& lock : one.locks) {
      const auto there = stretched(lock.held, lock.in_production);
      if (!keeps_out(lock) || there.high <= budget()) continue;
      // Only the far end of the range is over it: nobody can say.
      const bool is_over = there.middle > budget();
      if (!is_over && std::exchange(is_doubtful, true)) continue;
      blocks(is_over ? Severity::error : Severity::warning, one, lock,
             fmt::format("is held for {} here, in production {} for {}", micros_text(lock.held),
                         is_over ? "it would be" : "it may be", estimate_text(there)),
             "that long there");
      if (is_over) return;
    }
  }

  static bool keeps_out(const LockSpan& lock) {
    return !lock.is_new && static_cast<int>(lock.blocks) >= static_cast<int>(Blocks::writers);
  }

  /// For what is known to take longer there; else zeros.
  static Estimate stretched(Micros here, Micros there) {
    if (here.count() == 0 || there <= here) return {};
    return in_production(here, static_cast<double>(there.count()) / static_cast<double>(here.count()));
  }

  void blocks(Severity severity, const StatementReport& one, const LockSpan& lock, const std::string& held,
              const char* how_long) {
    std::string text = fmt::format("{} on {} {}: {} wait {} (allowed: {})", lock.mode, lock.object, held,
                                   name_of(lock.blocks), how_long, micros_text(budget()));
    add(severity, lock.blocks == Blocks::everybody ? "blocks-readers" : "blocks-writers", &one, lock.object,
        std::move(text));
  }

  void stalls(const StatementReport& one) {
    const Micros worst = std::max(one.worst_read_stall, one.worst_write_stall);
    const auto there = in_production(worst, one.times_rows);
    const char* whom = one.worst_read_stall >= one.worst_write_stall ? "reader" : "writer";
    if (worst > budget())
      add(Severity::error, "stall", &one, "",
          fmt::format("under load a {} waited {} (allowed: {})", whom, micros_text(worst),
                      micros_text(budget())));
    else if (one.times_rows > 1 && there.middle > budget())
      add(Severity::error, "stall", &one, "",
          fmt::format("under load a {} waited {} here, in production it would wait {} (allowed: {})", whom,
                      micros_text(worst), estimate_text(there), micros_text(budget())));
    if (one.open_measured && one.open_stall > budget())
      add(Severity::warning, "lock-queue", &one, "",
          fmt::format(
              "with one reader's transaction open, it waited {} for its lock and everybody else waited {} "
              "behind it",
              micros_text(one.open_wait), micros_text(one.open_stall)))
          .advice = "a short lock_timeout with retries: '-- staithe: lock-timeout 200ms'";
  }

  void rewrites(const StatementReport& one) {
    const auto& limit = plan_.settings.budgets.rewrite_rows;
    for (const auto& deed : one.deeds) {
      if (deed.kind != Deed::Kind::rewrite) continue;
      const auto there = rows_there(deed.object);
      const bool over = limit && (deed.rows > *limit || there > static_cast<double>(*limit));
      const auto rows = there > static_cast<double>(deed.rows)
                            ? fmt::format("{} rows here, about {:.0f} in production", deed.rows, there)
                            : fmt::format("{} rows", deed.rows);
      add(over ? Severity::error : Severity::warning, "rewrite", &one, deed.object,
          fmt::format("{} ({}) is rewritten, with all its indexes{}", deed.object, rows,
                      over ? fmt::format(" (allowed: tables of {} rows)", *limit) : std::string()));
    }
  }

  void big_update(const StatementReport& one) {
    for (const auto& touched : one.touched) {
      const std::uint64_t changed = touched.updated + touched.deleted;
      if (changed < many_rows || one.took < long_update) continue;
      add(Severity::warning, "one-big-statement", &one, touched.table,
          fmt::format("{} rows of {} in one statement: each stays locked for up to {}", changed,
                      touched.table, micros_text(one.took)))
          .advice = fmt::format("in batches, each its own transaction; {}% of the updates were HOT",
                                touched.updated > 0 ? touched.hot * 100 / touched.updated : 0);
      return;
    }
  }

  /// What was only expected is worth a note: this copy may be smaller than production.
  void expectations(const StatementReport& one) {
    for (const auto& expectation : expected_) {
      if (report_of(plan_.files, expectation.file, expectation.statement, report_.statements) != &one)
        continue;
      const bool seen = blocked_during(report_.statements, one, expectation.blocks);
      const bool about_names = expectation.code == "old-code-breaks";
      if (!about_names && expectation.blocks != Blocks::nobody && !seen && !one.failure) continue;
      if (expectation.blocks == Blocks::nobody) continue;
      add(about_names ? Severity::warning : Severity::note, expectation.code, &one, expectation.table,
          expectation.text);
    }
  }

  /// One way out for a statement, with its weightiest finding.
  void attach(std::size_t index, std::size_t first, const SqlStatement& sql) {
    if (report_.findings.size() == first || sql.tokens.empty()) return;
    auto plan = advise(sql, report_.statements[index]);
    if (!plan) return;
    auto& finding = *std::min_element(report_.findings.begin() + static_cast<std::ptrdiff_t>(first),
                                      report_.findings.end(), [](const Finding& a, const Finding& b) {
                                        return static_cast<int>(a.severity) < static_cast<int>(b.severity);
                                      });
    if (!finding.advice.empty()) finding.advice += "; ";
    finding.advice += plan->text;
    Advice advice;
    advice.code = plan->code;
    for (const auto& step : plan->steps) {
      if (!step.backfill) {
        advice.sql.push_back(step.sql + ";");
        continue;
      }
      advice.sql.push_back("-- " + step.sql);
      for (const auto& line : statements_of(*step.backfill)) advice.sql.push_back(line + ";");
    }
    if (!plan->complete)
      advice.detail = "the rest needs a person's decision, so that only this part can be tried";
    finding.instead = std::move(advice);
    advice_.emplace(index, std::move(*plan));
  }

  void expected_time(const MigrationFile& file) {
    if (!file.expected) return;
    Micros took{0}, there{0};
    for (const auto& one : report_.statements) {
      if (one.file != file.path) continue;
      took += one.took;
      there += in_production(one.took, one.times_rows).middle;
    }
    const auto expected = base::to_text(*file.expected);
    if (took > *file.expected)
      add(Severity::error, "longer-than-expected", nullptr, file.path,
          fmt::format("{} took {}, its header expects {}", file.path, micros_text(took), expected));
    else if (there > *file.expected)
      add(Severity::error, "longer-than-expected", nullptr, file.path,
          fmt::format("{} took {} here, in production about {}, its header expects {}", file.path,
                      micros_text(took), micros_text(there), expected));
  }

  /// Rows of a table there, as production or the settings have it; 0 when nobody said.
  double rows_there(const std::string& table) const {
    const auto found = report_.production_rows.find(table);
    return found == report_.production_rows.end() ? 0 : found->second;
  }

  void totals() {
    const auto& budgets = plan_.settings.budgets;
    const auto there = total_in_production(report_);
    if (budgets.total && report_.total > *budgets.total)
      add(Severity::error, "total-time", nullptr, "",
          fmt::format("all takes {} (allowed: {})", micros_text(report_.total),
                      base::to_text(*budgets.total)));
    else if (budgets.total && there > *budgets.total)
      add(Severity::error, "total-time", nullptr, "",
          fmt::format("all takes {} here, in production about {} (allowed: {})", micros_text(report_.total),
                      micros_text(there), base::to_text(*budgets.total)));
    const auto wal_there = std::max(wal_in_production(report_), report_.wal_bytes);
    if (budgets.wal_bytes && wal_there > *budgets.wal_bytes)
      add(Severity::error, "wal", nullptr, "",
          fmt::format("{} of WAL are written{} (allowed: {})", base::bytes_text(report_.wal_bytes),
                      wal_there > report_.wal_bytes
                          ? " here, in production about " + base::bytes_text(wal_there)
                          : std::string(),
                      base::bytes_text(*budgets.wal_bytes)));
  }

  /// Standbys get all at once what production otherwise writes in a long time.
  void replicas() {
    constexpr double worth_saying = 10;
    constexpr std::uint64_t little = 16UL << 20;
    const auto bytes = std::max(wal_in_production(report_), report_.wal_bytes);
    if (report_.standbys == 0 || bytes < little) return;
    constexpr const char* advice =
        "in batches that wait for the standbys, as staithe backfill does; or when nobody reads from them";
    const std::string theirs = fmt::format("its {} at once", base::count_text(report_.standbys, "standby"));
    if (report_.production_wal_rate <= 0) {
      add(Severity::note, "replica-lag", nullptr, "",
          fmt::format("{} of WAL reach {}: how much production writes otherwise is not known (PostgreSQL "
                      "counts it from 14 on)",
                      base::bytes_text(bytes), theirs))
          .advice = advice;
      return;
    }
    const double seconds = static_cast<double>(bytes) / report_.production_wal_rate;
    if (seconds < worth_saying) return;
    add(Severity::warning, "replica-lag", nullptr, "",
        fmt::format("{} of WAL, which production writes in {} on average, reach {}: they may fall behind",
                    base::bytes_text(bytes), micros_text(Micros{static_cast<Micros::rep>(seconds * 1e6)}),
                    theirs))
        .advice = advice;
  }

  /// Where it failed, the failure says so; where the migration fills the column itself, they are gone by
  /// then.
  void nulls_there() {
    for (const auto& nulls : report_.nulls_there) {
      const auto& one = report_.statements[nulls.statement];
      const auto end = report_.statements.begin() + static_cast<std::ptrdiff_t>(nulls.statement);
      const bool is_filled =
          std::any_of(report_.statements.begin(), end, [&](const StatementReport& earlier) {
            return fills(parsed({earlier.text, 1, 1, true}), nulls.table, nulls.column);
          });
      if (one.failure || is_filled) continue;
      add(Severity::warning, "nulls-in-production", &one, nulls.table,
          fmt::format("the snapshot has no NULL in {}.{}; production's statistics say that about {} of its "
                      "{} rows have",
                      nulls.table, nulls.column, nulls.nulls, nulls.rows))
          .advice = "a new snapshot; where they were filled since, ANALYZE there";
    }
  }

  /// Only where it is another number than was counted here, by more than what a sample is wrong.
  std::string also_there(std::size_t statement, std::uint64_t counted) const {
    const auto here = static_cast<double>(counted);
    for (const auto& nulls : report_.nulls_there) {
      const auto there = static_cast<double>(nulls.nulls);
      if (nulls.statement != statement || (there > here * 0.75 && there < here * 1.25)) continue;
      return fmt::format("; in production, by its statistics, about {} of {}", nulls.nulls, nulls.rows);
    }
    return {};
  }

  /// What fails only when somebody else is there fails in production too; what was not seen is not safe.
  void passes() {
    for (const auto& pass : report_.passes) {
      const bool is_load = pass.name == "under load";
      if (pass.passed || (!is_load && pass.name != "open transaction")) continue;
      auto& finding =
          add(Severity::error, is_load ? "fails-under-load" : "fails-with-open-transaction", nullptr, "",
              fmt::format("{}, it failed{}",
                          is_load ? "with the workload beside it" : "with a reader's transaction open",
                          pass.error.empty() ? "" : ": " + pass.error));
      finding.file = pass.file;
      finding.line = pass.line;
    }
    for (const auto& why : report_.not_observed)
      add(Severity::error, "not-observed", nullptr, "", "locks were seen only in part: " + why).advice =
          "rehearse it again: locks that nobody saw may keep others out";
  }

  void plans_and_checks() {
    for (const auto& change : report_.plans) {
      if (change.kind == PlanChange::Kind::broken)
        add(Severity::error, "breaks-statement", nullptr, "",
            fmt::format("a statement that the release before sends no longer works ({} calls): {}: {}",
                        change.calls, change.error, change.query));
      if (change.kind == PlanChange::Kind::worse)
        add(Severity::warning, "plan-worse", nullptr, "",
            fmt::format("{:.3g} times the cost ({} calls), {} instead of {}: {}",
                        change.cost_after / std::max(change.cost_before, 1e-9), change.calls,
                        change.shape_after, change.shape_before, change.query));
    }
    for (const auto& check : report_.checks)
      if (!check.passed)
        add(Severity::error, "check-fails", nullptr, check.name, check.name + ": " + check.detail);
    for (const auto& pass : report_.passes)
      if (pass.name == "under load" && pass.load_errors > 0)
        for (const auto& stall : pass.stalls)
          if (!stall.error.empty()) {
            add(Severity::warning, "workload-errors", nullptr, "",
                fmt::format("{} of {} statements of the workload failed, '{}' with: {}", pass.load_errors,
                            pass.load_runs, stall.load, stall.error));
            break;
          }
  }

  void production_now() {
    for (const auto& what : report_.in_the_way)
      add(Severity::warning, "production-busy", nullptr, "", "in production, just now: " + what).advice =
          "look again before it is migrated";
  }

  void invalid_indexes() {
    for (const auto& name : report_.left_invalid)
      add(Severity::error, "invalid-index", nullptr, name,
          "the index " + name + " is left behind invalid: it costs writers and serves nobody")
          .advice = "DROP INDEX CONCURRENTLY " + name + ", then build it again";
  }

  void down() {
    if (!report_.down || report_.down->passed) return;
    const auto& down = *report_.down;
    std::string text = down.error.empty() ? "the down scripts do not bring back what was: "
                                          : "the down scripts fail: " + down.error;
    std::vector<std::string> differences = down.schema_difference;
    for (const auto& table : down.data_difference) differences.push_back("rows of " + table);
    add(down.error.empty() ? Severity::warning : Severity::error, "down", nullptr, "",
        text + base::join(differences, ", "));
  }

  const RehearsalPlan& plan_;
  const std::vector<Expectation>& expected_;
  RehearsalReport& report_;
  AdvicePlans advice_;
};

}  // namespace

AdvicePlans judge(const RehearsalPlan& plan, const std::vector<Expectation>& expected,
                  RehearsalReport& report) {
  return Judge(plan, expected, report).run();
}

void conclude(RehearsalReport& report) {
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return static_cast<int>(a.severity) < static_cast<int>(b.severity);
  });
  report.passed =
      std::none_of(report.findings.begin(), report.findings.end(), [](const Finding& f) { return f.gate; });
  const auto failed = std::find_if(report.statements.begin(), report.statements.end(),
                                   [](const StatementReport& one) { return one.failure.has_value(); });
  if (failed != report.statements.end()) {
    report.verdict = fmt::format("would fail at {}:{}", failed->file, failed->line);
    return;
  }
  for (const auto& pass : report.passes)
    if (!pass.passed && (pass.name == "under load" || pass.name == "open transaction")) {
      report.verdict =
          pass.name == "under load" ? "would fail under load" : "would fail with a transaction open";
      if (!pass.file.empty()) report.verdict += fmt::format(" at {}:{}", pass.file, pass.line);
      return;
    }
  // Readers kept out weigh more than writers kept out for longer.
  Micros blocked{0}, longest{0}, there{0};
  Blocks whom = Blocks::nobody;
  for (const auto& one : report.statements)
    for (const auto& lock : one.locks) {
      if (lock.is_new || static_cast<int>(lock.blocks) < static_cast<int>(Blocks::writers)) continue;
      longest = std::max(longest, lock.held);
      there = std::max(there, lock.in_production);
      if (lock.held <= noticeable) continue;
      if (std::tie(lock.blocks, lock.held) <= std::tie(whom, blocked)) continue;
      whom = lock.blocks;
      blocked = lock.held;
    }
  const auto here = std::max(longest, Micros{1'000});
  if (blocked > noticeable)
    report.verdict = fmt::format("would block {} for {}", name_of(whom), micros_text(blocked));
  else
    report.verdict = "safe: nobody is kept out for more than " + micros_text(here);
  if (there > std::max(here, noticeable))
    report.verdict += fmt::format(" here, in production for about {}", micros_text(there));
  if (!report.passed && blocked <= noticeable)
    report.verdict = "refused by a check: " + report.findings.front().text;
}

}  // namespace staithe::stage
