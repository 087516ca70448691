#include "staithe/verify/memory.hpp"

#include "past.hpp"

#include <algorithm>
#include <functional>

namespace staithe::verify {

std::uint64_t mark_of(std::string_view text) {
  return text.empty() ? 0 : std::max<std::uint64_t>(std::hash<std::string_view>{}(text), 1);
}

namespace {

/// What ends a neighbour's excuse: neither another failure nor a run that could not be judged does.
bool ends_excuse(const PastRun& run) {
  return !run.excused && (run.verdict == Verdict::pass || run.verdict == Verdict::degraded);
}

}  // namespace

Past past_of(const std::vector<PastRun>& runs, std::uint64_t text) {
  Past past;
  past.known = true;
  bool still_tolerated = true;
  const PastRun* later = nullptr;
  for (auto one = runs.rbegin(); one != runs.rend(); ++one) {
    if (one->text != text) break;  // the check was another one before
    if (one->excused && still_tolerated)
      past.tolerated_since = one->time;
    else if (ends_excuse(*one))
      still_tolerated = false;
    const bool judged =
        one->verdict == Verdict::pass || one->verdict == Verdict::degraded || one->verdict == Verdict::fail;
    if (!judged) continue;
    ++past.runs;
    // Within a run: failed, then passed.
    if (one->flaky) {
      ++past.flips;
      past.retried += one->attempts > 1 ? one->attempts - 1U : 0U;
      past.failed_again += one->attempts > 2 ? one->attempts - 2U : 0U;
    }
    // Between runs: failed, and the next one of the same release passed.
    if (later != nullptr && one->verdict == Verdict::fail && later->verdict != Verdict::fail &&
        one->release == later->release && one->release != 0) {
      ++past.flips;
      past.retried += one->attempts > 1 ? one->attempts - 1U : 0U;
      past.failed_again += one->attempts > 1 ? one->attempts - 1U : 0U;
    }
    later = &*one;
  }
  return past;
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
