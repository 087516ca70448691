#include "batches.hpp"
#include "limits.hpp"
#include "numbers.hpp"
#include "throttle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Scope;
using std::chrono::duration_cast;
using std::chrono::steady_clock;

constexpr Duration rest_while_throttled{500};
constexpr Duration most_rest{60'000};  ///< the session is taken for nobody's in twice that
constexpr Duration patience_with_drop{60'000};
constexpr std::uint64_t first_pages = 64;

class Run {
 public:
  Run(const std::string& url, const std::string& name, const BackfillSpec& spec,
      const std::function<void(const BackfillProgress&)>& tell, const Scope& scope)
      : url_(url),
        name_(name),
        session_(connect_backfill(url, name, scope)),
        spec_(spec),
        tell_(tell),
        scope_(scope),
        throttle_(spec_),
        walk_(look_at_table(session_, spec.table, scope)),
        checkpoints_(walk_, spec) {}

  BackfillResult run() {
    const auto began = steady_clock::now();
    take_turn();
    if (spec_.not_null.empty()) {
      go();
    } else {
      (void)not_null_state();  // there is such a column
      try {
        refuse_nulls_left_out(ErrorCode::invalid);
        go();
      } catch (const Error& error) {
        drop_check(error.code(), error.what());
        throw;
      } catch (const std::exception& error) {
        drop_check(ErrorCode::failed, error.what());
        throw;
      }
      if (!result_.stopped_by.empty()) drop_check(ErrorCode::failed, "somebody asked it to stop");
    }
    result_.took = duration_cast<Duration>(steady_clock::now() - began);
    return result_;
  }

 private:
  void go() {
    Checkpoint checkpoint;
    checkpoint.size = walk_.keys.empty() ? first_pages : spec_.first_batch;
    checkpoint.end_page = walk_.pages;
    result_.resumed = checkpoints_.open(session_, checkpoint, scope_);
    bool done = (checkpoint.pass == 2 && !spec_.not_null.empty()) || fill(checkpoint);
    if (done && !spec_.not_null.empty()) done = fill_behind_check(checkpoint);
    result_.updated = checkpoint.updated;
    result_.seen = checkpoint.seen;
    result_.batches = checkpoint.batches;
    if (done) finish(checkpoint);
  }

  /// NULLs that no batch comes to would be refused by the check, and every UPDATE of their rows with them.
  void refuse_nulls_left_out(ErrorCode code) {
    if (spec_.where == spec_.not_null + " IS NULL") return;
    const auto found =
        session_.run(fmt::format("SELECT EXISTS (SELECT FROM {} WHERE {} IS NULL AND ({}) IS NOT TRUE)",
                                 walk_.table, spec_.not_null, spec_.where),
                     scope_);
    if (found.rows.at(0)[0] == "t")
      throw Error(code,
                  fmt::format("{} cannot become NOT NULL: it is NULL in rows that --where {} leaves out",
                              spec_.not_null, spec_.where));
  }

  /// It did not come to NOT NULL: the check goes, lest it refuse what the application writes.
  void drop_check(ErrorCode code, const std::string& why) {
    const auto drop = fmt::format("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", walk_.table, constraint());
    const Scope scope = Scope::lasting(patience_with_drop);  // also after a signal
    try {
      if (session_.usable() && session_.in_transaction()) session_.run("ROLLBACK", scope);
    } catch (const Error&) {
      // It is dropped in a session of its own.
    }
    try {
      auto session = connect_backfill(url_, name_, scope);
      const pg::Value values[] = {walk_.table, not_null_check(spec_.not_null)};
      if (session
              .query("SELECT FROM pg_constraint WHERE conrelid = $1::regclass AND conname = $2", values,
                     scope)
              .rows.empty())
        return;
      run_with_lock_retries(session, drop, spec_.lock_timeout, spec_.attempts, scope);
    } catch (const Error& error) {
      throw CheckLeft(code,
                      fmt::format("{}; and the check {} may be there still, which refuses NULL: {}", why,
                                  constraint(), error.what()),
                      drop);
    }
  }

  /// Two at once would share a checkpoint. The server takes a moment to see that one was stopped just now.
  void take_turn() {
    constexpr base::Duration patience{3'000}, once_more{100};
    const pg::Value name("staithe backfill " + walk_.table);
    const auto waiting = scope_.at_most(patience);
    do {
      const auto taken =
          session_.query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", {&name, 1}, scope_);
      if (taken.rows.at(0)[0] == "t") return;
    } while (base::sleep_for(once_more, waiting) == base::Woke::ready);
    throw Error(ErrorCode::conflict, "a backfill of " + walk_.table + " is under way already");
  }

  std::string constraint() const { return pg::quoted_name(not_null_check(spec_.not_null)); }
  std::string bare_column() const {
    std::string name = spec_.not_null;
    if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);
    return name;
  }
  /// "t" when the column is NOT NULL; then whether the constraint is there, and whether it is valid.
  pg::Row not_null_state() {
    const pg::Value values[] = {walk_.table, bare_column(), not_null_check(spec_.not_null)};
    const auto found = session_.query(
        "SELECT a.attnotnull, c.oid IS NOT NULL, coalesce(c.convalidated, false) FROM pg_attribute a LEFT "
        "JOIN "
        "pg_constraint c ON c.conrelid = a.attrelid AND c.conname = $3 WHERE a.attrelid = $1::regclass AND "
        "a.attname "
        "= $2 AND a.attnum > 0 AND NOT a.attisdropped",
        values, scope_);
    if (found.rows.empty())
      throw Error(ErrorCode::not_found, walk_.table + " has no column " + spec_.not_null);
    return found.rows[0];
  }

  void step(const std::string& sql) {
    BackfillProgress progress;
    progress.step = sql;
    if (tell_) tell_(progress);
    result_.lock_retries += run_with_lock_retries(session_, sql, spec_.lock_timeout, spec_.attempts, scope_);
  }

  /// With the check there from the start, no new NULL would come in, but every UPDATE of an old row that is
  /// not filled yet would fail, whatever it sets. So the old rows come first, then the check, and then the
  /// few that came in between.
  bool fill_behind_check(Checkpoint& checkpoint) {
    const auto state = not_null_state();
    // A run that failed behind its check has taken that away.
    if (checkpoint.pass == 1 || (state[0] != "t" && state[1] != "t")) {
      refuse_nulls_left_out(ErrorCode::failed);
      prepare_not_null();
      checkpoint.pass = 2;
      checkpoint.seen = 0;
      checkpoint.last_key.clear();
      checkpoint.last_page = 0;
      checkpoint.end_page = look_at_table(session_, spec_.table, scope_).pages;
      checkpoints_.save(session_, checkpoint, scope_);
    }
    return fill(checkpoint);
  }

  void prepare_not_null() {
    const auto state = not_null_state();
    if (state[0] == "t" || state[1] == "t") return;
    step(fmt::format("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID", walk_.table,
                     constraint(), spec_.not_null));
  }

  void complete_not_null() {
    auto state = not_null_state();
    if (state[0] != "t") {
      if (state[2] != "t")
        step(fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {}", walk_.table, constraint()));
      step(fmt::format("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", walk_.table, spec_.not_null));
    }
    if (state[1] == "t") step(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", walk_.table, constraint()));
  }

  /// False when somebody asked for an end.
  bool fill(Checkpoint& checkpoint) {
    const auto began = steady_clock::now();
    const std::uint64_t updated_before = checkpoint.updated;
    for (bool last = false; !last;) {
      if (!wait_while_throttled(checkpoint)) return false;
      const auto batch_began = steady_clock::now();
      last = one_batch(checkpoint);
      const auto took = duration_cast<Duration>(steady_clock::now() - batch_began);
      result_.longest_batch = std::max(result_.longest_batch, took);
      adapt(checkpoint, took);
      const auto elapsed = std::chrono::duration<double>(steady_clock::now() - began).count();
      const double rate =
          elapsed > 0 ? static_cast<double>(checkpoint.updated - updated_before) / elapsed : 0;
      say(checkpoint, rate, {});
      if (spec_.rest_percent > 0 && !last)
        base::sleep_for(std::min(most_rest, took * spec_.rest_percent / 100), scope_);
      scope_.check("the backfill");
    }
    return true;
  }

  void say(const Checkpoint& checkpoint, double rate, std::string waiting_for) const {
    if (!tell_) return;
    const bool pages = walk_.keys.empty();
    tell_({checkpoint.seen,
           pages ? checkpoint.end_page : walk_.rows,
           checkpoint.updated,
           checkpoint.batches,
           pages ? "pages" : "rows",
           rate,
           std::move(waiting_for),
           {}});
  }

  void heed(const BackfillLimits& limits) {
    if (!apply(limits, spec_) || !tell_) return;
    BackfillProgress progress;
    progress.step = fmt::format(
        "limits from now on: batches of {}, {} for a lock, a lag of {}, {} waiting, {} active, rests of {} %",
        base::to_text(spec_.batch_time), base::to_text(spec_.lock_timeout), base::to_text(spec_.most_lag),
        spec_.most_waiting, spec_.most_active == 0 ? "any number" : std::to_string(spec_.most_active),
        spec_.rest_percent);
    tell_(progress);
  }

  bool wait_while_throttled(const Checkpoint& checkpoint) {
    for (;;) {
      const auto [wish, limits] = checkpoints_.told(session_, scope_);
      heed(limits);
      if (wish == "abort") {
        result_.stopped_by = "abort";
        return false;
      }
      const std::string reason =
          wish == "pause" ? std::string("somebody who said pause") : throttle_.reason(session_, scope_);
      if (reason.empty()) return true;
      say(checkpoint, 0, reason);
      const auto began = steady_clock::now();
      base::sleep_for(rest_while_throttled, scope_);
      scope_.check("the backfill");
      result_.waited += duration_cast<Duration>(steady_clock::now() - began);
    }
  }

  bool one_batch(Checkpoint& checkpoint) {
    for (std::uint32_t attempt = 0;; ++attempt) {
      const Checkpoint before = checkpoint;
      try {
        session_.run("BEGIN", scope_);
        session_.run("SET LOCAL lock_timeout = " + std::to_string(spec_.lock_timeout.count()), scope_);
        const Batch batch = run_batch(session_, walk_, spec_, checkpoint, scope_);
        checkpoints_.save(session_, checkpoint, scope_);
        session_.run("COMMIT", scope_);
        return batch.last;
      } catch (const pg::StatementError& error) {
        if (session_.in_transaction()) session_.run("ROLLBACK", scope_);
        checkpoint = before;
        const bool again = error.sqlstate() == "55P03" || error.sqlstate().starts_with("40");
        if (!again) throw;
        if (attempt + 1 >= spec_.attempts)
          throw Error(ErrorCode::timeout, "a batch met locked rows " + std::to_string(spec_.attempts) +
                                              " times; it goes on from here when it is started again");
      }
      ++result_.lock_retries;
      checkpoint.size = std::max<std::uint64_t>(1, checkpoint.size / 2);
      base::sleep_for(Duration{50} * (attempt + 1), scope_);
      scope_.check("the backfill");
    }
  }

  void adapt(Checkpoint& checkpoint, Duration took) const {
    const double ratio = static_cast<double>(spec_.batch_time.count()) /
                         static_cast<double>(std::max<Duration::rep>(1, took.count()));
    const double size = static_cast<double>(checkpoint.size) * std::clamp(ratio, 0.5, 2.0);
    checkpoint.size = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(size), 1, spec_.most_batch);
  }

  void finish(const Checkpoint& checkpoint) {
    if (!spec_.not_null.empty()) complete_not_null();
    const auto left =
        session_.run(fmt::format("SELECT count(*) FROM {} WHERE {}", walk_.table, spec_.where), scope_);
    result_.left = number_of(left.rows.at(0)[0]);
    checkpoints_.close(session_, spec_, scope_);
    // SET does not touch what such a `where` asks, which cannot tell then what was filled.
    const bool stable = checkpoint.updated > 0 && checkpoint.still == checkpoint.updated;
    result_.complete = result_.left == 0 || stable;
  }

  std::string url_, name_;
  pg::Session session_;
  BackfillSpec spec_;  ///< its limits may be altered while it runs
  const std::function<void(const BackfillProgress&)>& tell_;
  Scope scope_;
  Throttle throttle_;
  Walk walk_;
  Checkpoints checkpoints_;
  BackfillResult result_;
};

}  // namespace

BackfillResult run_backfill(const std::string& url, const BackfillSpec& spec,
                            const std::function<void(const BackfillProgress&)>& on_progress,
                            const Scope& scope, const std::string& session) {
  return Run(url, session, spec, on_progress, scope).run();
}

}  // namespace staithe::stage
