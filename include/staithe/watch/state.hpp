#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/verify/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Suites of checks on a schedule. What is known of them is data, and what follows from it is worked out by
/// functions that know no clock: the moment is always an argument.
namespace staithe::watch {

using checks::Severity;
using checks::Verdict;
using store::Time;

/// Runs in a row of which the same is true; those that could not tell are left out, and end nothing.
struct Streak {
  std::uint32_t runs = 0;
  Time since{};  ///< when the first of them was begun
};
/// By a run that was begun at `started`; it ends when it does not go on.
Streak extended(Streak before, bool goes_on, Time started);

/// What is known of one check.
struct CheckState {
  std::string name, key;
  std::string part;
  Severity severity = Severity::major;
  Verdict verdict = Verdict::skipped;
  bool blocking = false;     ///< its failure is the suite's
  bool quarantined = false;  ///< judged, not counted
  bool flaky = false;
  std::string reason;    ///< in words, of what is not well
  std::string position;  ///< "checks/api.yml:12"
  std::string request;
  Time since{};    ///< since when the verdict has been this one
  Streak failing;  ///< fail or error
  Streak unwell;   ///< these, degraded, or aborted
  base::Duration duration{0};
  std::uint64_t flips = 0;                ///< failed, then well on the same release
  std::optional<double> certificate_end;  ///< seconds since 1970, of a check that judges days_left; to a day
};

/// What is known of one suite that is watched.
struct SuiteState {
  std::string name, about, owner, runbook, file;
  Severity severity = Severity::major;
  base::Duration every{0};  ///< how often it is run; for a suite that only others need: as often as they are
  Verdict verdict = Verdict::skipped;
  std::string reason;
  bool blocked = false;  ///< not run: a suite that it needs did not end well
  std::string run_id, release;
  Time started{}, finished{};   ///< of the last run that ended; zero: none ever did
  base::SteadyTime ended_at{};  ///< the same by the clock that nobody sets
  base::Duration duration{0};
  base::SteadyTime known_since{};  ///< since when it has been waited for
  std::optional<base::SteadyTime> running_since;
  Streak as_a_whole;   ///< failed, and no check is to blame
  Streak unexplained;  ///< failed, and no alert that goes on says why; counted by Alerts
  std::uint64_t runs = 0, failures = 0, missed = 0;
  double confidence = 0;
  std::vector<CheckState> checks;

  bool ever_ran() const { return finished != Time{}; }
};

/// Whether what is known of a suite is news.
struct Freshness {
  bool stale = false;
  std::string why;        ///< "not run yet", "the last run ended 12m ago, every 5m was asked for"
  base::Duration age{0};  ///< since the last run ended; zero when none did
};
/// Stale: the last run that ended is older than 2.5 intervals and what it took. A suite that has never run is
/// `stale` too: it may be well, but nobody knows.
Freshness freshness(const SuiteState& suite, base::SteadyTime now);

/// Whether a suite ended well enough to serve customers.
bool is_well(Verdict verdict) noexcept;

/// A suite before its first run; `every` as in SuiteState.
SuiteState state_of(const checks::Suite& suite, base::Duration every, base::SteadyTime now);
/// Takes over what a run has found. `ended_at` is now by the steady clock.
void take(SuiteState& state, const verify::SuiteResult& result, const verify::RunResult& run,
          base::SteadyTime ended_at);

/// A run came to nothing for a reason that is not the suite's: no check was judged, so their counts stand
/// still.
void break_off(SuiteState& state, const std::string& trouble, Time now, base::SteadyTime ended_at);

/// What of a suite outlives the process, as JSON; the checks are in the history.
std::string to_json(const SuiteState& state);
/// Puts it back into `state`, whatever it can. `now` and `steady` are the same moment: ages come from the
/// wall clock, the only one that outlives a process, and are never negative.
void restore(SuiteState& state, const std::string& json, Time now, base::SteadyTime steady);

}  // namespace staithe::watch
