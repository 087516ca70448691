#pragma once
#include "append_queue.hpp"
#include "database.hpp"
#include "lock_keeper.hpp"

#include "staithe/store/store.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

namespace staithe::store {

/// The way to the connection, for one call at a time. Waiting for it ends with the scope: a call that hangs
/// must not make others hang for longer than they may.
class Passage {
 public:
  /// Throws base::Error{timeout} or {cancelled}.
  void take(const base::Scope& scope, const std::string& where) {
    constexpr std::chrono::milliseconds between_looks{50};
    std::unique_lock lock(mutex_);
    while (taken_) {
      if (scope.cancelled()) throw base::Error(base::ErrorCode::cancelled, "stopped");
      if (scope.expired())
        throw base::Error(base::ErrorCode::timeout, where + ": another call is not done with the state yet");
      changed_.wait_for(lock, std::min<base::Duration>(scope.left(), between_looks));
    }
    taken_ = true;
  }
  void give_back() noexcept {
    {
      const std::lock_guard lock(mutex_);
      taken_ = false;
    }
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool taken_ = false;
};

/// What the parts of the Store share: the connection, one user at a time, and the two helpers around it.
class Store::Core {
 public:
  /// Connects and brings the tables up to date.
  Core(const OpenDatabase& open, const Settings& settings);

  template <class F>
  auto run(Work work, F body) {
    return run_within(base::Scope::lasting(settings.patience, settings.stop), work, std::move(body));
  }
  template <class F>
  auto run_within(const base::Scope& scope, Work work, F body) {
    passage_.take(scope, where());
    const std::unique_ptr<Passage, GiveBack> taken(&passage_);
    return run_on(*database_, work, scope, std::move(body));
  }
  std::string where() const { return database_->where(); }

  const Settings settings;
  /// Marks the rows of this Store, so that a repeated write knows its own first attempt.
  const std::string writer;

 private:
  struct GiveBack {
    void operator()(Passage* passage) const noexcept { passage->give_back(); }
  };
  void write_entries(std::span<PendingEntry* const> entries);

  Passage passage_;
  std::unique_ptr<Database> database_;

 public:
  AppendQueue appends;
  LockKeeper keeper;
};

}  // namespace staithe::store
