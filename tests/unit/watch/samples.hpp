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
  one.key = "s/" + name;
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
