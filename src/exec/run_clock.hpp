#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/exec/runner.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace staithe::exec {

/// The deadline of a whole run. Once it has passed, what goes forward is given up; what gives back goes on.
/// Its thread lives from start() to stop(); without a deadline there is none, and nothing ever passes. Not
/// thread safe but for what actions ask between the two: counts(), passed() and the switches.
class RunClock {
 public:
  /// A deadline of zero is none. `stops` must outlive the clock.
  RunClock(base::Duration deadline, const Stops& stops);
  ~RunClock();
  RunClock(const RunClock&) = delete;
  RunClock& operator=(const RunClock&) = delete;

  /// Counts from now on; to be called once. `told` is called at the deadline, in the clock's thread, before
  /// anything is given up.
  void start(std::function<void()> told);

  /// What comes now is not bound: from here on the deadline does not count, has not passed and is not told.
  /// Waits for a `told` in hand. Only where nothing that follows the switches is under way.
  void stop() noexcept;

  /// There is a deadline, and it binds what is done now.
  bool counts() const noexcept { return thread_.joinable(); }
  bool passed() const noexcept { return passed_.load(std::memory_order_acquire); }
  base::Duration deadline() const noexcept { return deadline_; }

  /// Stops::soft or the deadline, and Stops::hard or the deadline. Follow them only while it counts; a signal
  /// gets there a moment later than to Stops.
  const base::Cancel& soft_or_late() const noexcept { return soft_or_late_; }
  const base::Cancel& hard_or_late() const noexcept { return hard_or_late_; }

 private:
  void watch(base::SteadyTime until);

  base::Duration deadline_;
  const Stops& stops_;
  std::function<void()> told_;
  std::atomic<bool> passed_{false};
  base::Cancel soft_or_late_;
  base::Cancel hard_or_late_;
  base::Cancel end_;
  std::jthread thread_;
};

}  // namespace staithe::exec
