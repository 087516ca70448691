#pragma once
#include "append_queue.hpp"
#include "database.hpp"
#include "lock_keeper.hpp"

#include "staithe/store/store.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace staithe::store {

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
    const std::lock_guard lock(mutex_);
    return run_on(*database_, work, scope, std::move(body));
  }
  std::string where() const { return database_->where(); }

  const Settings settings;
  /// Marks the rows of this Store, so that a repeated write knows its own first attempt.
  const std::string writer;

 private:
  void write_entries(std::span<PendingEntry* const> entries);

  std::mutex mutex_;
  std::unique_ptr<Database> database_;

 public:
  AppendQueue appends;
  LockKeeper keeper;
};

}  // namespace staithe::store
