#include "watch.hpp"

#include "numbers.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

constexpr base::Duration look_every{1'000};
constexpr base::Duration look_patience{20'000};

/// Who waits for a lock that a session of ours holds; pg_dump's sessions are ours too, by their name. Of
/// other roles' sessions pg_stat_activity shows a role without pg_read_all_stats no more than the name: that
/// they wait stands in pg_locks, which all may read.
constexpr const char* waiters =
    "WITH ours AS (SELECT pg_catalog.array_agg(pid) AS pids FROM pg_catalog.pg_stat_activity"
    "  WHERE application_name = $1),"
    " waiting AS (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted AND pid IS NOT NULL)"
    " SELECT w.pid, coalesce((SELECT a.usename::text FROM pg_catalog.pg_stat_activity a WHERE a.pid = "
    "w.pid), "
    "'')"
    " FROM waiting w, ours WHERE w.pid <> ALL (ours.pids)"
    " AND pg_catalog.pg_blocking_pids(w.pid) && ours.pids";

/// The second column: standbys of which this role sees nothing. NULL is also the lag of one that has caught
/// up.
const std::string primary_lag =
    "SELECT (pg_catalog.max(extract(epoch FROM replay_lag)) * 1000)::bigint,"
    " pg_catalog.count(*) FILTER (WHERE state IS NULL), " +
    lag_positions +
    " FROM pg_catalog.pg_stat_replication WHERE application_name IS DISTINCT FROM 'pg_basebackup' AND " +
    is_standby;
/// A standby that has replayed all that it received does not lag, however long nothing has come.
const std::string standby_lag =
    "SELECT CASE WHEN pg_catalog.pg_last_wal_receive_lsn() IS NULL OR pg_catalog.pg_last_wal_receive_lsn() ="
    " pg_catalog.pg_last_wal_replay_lsn() THEN 0 ELSE extract(epoch FROM pg_catalog.now() -"
    " pg_catalog.pg_last_xact_replay_timestamp()) * 1000 END::bigint, 0";

}  // namespace

Watch::Watch(Context& context, base::Cancel& give_way, Also also)
    : context_(context), give_way_(give_way), also_(std::move(also)), thread_([this] { work(); }) {}

Watch::~Watch() {
  finish();
}

void Watch::finish() noexcept {
  if (!thread_.joinable()) return;
  done_.request();
  thread_.join();
  context_.throttled = false;
}

std::string Watch::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

void Watch::yield(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    if (why_.empty()) why_ = std::move(why);
  }
  give_way_.request();
}

void Watch::work() noexcept {
  try {
    auto session = context_.source();
    if (session.server_version() >= 140000)
      session.run(fmt::format("SET idle_session_timeout = {}", holding_alone.count()), context_.scope);
    while (!done_.requested()) {
      look(session);
      also_(asking());
      base::sleep_for(look_every, base::Scope{context_.scope.deadline, &done_});
    }
  } catch (const std::exception& error) {
    // A stop from outside and the run's own limit are said by who meets them: the source has done nothing.
    if (done_.requested() || context_.scope.cancelled() || context_.scope.expired()) return;
    const auto* known = dynamic_cast<const base::Error*>(&error);
    const auto quiet = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - asked_);
    // Unwatched, a copy may do harm: it ends.
    yield(known != nullptr && known->code() == base::ErrorCode::timeout
              ? fmt::format("the source is silent: it has not answered for {}; look at it and at what lies "
                            "between (proxy, tunnel, firewall)",
                            base::elapsed_text(quiet))
              : fmt::format("the source cannot be watched any more: {}", error.what()));
  }
}

base::Scope Watch::asking() {
  asked_ = std::chrono::steady_clock::now();
  return base::Scope::lasting(look_patience, &done_);
}

void Watch::look(pg::Session& session) {
  const auto held = std::chrono::steady_clock::now() - began_;
  if (held > context_.plan.settings.longest_snapshot)
    return yield(fmt::format("the source's snapshot was held for {}, which is the limit",
                             base::to_text(context_.plan.settings.longest_snapshot)));
  look_for_waiters(session);
  look_at_replicas(session);
}

void Watch::look_for_waiters(pg::Session& session) {
  const auto now = std::chrono::steady_clock::now();
  const auto answer = session.query(waiters, std::vector<pg::Value>{context_.application}, asking());
  std::map<std::string, std::chrono::steady_clock::time_point> still;
  for (const auto& row : answer.rows) {
    const auto pid = row[0].value_or("");
    const auto since = waiting_.count(pid) > 0 ? waiting_[pid] : now;
    still[pid] = since;
    if (now - since >= context_.plan.settings.blocked)
      yield(fmt::format("gave way: process {} of {} on the source waited for a lock of ours for {}", pid,
                        row[1].value_or(""),
                        base::to_text(std::chrono::duration_cast<std::chrono::seconds>(now - since))));
  }
  waiting_ = std::move(still);
}

/// By what the server says, and by what has not been replayed since it was written.
base::Duration Watch::lag(const pg::Row& row) {
  const base::Duration said(number_of(row.at(0)));
  if (row.size() < 4 || !row[3]) return said;
  return std::max(said,
                  replicas_.behind(number_of(row[2]), number_of(row[3]), std::chrono::steady_clock::now()));
}

void Watch::look_at_replicas(pg::Session& session) {
  const auto answer = session.run(context_.plan.source.in_recovery ? standby_lag : primary_lag, asking());
  const auto& row = answer.rows.at(0);
  if (const auto unseen = row.at(1).value_or("0"); unseen != "0" && !has_told_unseen_) {
    has_told_unseen_ = true;
    context_.teller.message(
        event::Level::warning,
        fmt::format("the lag of {} standbys cannot be seen, and the copy does not pause for "
                    "it: GRANT pg_read_all_stats to the role of databases.source",
                    unseen));
  }
  const auto late = lag(row);
  const bool behind = late > context_.plan.settings.replication_lag;
  if (behind == context_.throttled) return;
  context_.throttled = behind;
  context_.teller.message(behind ? event::Level::warning : event::Level::info,
                          behind ? fmt::format("replication lags by {}: the copy pauses", base::to_text(late))
                                 : "replication has caught up: the copy goes on");
}

}  // namespace staithe::stage
