#include "past.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

namespace staithe::verify {
namespace {

constexpr std::size_t most_points = 40;

std::vector<CheckResult::Point> points_of(const std::vector<store::CheckRecord>& records) {
  std::vector<CheckResult::Point> points;
  for (const auto& record : records) {
    CheckResult::Point point{Verdict::pass, static_cast<double>(record.duration_ms)};
    if (checks::parse_verdict(record.verdict, point.verdict)) points.push_back(point);
    if (points.size() >= most_points) break;
  }
  return points;
}

}  // namespace

PastOfChecks::PastOfChecks(store::Store& store, const checks::SuitePlan& plan, std::string& trouble) {
  try {
    for (const auto& suite : plan.suites) {
      std::map<std::string, std::vector<store::CheckRecord>> records;
      for (auto& record : store.check_history(plan.environment, suite.name, suite.flaky.window))
        records[record.key].push_back(std::move(record));
      for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
        for (const auto& check : *part) {
          by_key_[check.key] = past_of(records[check.key], check.text_id);
          recent_[check.key] = points_of(records[check.key]);
        }
    }
  } catch (const base::Error& error) {
    trouble = error.what();
    by_key_.clear();
  }
}

Past PastOfChecks::of(const checks::Check& check) const {
  const auto found = by_key_.find(check.key);
  return found == by_key_.end() ? Past{} : found->second;
}

const std::vector<CheckResult::Point>& PastOfChecks::recent(const checks::Check& check) const {
  static const std::vector<CheckResult::Point> none;
  const auto found = recent_.find(check.key);
  return found == recent_.end() ? none : found->second;
}

Past past_of(const std::vector<store::CheckRecord>& records, const std::string& text_id) {
  Past past;
  past.known = true;
  bool still_tolerated = true;
  const store::CheckRecord* later = nullptr;
  for (const auto& record : records) {
    if (record.text_id != text_id) break;  // the check was another one before
    if (!record.excused_by.empty() && still_tolerated)
      past.tolerated_since = record.time;
    else if (record.verdict != "skipped")
      still_tolerated = false;
    const bool judged = record.verdict == "pass" || record.verdict == "degraded" || record.verdict == "fail";
    if (!judged) continue;
    ++past.runs;
    // Within a run: failed, then passed.
    if (record.flaky) ++past.flips;
    // Between runs: failed, and the next one of the same release passed.
    if (later != nullptr && record.verdict == "fail" && later->verdict != "fail" &&
        record.release == later->release && !record.release.empty())
      ++past.flips;
    later = &record;
  }
  return past;
}

void remember(store::Store& store, const RunResult& run) {
  std::vector<store::CheckRecord> records;
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks) {
      if (one.check->part == checks::Part::sweep) continue;
      store::CheckRecord record;
      record.environment = run.environment;
      record.suite = suite.suite->name;
      record.key = one.check->key;
      record.text_id = one.check->text_id;
      record.run_id = run.run_id;
      record.release = run.release;
      record.verdict = std::string(name_of(one.verdict));
      record.flaky = one.flaky;
      record.attempts = one.attempts_made;
      record.duration_ms = static_cast<std::uint64_t>(one.duration.count());
      record.time = one.started;
      record.detail = one.reason;
      record.excused_by = one.tolerated;
      records.push_back(std::move(record));
    }
  store.record_checks(records);
}

std::vector<std::string> proposals(const RunResult& run) {
  std::vector<std::string> proposals;
  for (const auto& suite : run.suites) {
    const auto& limits = suite.suite->flaky;
    if (limits.quarantine == checks::Flaky::Action::never) continue;
    for (const auto& one : suite.checks)
      if (!one.quarantined && one.past.flips + (one.flaky ? 1 : 0) >= limits.suspect)
        proposals.push_back(fmt::format("{} is suspect: {} flips in {} runs on unchanged releases",
                                        one.check->key, one.past.flips + (one.flaky ? 1 : 0),
                                        one.past.runs + 1));
  }
  return proposals;
}

}  // namespace staithe::verify
