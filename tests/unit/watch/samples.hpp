#pragma once
#include "staithe/watch/views.hpp"

#include <string>
#include <utility>

namespace samples {

using namespace staithe;
using checks::Verdict;

inline const base::SteadyTime steady{std::chrono::hours(1000)};
inline const watch::Time wall{std::chrono::hours(24 * 365 * 50)};

inline watch::CheckState check(const std::string& name, Verdict verdict, const std::string& reason = {}) {
  watch::CheckState one;
  one.name = name;
  one.verdict = verdict;
  one.blocking = true;
  one.reason = reason;
  one.position = "checks/s.yml:7";
  one.since = wall;
  return one;
}

/// A suite whose run has just ended.
inline watch::SuiteState suite(const std::string& name, Verdict verdict,
                               std::vector<watch::CheckState> checks = {}) {
  watch::SuiteState state;
  state.name = name;
  state.every = std::chrono::minutes(1);
  state.verdict = verdict;
  state.run_id = "run-1";
  state.started = wall - std::chrono::seconds(1);
  state.finished = wall;
  state.ended_at = steady;
  state.known_since = steady - std::chrono::hours(1);
  state.duration = std::chrono::seconds(1);
  state.checks = std::move(checks);
  for (auto& one : state.checks)
    if (one.key.empty()) one.key = name + "/" + one.name;
  return state;
}

/// The same after so many runs of which each found this.
inline watch::SuiteState after(watch::SuiteState state, std::uint32_t runs, watch::Time since = wall) {
  const auto streak = [&](bool bad) { return bad ? watch::Streak{runs, since} : watch::Streak{}; };
  const bool well = watch::is_well(state.verdict);
  bool blamed = false;
  for (auto& one : state.checks) {
    const bool fails = one.verdict == Verdict::fail || one.verdict == Verdict::error;
    blamed = blamed || fails;
    one.failing = streak(fails);
    one.unwell = streak(fails || one.verdict == Verdict::aborted || one.verdict == Verdict::degraded);
  }
  state.as_a_whole = streak(!well && !blamed);
  return state;
}

inline watch::Overview overview(std::vector<watch::SuiteState> suites) {
  watch::Overview made;
  made.version = "1.0";
  made.project = "shop";
  made.environment = "production";
  made.now = wall;
  made.steady = steady;
  made.heartbeat = steady;
  made.suites = std::move(suites);
  return made;
}

}  // namespace samples
