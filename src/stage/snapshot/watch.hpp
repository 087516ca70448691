#pragma once
#include "lag_clock.hpp"
#include "load.hpp"

#include <functional>
#include <map>
#include <string>
#include <thread>

namespace staithe::stage {

/// Looks at the source every second while a run reads it: gives way when somebody waits for our locks, pauses
/// the copy when replicas fall behind, ends the run when its snapshot has been held for too long.
class Watch {
 public:
  using Also = std::function<void(const base::Scope&)>;
  /// `give_way` is requested with the reason in why(). `also` is called at each look, on the watch's thread,
  /// with the time that the source has to answer it; what it throws ends the run.
  Watch(Context& context, base::Cancel& give_way, Also also);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Nothing is held on the source any more.
  void finish() noexcept;
  /// Why the run has to end; "" when nothing is the matter.
  std::string why() const;

 private:
  void work() noexcept;
  void look(pg::Session& session);
  void look_for_waiters(pg::Session& session);
  void look_at_replicas(pg::Session& session);
  /// Something is asked of the source now.
  base::Scope asking();
  base::Duration lag(const pg::Row& row);
  void yield(std::string why);

  Context& context_;
  base::Cancel& give_way_;
  Also also_;
  base::Cancel done_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), asked_ = began_;
  std::map<std::string, std::chrono::steady_clock::time_point> waiting_;  ///< since when
  LagClock replicas_;
  bool has_told_unseen_ = false;  ///< that there are standbys whose lag this role may not know
  mutable std::mutex mutex_;
  std::string why_;
  std::thread thread_;
};

}  // namespace staithe::stage
