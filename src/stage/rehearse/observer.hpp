#pragma once
#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace staithe::stage {

using SteadyTime = std::chrono::steady_clock::time_point;
using Oid = std::uint32_t;

/// One lock on a relation, from asking for it to its release.
struct SeenLock {
  Oid relation = 0;
  std::string mode;
  std::size_t statement = 0;
  SteadyTime asked, granted, released;
  SteadyTime not_before;   ///< a sample that was asked for then did not show it yet
  SteadyTime known_until;  ///< it was held then for certain: a sample asked for before does not say otherwise
  bool was_granted = false, is_open = true;
};

class LockGate;

/// Samples the locks of other sessions from a thread and a session of its own, every 2 ms (a sample takes
/// about 0.15 ms). What is shorter is caught by note_held, which the session
/// itself calls before it commits, and outside of transactions by a gate.
class LockObserver {
 public:
  /// Watches the session `pid`; with 0 every session of that database but those called "staithe…".
  LockObserver(const std::string& url, int pid, const base::Scope& scope);
  ~LockObserver();
  LockObserver(const LockObserver&) = delete;
  LockObserver& operator=(const LockObserver&) = delete;

  /// Which statement the locks seen from now on belong to.
  void begin_statement(std::size_t index);
  /// What the session itself says it holds after a statement that began at `since`: what that statement took
  /// without being seen to wait counts from there, for it may have been seen long after it was taken; but not
  /// from before the last sample that did not show it, for a statement may also take it late.
  void note_held(const std::vector<std::pair<Oid, std::string>>& held, SteadyTime since);
  /// The transaction has ended.
  void note_released(SteadyTime when);

  /// From now on `gate` is opened when the session is seen to wait, or when nothing can be seen any more;
  /// null: there is none. The gate is not touched any more when this returns.
  void watch(LockGate* gate);

  /// Ends the sampling. Idempotent.
  std::vector<SeenLock> finish();
  /// Why the sampling ended early; "" when it did not.
  std::string problem() const;

 private:
  using Key = std::pair<Oid, std::string>;
  void run(const base::Scope& scope);
  /// False when it came too late to say anything of what is going on now.
  bool sample(const pg::Result& rows, SteadyTime now);
  void open_gate();
  SeenLock& lock_of(const Key& key, SteadyTime now);

  pg::Session session_;
  int pid_;
  base::Cancel done_;
  mutable std::mutex mutex_;
  std::size_t statement_ = 0;
  std::map<Key, SeenLock> open_;
  std::vector<SeenLock> closed_;
  SteadyTime last_release_{}, last_sample_{};  ///< of those that counted, when the last was asked for
  std::string problem_;
  std::mutex gate_mutex_;  ///< taken before mutex_
  LockGate* gate_ = nullptr;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace staithe::stage
