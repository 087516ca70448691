#include "past.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace staithe::verify {
namespace {

constexpr std::size_t most_points = 40;
// The store keeps no more of it, and a run of many checks may have to wait for it in memory.
constexpr std::size_t longest_detail = 1024;

std::vector<CheckResult::Point> points_of(const std::vector<PastRun>& runs) {
  std::vector<CheckResult::Point> points;
  for (auto one = runs.rbegin(); one != runs.rend() && points.size() < most_points; ++one)
    points.push_back({one->verdict, one->milliseconds});
  return points;
}

template <class Visit>
void each_check(const checks::Suite& suite, Visit visit) {
  for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
    for (const auto& check : *part) visit(check);
}

/// What the history keeps of a run: of several results with one key, as undos of samples have, the worst.
std::set<const CheckResult*> worst_of_each(const SuiteResult& suite) {
  std::map<std::string_view, const CheckResult*> worst;
  for (const auto& one : suite.checks) {
    if (one.check->part == checks::Part::sweep) continue;
    auto& known = worst[one.check->key];
    if (known == nullptr || known->verdict < one.verdict) known = &one;
  }
  std::set<const CheckResult*> kept;
  for (const auto& [key, one] : worst) kept.insert(one);
  return kept;
}

}  // namespace

PastOfChecks::PastOfChecks(store::Store& store, const checks::SuitePlan& plan, std::string& trouble) {
  try {
    for (const auto& suite : plan.suites) {
      auto runs = past_runs(store.check_history(plan.environment, suite.name, suite.flaky.window));
      each_check(suite, [&](const auto& check) {
        add(check, runs[check.key],
            check.tolerate.empty()
                ? Time{}
                : store.tolerated_since(plan.environment, suite.name, check.key, check.text_id));
      });
    }
  } catch (const base::Error& error) {
    trouble = error.what();
    by_key_.clear();
  }
}

PastOfChecks::PastOfChecks(const Memory& memory, const checks::SuitePlan& plan) {
  for (const auto& suite : plan.suites)
    each_check(suite, [&](const auto& check) {
      add(check, memory.of(check.key), memory.tolerated_since(check.key, mark_of(check.text_id)));
    });
}

void PastOfChecks::add(const checks::Check& check, const std::vector<PastRun>& runs, Time tolerated_since) {
  auto& past = by_key_[check.key] = past_of(runs, mark_of(check.text_id));
  past.tolerated_since = tolerated_since;  // may be longer ago than the window
  recent_[check.key] = points_of(runs);
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

std::map<std::string, std::vector<PastRun>> past_runs(const std::vector<store::CheckRecord>& records) {
  std::map<std::string, std::vector<PastRun>> runs;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    PastRun one;
    // What a newer program wrote and this one cannot read is no run that was judged.
    if (!checks::parse_verdict(record->verdict, one.verdict)) one.verdict = Verdict::error;
    one.text = mark_of(record->text_id);
    one.release = mark_of(record->release);
    one.time = record->time;
    one.milliseconds = static_cast<float>(record->duration_ms);
    one.flaky = record->flaky;
    one.excused = !record->excused_by.empty();
    one.attempts = static_cast<std::uint8_t>(std::min<std::uint64_t>(record->attempts, 255));
    runs[record->key].push_back(one);
  }
  return runs;
}

Past past_of(const std::vector<store::CheckRecord>& records, const std::string& text_id) {
  std::vector<PastRun> runs;
  for (auto& [key, of_key] : past_runs(records)) runs.insert(runs.end(), of_key.begin(), of_key.end());
  return past_of(runs, mark_of(text_id));
}

std::vector<store::CheckRecord> records_of(const RunResult& run) {
  std::vector<store::CheckRecord> records;
  for (const auto& suite : run.suites) {
    const auto kept = worst_of_each(suite);
    for (const auto& one : suite.checks) {
      if (kept.count(&one) == 0) continue;
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
      record.detail = base::shortened(one.reason, longest_detail);
      record.excused_by = one.tolerated;
      records.push_back(std::move(record));
    }
  }
  return records;
}

std::vector<std::string> proposals(const RunResult& run) {
  std::vector<std::string> proposals;
  for (const auto& suite : run.suites) {
    const auto& limits = suite.suite->flaky;
    if (limits.quarantine == checks::Flaky::Action::never) continue;
    for (const auto& one : suite.checks) {
      const auto flips = one.past.flips + flips_of(one, run.release);
      if (!one.quarantined && flips >= limits.suspect)
        proposals.push_back(fmt::format("{} is suspect: {} in {} on unchanged releases", one.check->key,
                                        base::count_text(flips, "flip"),
                                        base::count_text(one.past.runs + 1, "run")));
    }
  }
  return proposals;
}

}  // namespace staithe::verify
