#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>

namespace staithe::report {
namespace {

using nlohmann::json;
using verify::CheckResult;

json json_of(const checks::Judged& judged) {
  using Outcome = checks::Judged::Outcome;
  json record{{"subject", judged.subject},
              {"wanted", judged.wanted},
              {"got", judged.got},
              {"outcome", judged.outcome == Outcome::held      ? "held"
                          : judged.outcome == Outcome::differs ? "differs"
                                                               : "unjudged"}};
  if (!judged.why.empty()) record["why"] = judged.why;
  if (judged.warns) record["warns"] = true;
  return record;
}

json json_of(const CheckResult& one, const std::string& run_id, const std::string& release) {
  json record{{"type", "check"},
              {"run_id", run_id},
              {"suite", one.suite},
              {"name", one.check->name},
              {"key", one.check->key},
              {"part", name_of(one.check->part)},
              {"severity", name_of(one.check->severity)},
              {"verdict", name_of(one.verdict)},
              {"file", one.check->position.file.text()},
              {"line", one.check->position.line},
              {"request", one.title},
              {"release", release},
              {"started", base::utc_text_ms(one.started)},
              {"duration_ms", one.duration.count()},
              {"attempts", one.attempts_made}};
  if (one.flaky) record["flaky"] = true;
  if (one.quarantined) record["quarantined"] = true;
  if (const auto ended = check_quarantine_ended(one); !ended.empty()) record["quarantine_ended"] = ended;
  if (!one.reason.empty()) record["reason"] = one.reason;
  if (!one.tolerated.empty()) record["tolerated"] = one.tolerated;
  if (one.samples > 1) record["samples"] = {{"asked", one.samples}, {"good", one.samples_good}};
  if (one.past.known) record["history"] = {{"runs", one.past.runs}, {"flips", one.past.flips}};
  auto judged = json::array();
  for (const auto& expectation : one.judged) judged.push_back(json_of(expectation));
  record["judged"] = judged;
  if (!one.attempts.empty()) record["note"] = one.attempts.back().note;
  if (!one.curl.empty()) record["curl"] = one.curl;
  return record;
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
  void check_finished(const verify::SuiteResult& /*suite*/, const CheckResult& one) noexcept override {
    if (options_.passed || one.verdict != verify::Verdict::pass) write(json_of(one, run_id_, release_));
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
  void write(const json& record) noexcept {
    output_.write(record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  }

  Output& output_;
  CheckJsonlOptions options_;
  std::string run_id_, release_;  // what is judged: stands in every result
};

}  // namespace

std::unique_ptr<verify::Listener> make_check_jsonl(Output& output, std::string version,
                                                   CheckJsonlOptions options) {
  return std::make_unique<CheckJsonl>(output, std::move(version), options);
}

}  // namespace staithe::report
