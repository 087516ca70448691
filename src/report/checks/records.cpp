#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>

namespace staithe::report {
namespace {

using nlohmann::json;
using verify::CheckResult;

const char* outcome_name(checks::Judged::Outcome outcome) {
  switch (outcome) {
    case checks::Judged::Outcome::held:
      return "held";
    case checks::Judged::Outcome::differs:
      return "differs";
    case checks::Judged::Outcome::unjudged:
      return "unjudged";
  }
  return "unjudged";
}

event::CheckRecord::History history_of(const CheckResult& one) {
  event::CheckRecord::History history{one.past.runs, one.past.flips, std::nullopt};
  if (one.verdict != verify::Verdict::fail || one.past.runs == 0) return history;
  const auto rate = checks::flake_rate(one.past.flips, one.past.runs);
  const auto repeats = checks::repeat_chance(one.past.failed_again, one.past.retried);
  history.noise = 1 - checks::chance_real(std::max(one.attempts_made, 1U), rate.upper90, repeats);
  return history;
}

json confidence_of(verify::Verdict verdict, const checks::Score& score) {
  return has_confidence(verdict) ? json(score.points) : json(nullptr);
}

class CheckJsonl final : public verify::Listener {
 public:
  CheckJsonl(Output& output, std::string version, CheckJsonlOptions options)
      : output_(output), options_(options) {
    if (!options.version) return;
    write({{"type", "version"}, {"tool", "staithe"}, {"version", std::move(version)}, {"schema", "1.0"}});
  }

  void run_started(const verify::RunResult& run, const checks::SuitePlan& plan) noexcept override {
    run_id_ = run.run_id;
    release_ = run.release;
    if (!options_.passed) return;
    write({{"type", "checks_started"},
           {"run_id", run.run_id},
           {"plan_id", checks::id_of(plan)},
           {"release", run.release},
           {"environment", run.environment},
           {"time", base::utc_text_ms(run.started)}});
  }
  void check_finished(const verify::SuiteResult& suite, const CheckResult& one) noexcept override {
    if (options_.passed || one.verdict != verify::Verdict::pass)
      write_check(check_record(suite, one, release_));
  }
  void suite_finished(const verify::SuiteResult& suite) noexcept override {
    if (!options_.passed && suite.verdict == verify::Verdict::pass) return;
    write({{"type", "suite"},
           {"run_id", run_id_},
           {"name", suite.suite->name},
           {"verdict", name_of(suite.verdict)},
           {"reason", suite.reason},
           {"duration_ms", suite.duration.count()},
           {"coverage", suite.confidence.coverage},
           {"confidence", confidence_of(suite.verdict, suite.confidence)}});
  }
  void run_finished(const verify::RunResult& run) noexcept override {
    if (!options_.passed) return;
    auto lost = json::array();
    if (has_confidence(run.verdict))
      for (const auto& one : run.confidence.lost)
        lost.push_back({{"points", one.points}, {"check", one.name}, {"cause", one.cause}});
    write({{"type", "checks_finished"},
           {"run_id", run.run_id},
           {"verdict", name_of(run.verdict)},
           {"interrupted", run.interrupted},
           {"inconclusive", run.inconclusive},
           {"duration_ms", run.duration.count()},
           {"coverage", run.confidence.coverage},
           {"confidence", confidence_of(run.verdict, run.confidence)},
           {"lost", lost},
           {"history_trouble", run.history_trouble}});
  }

 private:
  void write_check(const event::CheckRecord& check) noexcept {
    auto text = json{{"type", "check"}, {"run_id", run_id_}}.dump();
    text.back() = ',';
    output_.write(text.append(event::to_json(check), 1) + "\n");
  }
  void write(const json& record) noexcept {
    output_.write(record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  }

  Output& output_;
  CheckJsonlOptions options_;
  std::string run_id_, release_;  // what is judged: stands in every result
};

}  // namespace

event::CheckRecord check_record(const verify::SuiteResult& suite, const CheckResult& one,
                                const std::string& release) {
  const auto& check = *one.check;
  event::CheckRecord record;
  record.suite = one.suite;
  record.name = check.name;
  record.key = check.key;
  record.part = name_of(check.part);
  record.severity = name_of(check.severity);
  if (suite.suite != nullptr && one.verdict != verify::Verdict::pass &&
      one.verdict != verify::Verdict::skipped) {
    record.owner = suite.suite->owner;
    record.runbook = suite.suite->runbook;
  }
  record.verdict = name_of(one.verdict);
  record.file = check.position.file.text();
  record.line = static_cast<std::uint64_t>(check.position.line);
  record.request = one.title;
  record.release = release;
  record.started = base::utc_text_ms(one.started);
  record.duration = std::max(one.duration, base::Duration::zero());
  record.attempts = one.attempts_made;
  record.flaky = one.flaky;
  record.quarantined = one.quarantined;
  record.quarantine = one.quarantine;
  record.quarantine_ended = check_quarantine_ended(one);
  record.reason = one.reason;
  record.tolerated = one.tolerated;
  record.samples = one.samples;
  record.samples_good = one.samples_good;
  if (one.past.known) record.history = history_of(one);
  for (const auto& judged : one.judged)
    record.judged.push_back(
        {judged.subject, judged.wanted, judged.got, outcome_name(judged.outcome), judged.why, judged.warns});
  if (one.attempts_made > 1)
    for (const auto& attempt : one.attempts)
      record.tries.push_back(
          {base::utc_text_ms(attempt.started), attempt.note, attempt.reason, !attempt.judged.empty()});
  if (!one.attempts.empty()) record.note = one.attempts.back().note;
  record.again = check_again(suite, one);
  record.curl = one.curl;
  return record;
}

std::unique_ptr<verify::Listener> make_check_jsonl(Output& output, std::string version,
                                                   CheckJsonlOptions options) {
  return std::make_unique<CheckJsonl>(output, std::move(version), options);
}

}  // namespace staithe::report
