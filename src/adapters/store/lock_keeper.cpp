#include "lock_keeper.hpp"

#include "process.hpp"

#include <algorithm>

namespace staithe::store {

using base::Scope;

bool HeldLock::lost() const noexcept {
  return stolen.load(std::memory_order_acquire) ||
         boottime_ms() - renewed_ms.load(std::memory_order_acquire) >= lease_ms;
}

bool renew(HeldLock& held, Session& session) {
  const long long sent = boottime_ms();
  const Rows rows = session.exec(
      "UPDATE staithe_locks SET heartbeat = " + session.now_sql() + " WHERE scope = $1 AND token = $2",
      {held.scope, held.token});
  if (rows.changed == 0) {
    held.stolen.store(true, std::memory_order_release);
    return false;
  }
  held.renewed_ms.store(sent, std::memory_order_release);
  return true;
}

LockKeeper::LockKeeper(OpenDatabase open, const Settings& settings)
    : open_(std::move(open)), settings_(settings) {}

LockKeeper::~LockKeeper() {
  quit_.request();
  if (thread_.joinable()) thread_.join();
}

void LockKeeper::add(std::shared_ptr<HeldLock> held) {
  const std::lock_guard lock(mutex_);
  held_.push_back(std::move(held));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void LockKeeper::remove(const HeldLock* held) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(held_, [held](const auto& one) { return one.get() == held; });
}

void LockKeeper::run() noexcept {
  const auto shorter = std::min<base::Duration>(settings_.heartbeat, std::chrono::seconds(1));
  std::unique_ptr<Database> database;
  base::Duration pause = settings_.heartbeat;
  for (;;) {
    try {
      base::sleep_for(pause, Scope::lasting(pause + std::chrono::seconds(1), &quit_));
      if (quit_.requested()) return;
      pause = renew_all(database) ? settings_.heartbeat : shorter;
    } catch (const std::exception&) {
      // Nothing to tell here: HeldLock::lost() turns true by itself when this lasts.
      pause = shorter;
    }
  }
}

bool LockKeeper::renew_all(std::unique_ptr<Database>& database) {
  std::vector<std::shared_ptr<HeldLock>> held;
  {
    const std::lock_guard lock(mutex_);
    held = held_;
  }
  if (held.empty()) return true;
  if (!database) database = open_();
  const auto limit = std::min(settings_.patience, settings_.lease / 3);
  for (const auto& one : held) {
    if (one->stolen) continue;
    run_on(*database, Work::single, Scope::lasting(limit, &quit_),
           [&](Session& session) { renew(*one, session); });
  }
  return true;
}

}  // namespace staithe::store
