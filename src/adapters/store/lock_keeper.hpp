#pragma once
#include "database.hpp"

#include "staithe/store/records.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace staithe::store {

/// A lock in this process's hands.
struct HeldLock {
  std::string scope;
  std::string token;
  long long lease_ms = 0;
  std::atomic<bool> stolen{false};
  /// When the last renewal that succeeded was sent, on the boot clock: never later than the store has it, so
  /// this side's lease ends first.
  std::atomic<long long> renewed_ms{0};

  bool lost() const noexcept;
};

/// Renews `held` now. False: somebody else has it.
bool renew(HeldLock& held, Session& session);

/// Renews every held lock from a thread of its own, over a connection of its own, so that a slow write of the
/// journal cannot cost a lock.
class LockKeeper {
 public:
  LockKeeper(OpenDatabase open, const Settings& settings);
  LockKeeper(const LockKeeper&) = delete;
  LockKeeper& operator=(const LockKeeper&) = delete;
  ~LockKeeper();

  void add(std::shared_ptr<HeldLock> held);
  void remove(const HeldLock* held) noexcept;

 private:
  void run() noexcept;
  /// False when one of them could not be renewed for now.
  bool renew_all(std::unique_ptr<Database>& database);

  OpenDatabase open_;
  Settings settings_;
  base::Cancel quit_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<HeldLock>> held_;
  std::thread thread_;
};

}  // namespace staithe::store
