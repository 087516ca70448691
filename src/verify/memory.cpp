#include "staithe/verify/memory.hpp"

#include "past.hpp"

#include <algorithm>
#include <functional>

namespace staithe::verify {

std::uint64_t mark_of(std::string_view text) {
  return text.empty() ? 1 : std::max<std::uint64_t>(std::hash<std::string_view>{}(text), 2);
}

namespace {

bool is_judged(Verdict verdict) {
  return verdict == Verdict::pass || verdict == Verdict::degraded || verdict == Verdict::fail;
}

/// What ends a neighbour's excuse: neither another failure nor a run that could not be judged does.
bool ends_excuse(const PastRun& run) {
  return !run.excused && (run.verdict == Verdict::pass || run.verdict == Verdict::degraded);
}

/// Whether a pass from this run on says nothing of a failure before it: the failure was of another release,
/// or something else was amiss meanwhile.
bool clears_failure(const PastRun& run, std::uint64_t failed_on) {
  return run.excused || run.verdict == Verdict::error || run.release != failed_on;
}

}  // namespace

Past past_of(const std::vector<PastRun>& runs, std::uint64_t text) {
  Past past;
  past.known = true;
  std::uint64_t repeated = 0;  // attempts of the failure that is open, but for its first
  // From where the check's text is this one: before it was another check.
  auto run =
      std::find_if(runs.rbegin(), runs.rend(), [&](const auto& one) { return one.text != text; }).base();
  for (; run != runs.end(); ++run) {
    if (run->excused && past.tolerated_since == Time{}) past.tolerated_since = run->time;
    if (ends_excuse(*run)) past.tolerated_since = {};
    if (clears_failure(*run, past.failed_on)) past.failed_on = 0;
    if (!is_judged(run->verdict)) continue;
    ++past.runs;
    // Within a run: failed, then passed.
    if (run->flaky) {
      ++past.flips;
      past.retried += run->attempts > 1 ? run->attempts - 1U : 0U;
      past.failed_again += run->attempts > 2 ? run->attempts - 2U : 0U;
    }
    // Between runs: failed, and the next one of the same release passed.
    if (run->verdict == Verdict::fail) {
      past.failed_on = run->excused ? 0 : run->release;
      repeated = run->attempts > 1 ? run->attempts - 1U : 0U;
    } else if (past.failed_on != 0) {
      ++past.flips;
      past.retried += repeated;
      past.failed_again += repeated;
      past.failed_on = 0;
    }
  }
  return past;
}

std::uint64_t flips_of(const CheckResult& one, std::string_view release) {
  if (!is_judged(one.verdict)) return 0;
  const bool mended = one.past.failed_on != 0 && one.verdict != Verdict::fail && one.tolerated.empty() &&
                      mark_of(release) == one.past.failed_on;
  return (one.flaky ? 1U : 0U) + (mended ? 1U : 0U);
}

void Memory::take(Known& known, const PastRun& run, std::size_t window) {
  if (run.text != known.text || ends_excuse(run)) known.tolerated_since = {};
  known.text = run.text;
  if (run.excused && known.tolerated_since == Time{}) known.tolerated_since = run.time;
  auto& runs = known.runs;
  runs.push_back(run);
  if (runs.size() > window) runs.erase(runs.begin(), runs.end() - static_cast<std::ptrdiff_t>(window));
}

bool Memory::has_read(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  return found != known_.end() && found->second.loaded;
}

void Memory::load(store::Store& store, const checks::SuitePlan& plan) {
  // Check by check: all of a large suite at once would be the most that the process ever needs.
  for (const auto& suite : plan.suites)
    for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
      for (const auto& check : *part) {
        if (has_read(check.key)) continue;
        // Without the lock: a store that hangs must not keep runs waiting.
        Known read;
        for (auto& [key, past] :
             past_runs(store.check_history_of(plan.environment, suite.name, check.key, suite.flaky.window)))
          read.runs = std::move(past);
        if (!check.tolerate.empty())
          read.tolerated_since =
              store.tolerated_since(plan.environment, suite.name, check.key, check.text_id);
        read.text = mark_of(check.text_id);
        read.loaded = true;
        const std::lock_guard lock(mutex_);
        // Runs meanwhile, or since a reading that failed: the store may have some of them.
        if (const auto found = known_.find(check.key); found != known_.end()) {
          const auto last = read.runs.empty() ? Time{} : read.runs.back().time;
          for (const auto& run : found->second.runs)
            if (run.time > last) take(read, run, suite.flaky.window);
        }
        known_[check.key] = std::move(read);
      }
}

void Memory::add(const RunResult& run) {
  const std::lock_guard lock(mutex_);
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks) {
      if (one.check->part == checks::Part::sweep) continue;
      take(known_[one.check->key],
           {mark_of(one.check->text_id), mark_of(run.release), one.started,
            static_cast<float>(one.duration.count()), one.verdict, one.flaky, !one.tolerated.empty(),
            static_cast<std::uint8_t>(std::min<std::uint32_t>(one.attempts_made, 255))},
           suite.suite->flaky.window);
    }
}

std::vector<PastRun> Memory::of(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  return found == known_.end() ? std::vector<PastRun>{} : found->second.runs;
}

Time Memory::tolerated_since(const std::string& key, std::uint64_t text) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  return found == known_.end() || found->second.text != text ? Time{} : found->second.tolerated_since;
}

}  // namespace staithe::verify
