#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/checks/suite.hpp"

#include <cstddef>
#include <utility>
#include <vector>

/// When suites are run. No clock is read here.
namespace staithe::watch {

/// Suites that depend on each other, directly or not, share one schedule: they are never run at the same
/// time, and those that are due together are one run. A suite by itself is a unit by itself. Indices into the
/// plan.
std::vector<std::vector<std::size_t>> units_of(const checks::SuitePlan& plan);

/// How often a suite is run: its own schedule, else that of the most eager one that needs it; zero: never.
std::vector<base::Duration> intervals_of(const checks::SuitePlan& plan);

/// The ticks of one unit: a grid that does not drift, a first delay and a delay at each tick that are
/// different for each unit and the same in every process, so that many suites do not ask at once.
class Timetable {
 public:
  /// `plan` must outlive it.
  Timetable(const checks::SuitePlan& plan, std::vector<std::size_t> unit, base::SteadyTime start);

  /// The earliest tick that is to come. SteadyTime::max() when nothing in the unit has a schedule.
  base::SteadyTime next() const;
  /// The suites whose tick has come, which is used up by this, and those that they need: the suites of one
  /// run, in the order of the plan.
  std::vector<std::size_t> due(base::SteadyTime now);
  /// Ticks that came while the unit was running are not made up for. How many there were, by suite.
  std::vector<std::pair<std::size_t, std::size_t>> skip_passed(base::SteadyTime now);

  base::SteadyTime start() const noexcept { return start_; }

 private:
  struct Entry {
    std::size_t suite;
    base::Duration every;
    std::uint64_t tick = 0;  ///< the next one
  };
  base::SteadyTime time_of(const Entry& entry) const;

  const checks::SuitePlan& plan_;
  std::vector<std::size_t> unit_;
  base::SteadyTime start_;
  std::uint64_t seed_ = 0;
  base::Duration first_{0}, jitter_{0};
  std::vector<Entry> entries_;
};

}  // namespace staithe::watch
