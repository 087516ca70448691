#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/store/store.hpp"

#include <atomic>

namespace staithe::watch {

/// Whether it is this process that watches: it holds the lock of the watch. While the store cannot be asked
/// for longer than a lock lasts, another machine may have taken over, or nobody: then alerts are held back
/// for `patience`, and are sent after that. Twice is better than never.
class Claim {
 public:
  enum class State {
    ours,
    unsure,  ///< not renewed for longer than it lasts
    lost,    ///< another has it, or a person has ended it: for good
  };

  /// No lock: nobody else can watch this.
  Claim(store::Lock* lock, base::Duration patience) : lock_(lock), patience_(patience) {}

  /// Asks nobody: to be looked at before every message. Any thread.
  State state() const noexcept;
  bool may_alert() const noexcept;
  /// Asks the store where it is unsure; blocks no longer than one call of it. One thread.
  State confirm();
  /// The store has said so otherwise. Any thread.
  void lose() noexcept { lost_ = true; }
  /// What writing is bound to; null when there is no lock.
  const store::LockInfo* info() const noexcept { return lock_ == nullptr ? nullptr : &lock_->info(); }

 private:
  store::Lock* lock_;
  base::Duration patience_;
  std::atomic<bool> lost_{false};
  /// Of the steady clock; 0: it is sure.
  mutable std::atomic<std::chrono::steady_clock::rep> unsure_since_{0};
};

}  // namespace staithe::watch
