#pragma once
#include "staithe/base/duration.hpp"

#include <chrono>
#include <cstdint>
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

/// Of pg_stat_replication the rows of standbys: a reader of changes acknowledges them when it likes.
inline const std::string is_standby =
    "NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE active_pid = pid AND slot_type = "
    "'logical')";

/// Where the primary's WAL ends, and the least that a standby has replayed of it: two columns of a query,
/// which only a primary answers. The second is NULL without a standby that can be seen.
inline const std::string lag_positions =
    "pg_catalog.pg_current_wal_lsn() - '0/0'::pg_catalog.pg_lsn, (SELECT pg_catalog.min(replay_lsn) -"
    " '0/0'::pg_catalog.pg_lsn FROM pg_catalog.pg_stat_replication WHERE state IN ('streaming', 'catchup')"
    " AND " +
    is_standby + ")";

}  // namespace staithe::stage
