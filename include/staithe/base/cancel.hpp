#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/base/unique_fd.hpp"

#include <atomic>
#include <chrono>

namespace staithe::base {

using SteadyTime = std::chrono::steady_clock::time_point;

/// A one-way switch that a thread can poll() on. request() may be called from any thread, any number of
/// times.
class Cancel {
 public:
  Cancel();
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;

  void request() noexcept;
  bool requested() const noexcept { return requested_.load(std::memory_order_acquire); }
  /// Readable for ever once requested. For poll() only: never read from it.
  int fd() const noexcept { return event_.get(); }

 private:
  std::atomic<bool> requested_{false};
  UniqueFd event_;
};

/// How long a wait may take and who may cut it short. A null `cancel` shields the work from cancellation
/// (a release); the deadline always holds. The Cancel must outlive the Scope.
struct Scope {
  SteadyTime deadline;
  const Cancel* cancel = nullptr;

  static Scope lasting(Duration duration, const Cancel* cancel = nullptr);

  /// The same canceller with a deadline no later than `duration` from now.
  Scope at_most(Duration duration) const;
  bool cancelled() const noexcept { return cancel != nullptr && cancel->requested(); }
  bool expired() const noexcept { return std::chrono::steady_clock::now() >= deadline; }
  /// Never negative.
  Duration left() const noexcept;
  /// Throws Error{cancelled} or Error{timeout}, the latter saying `what` was waited for.
  void check(const char* what) const;
};

enum class Woke { ready, deadline, cancelled };

/// Blocks until `fd` has one of `events` (poll(2) bits), the deadline passes, or the canceller is requested.
/// An `fd` of -1 waits for the other two only. A hang-up or error on `fd` counts as ready.
Woke wait_for(int fd, short events, const Scope& scope);

/// Sleeps for `duration`, but no longer than the scope. `ready` says that the whole time has passed.
Woke sleep_for(Duration duration, const Scope& scope);

}  // namespace staithe::base
