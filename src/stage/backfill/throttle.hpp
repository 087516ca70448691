#pragma once
#include "staithe/stage/backfill.hpp"

#include <chrono>
#include <deque>
#include <string>
#include <utility>

namespace staithe::stage {

/// How far standbys are behind. replay_lag of pg_stat_replication stays what it was when a standby stops to
/// replay, so the age of the oldest position that one has not replayed yet is held against it: positions are
/// noted whenever somebody looks.
class LagClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `written` is where the primary's WAL ends, `replayed` the least that a standby has come to.
  base::Duration behind(std::uint64_t written, std::uint64_t replayed, Time now);

 private:
  std::deque<std::pair<Time, std::uint64_t>> written_;
};

/// Why a backfill should rest now; "" when it should not.
class Throttle {
 public:
  explicit Throttle(const BackfillSpec& spec) : spec_(spec) {}
  std::string reason(pg::Session& session, const base::Scope& scope);

 private:
  std::string look(pg::Session& session, const base::Scope& scope);

  const BackfillSpec& spec_;
  LagClock lag_;
  std::chrono::steady_clock::time_point looked_{};
  std::string last_;
};

}  // namespace staithe::stage
