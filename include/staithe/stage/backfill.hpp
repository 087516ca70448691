#pragma once
#include "staithe/event/event.hpp"
#include "staithe/pg/session.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Filling a column of old rows in small transactions, and making it NOT NULL without an outage.
namespace staithe::stage {

/// What a backfill is. SQL texts are put into statements as they are: they come from the person who runs it.
struct BackfillSpec {
  std::string table;     ///< as SQL has it: "app.users"
  std::string set;       ///< "country = 'DE'"
  std::string where;     ///< rows that still need it: "country IS NULL"; those filled must not match any more
  std::string not_null;  ///< column to make NOT NULL around it by the safe sequence; "" for none
  base::Duration batch_time{200};  ///< what a batch should take; its size follows
  std::uint64_t first_batch = 500;
  std::uint64_t most_batch = 50'000;
  base::Duration lock_timeout{500};  ///< the longest that any statement may stand in a queue for a lock
  std::uint32_t attempts = 60;       ///< for one lock
  base::Duration most_lag{10'000};   ///< replication lag above which it waits
  std::uint32_t most_waiting = 5;    ///< sessions waiting for locks above which it waits
  std::uint32_t most_active = 0;     ///< active sessions above which it waits; 0: never
  std::uint32_t rest_percent = 0;    ///< rest after each batch, in percent of what it took
  std::string pause_file;            ///< it waits while this file exists; "" for none
  bool operator==(const BackfillSpec&) const = default;
};

struct BackfillPlan {
  std::string project, environment;
  std::string database;  ///< where it runs, without a password
  std::string snapshot;  ///< it runs on a clone of this one; "" on the database itself
  BackfillSpec spec;
  bool operator==(const BackfillPlan&) const = default;
};
std::string to_json(const BackfillPlan& plan);
std::string id_of(const BackfillPlan& plan);
std::string render(const BackfillPlan& plan);

/// The name of the constraint that the safe sequence adds and drops.
std::string not_null_check(const std::string& column);

/// Every statement in order, with "…" for the ends of a batch.
std::vector<std::string> statements_of(const BackfillSpec& spec);

struct BackfillProgress {
  std::uint64_t seen = 0, total = 0;  ///< rows looked at, and of the table as the planner guesses; or pages
  std::uint64_t updated = 0, batches = 0;
  std::string unit;  ///< "rows" or "pages"
  double rows_per_second = 0;
  std::string waiting_for;  ///< why it rests, "" when it does not
  std::string step;         ///< the statement of the safe sequence in hand
};

struct BackfillResult {
  bool complete = false;
  std::string stopped_by;  ///< "abort" when somebody asked for it
  bool resumed = false;    ///< it went on where an earlier run had stopped
  std::uint64_t updated = 0, seen = 0, batches = 0, lock_retries = 0;
  std::uint64_t left = 0;  ///< rows that match `where` at the end
  base::Duration took{0}, waited{0}, longest_batch{0};
};

/// It failed, and the check that it had added could not be taken away: writes of NULL are refused until
/// somebody does.
class CheckLeft : public base::Error {
 public:
  CheckLeft(base::ErrorCode code, const std::string& text, std::string statement)
      : Error(code, text), statement_(std::move(statement)) {}
  const std::string& statement() const noexcept { return statement_; }  ///< takes it away

 private:
  std::string statement_;
};

/// What its sessions are called.
inline constexpr const char* backfill_session = "staithe backfill";

/// Runs it. What was done stands in a table staithe_backfill beside the filled one, in the transaction of
/// each batch, so that a run after kill -9 goes on exactly where this one stopped; it is gone when all is
/// done. One run at a time for each table (an advisory lock). Batches go by primary key, else by page.
/// `on_progress` is called after each batch and while it waits.
/// Throws base::Error: conflict for a second run, timeout when a lock could not be had in all attempts,
/// SqlError; cancelled between or inside batches, with nothing half done; invalid, before anything is
/// written, when NULLs of `not_null` would stay that `where` leaves out. However it ends, the check that it
/// adds on the way to NOT NULL goes; CheckLeft when that failed. Not complete with `left`: rows match `where`
/// that came in behind it. `session` is the application_name, on a clone of one's own as clone_session()
/// says.
BackfillResult run_backfill(const std::string& url, const BackfillSpec& spec,
                            const std::function<void(const BackfillProgress&)>& on_progress,
                            const base::Scope& scope, const std::string& session = backfill_session);

/// What is found, read only, before a backfill begins.
struct Preconditions {
  std::vector<std::string> obstacles;  ///< it could not work, or not end
  std::vector<std::string> warnings;
};
Preconditions backfill_preconditions(pg::Session& session, const BackfillSpec& spec,
                                     const base::Scope& scope);

/// Readers and writers of rows of a table, beside a backfill of a clone, until finish() or the destructor.
class BesideLoad {
 public:
  BesideLoad(const std::string& url, const std::string& table, const base::Scope& scope);
  BesideLoad(BesideLoad&&) noexcept;
  ~BesideLoad();

  struct Stalls {
    std::chrono::microseconds read{0}, write{0};
    std::uint64_t runs = 0;  ///< 0 when the table has no key or no rows
  };
  Stalls finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What the clone lets one expect of production.
std::string forecast(const BesideLoad::Stalls& stalls, base::Duration took);

/// What a run needs beside the plan.
struct BackfillRun {
  std::string run_id;
  std::string url;    ///< with its password
  std::string again;  ///< the command that goes on, for the last lines; "" for none
  base::Duration limit{0};
};

/// run_backfill() of the plan, told as events. `interrupted_exit_code` is that of a run that `stop` ended; 5
/// when the check may have been left. Blocks. Never throws for a failure of the world.
event::RunFinished perform_backfill(const BackfillPlan& plan, const BackfillRun& run, event::EventSink& sink,
                                    const base::Cancel& stop, const std::atomic<int>& interrupted_exit_code);

/// What a run on a clone needs beside the plan.
struct ClonedBackfillRun {
  std::string run_id;
  std::string cluster_url;  ///< any database of the cluster but the snapshot, with its password
  bool keep_clone = false;
  base::Duration limit{0};  ///< for the filling; a clone may take an hour to make
  /// The command that drops a clone of that name.
  std::function<std::string(const std::string&)> drop_command{};
};

/// What a backfill of a clone came to.
struct ClonedBackfill {
  event::RunFinished finished;
  BesideLoad::Stalls stalls;
};

/// The same on a clone of `plan.snapshot` with readers and writers beside it, which is dropped before the end
/// is told: 5 when it could not be.
ClonedBackfill perform_backfill_on_clone(const BackfillPlan& plan, const ClonedBackfillRun& run,
                                         event::EventSink& sink, const base::Cancel& stop,
                                         const std::atomic<int>& interrupted_exit_code);

enum class BackfillWish { go, pause, abort };
/// Limits for a run that is under way, from its next batch on; what is not given stays.
struct BackfillLimits {
  std::optional<base::Duration> batch_time, lock_timeout, most_lag;
  std::optional<std::uint32_t> most_waiting, most_active, rest_percent;
  bool operator==(const BackfillLimits&) const = default;
};
/// True when one of them was another one before.
bool apply(const BackfillLimits& limits, BackfillSpec& spec);
/// Tells a run that is under way what to do, and how fast; false when there is none. An abort of one that was
/// killed takes its check away. A run that is started later has the limits that it is started with.
bool tell_backfill(const std::string& url, const std::string& table, BackfillWish wish,
                   const BackfillLimits& limits, const base::Scope& scope);

/// A statement that needs a strong lock, with lock_timeout from 100 ms up to `longest` and rests with jitter
/// in between, so that nobody queues behind it for longer. Returns how often it was tried in vain. Throws
/// Error{timeout} after `attempts`.
/// Source of the ladder: GitLab's WithLockRetries.
std::uint64_t run_with_lock_retries(pg::Session& session, const std::string& sql, base::Duration longest,
                                    std::uint32_t attempts, const base::Scope& scope);

}  // namespace staithe::stage
