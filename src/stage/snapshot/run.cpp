#include "finish.hpp"
#include "target_database.hpp"
#include "watch.hpp"
#include "ways_out.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <new>
#include <utility>

namespace staithe::stage {
namespace {

constexpr std::uint64_t phases = 8;

/// The steps of one run, in order. What they leave on the source ends with their sessions.
class Runner {
 public:
  Runner(const SnapshotPlan& plan, const SnapshotRun& run, Teller& teller, base::Cancel& stop)
      : plan_(plan),
        stop_(stop),
        context_{plan,
                 run,
                 teller,
                 base::Scope::lasting(run.limit, &stop),
                 "staithe snapshot " + run.run_id,
                 plan.target.database.substr(0, 40) + "_building_" + run.run_id.substr(run.run_id.size() - 4),
                 {}} {}

  void run() {
    connect(context_.scope);
    take_build_lock();
    lock_source();
    build();
    phase(6, "harmless", "what acts by itself is switched off", [&] {
      auto target = context_.target();
      make_harmless(context_, target);
      return std::string();
    });
    phase(7, "verify", "indexes, constraints, sequences", [&] {
      auto target = context_.target();
      verify(context_, target);
      return std::string();
    });
    swap();
  }

  const std::string& database() const { return context_.database; }
  bool has_database() const { return has_database_; }
  bool is_done() const { return is_done_; }
  /// The name that a finished copy has which could not get its own; "" for none.
  const std::string& kept_as() const { return kept_as_; }
  /// Whether there ever was a database of this run.
  bool has_changed() const { return has_changed_; }
  /// Sessions on the source may be there that nobody is at the other end of.
  bool has_left() const { return has_left_; }
  /// The same of pg_dump's, which nothing there ends: ours have limits.
  bool has_left_for_good() const { return has_left_ && is_dumping_; }
  const std::string& application() const { return context_.application; }
  std::string watch_says() const { return watch_ ? watch_->why() : std::string(); }
  const std::string& failed_phase() const { return phase_; }

  void clean_up() noexcept {
    if (watch_) watch_->finish();
    if (std::exchange(holder_, {}))
      has_left_ = are_left_on(context_.run.source_url, context_.application, plan_.source.server);
    if (!has_database_ || is_done_) return;
    try {
      const auto scope = base::Scope::lasting(std::chrono::seconds(20));
      // Who asked for the end does not wait for a server that says nothing; a run that gave way has the time.
      const bool asked = stop_.requested() && watch_says().empty();
      if (cluster_ && cluster_->usable())
        cluster_->run("SELECT 1", asked ? scope.at_most(std::chrono::seconds(3)) : scope);
      else
        connect(scope);
      for (const auto& one : list_snapshots(*cluster_, scope))
        if (is_ours(one)) drop_snapshot(*cluster_, one, true, scope);
      has_database_ = false;
    } catch (const std::exception&) {
      // Said at the end: the database is named there with the command that drops it.
    }
  }

 private:
  /// It may write when it is the server that the plan looked at: another one may answer there by now.
  void connect(const base::Scope& scope) {
    auto session = connect_cluster(context_.run.target_url, target_options(), scope);
    if (const auto system = system_identifier(session, scope); system != plan_.target.system_identifier)
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("{} is another cluster by now ({}, and was {}): run it again",
                                    session.where(), system, plan_.target.system_identifier));
    allow_writes(session, scope);
    cluster_.emplace(std::move(session));
  }

  /// Whether it is what this run was building. There was none of its name before, so that one without a mark
  /// is ours as well.
  bool is_ours(const Snapshot& one) const {
    return one.database == context_.database && one.marker.state == Marker::State::building &&
           (one.marker.run_id.empty() || one.marker.run_id == context_.run.run_id);
  }

  template <class F>
  void phase(std::uint64_t number, const char* step, const std::string& title, F work) {
    phase_ = step;
    Telling telling(context_.teller, "", step, title, number, phases, context_.scope.left());
    try {
      telling.end(event::Outcome::ok, work());
    } catch (const base::Error& error) {
      telling.end(
          error.code() == base::ErrorCode::cancelled ? event::Outcome::cancelled : event::Outcome::failed,
          error.what());
      throw;
    }
  }

  void take_build_lock() {
    const auto answer = cluster_->query("SELECT pg_catalog.pg_try_advisory_lock($1)",
                                        std::vector<pg::Value>{std::to_string(build_lock)}, context_.scope);
    if (answer.rows[0][0] != "t")
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("another snapshot is being built in {}", cluster_->where()));
    // Nobody else builds now, so these are nobody's. Their rows are of a snapshot that ended with its
    // session: to go on with them would mix two moments of production.
    for (const auto& snapshot : list_snapshots(*cluster_, context_.scope))
      if (snapshot.marker.state == Marker::State::building)
        context_.teller.message(
            event::Level::warning,
            fmt::format("{} ({}) is what a run that died left, and of no use: staithe stage "
                        "drop --unfinished",
                        snapshot.database, base::bytes_text(snapshot.size_bytes)));
  }

  /// Locks first, then the snapshot: a table that is truncated in between would read as empty.
  void lock_source() {
    phase(1, "lock",
          fmt::format("{} of {}, then the snapshot", base::count_text(plan_.source.tables.size(), "table"),
                      plan_.source.origin.where),
          [&] {
            holder_.emplace(context_.source());
            holder_->run("SELECT pg_catalog.pg_advisory_lock_shared(" + std::to_string(source_lock) + ")",
                         context_.scope);
            for (int attempt = 1;; ++attempt)
              if (try_lock(attempt)) break;
            const auto answer = holder_->run(
                "SELECT pg_catalog.pg_export_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
                " pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END::text",
                context_.scope);
            context_.exported = answer.rows[0][0].value_or("");
            lsn_ = answer.rows[0][1].value_or("");
            taken_at_ = std::chrono::time_point_cast<Instant::duration>(std::chrono::system_clock::now());
            compare_shapes();
            holder_->run(fmt::format("SET idle_in_transaction_session_timeout = {}", holding_alone.count()),
                         context_.scope);
            watch_.emplace(context_, stop_, [this](const base::Scope& scope) { show_life(scope); });
            return "at " + lsn_;
          });
  }

  bool try_lock(int attempt) {
    constexpr int attempts = 5;
    holder_->run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", context_.scope);
    try {
      context_.lock_tables(*holder_);
      return true;
    } catch (const pg::SqlError& error) {
      holder_->run("ROLLBACK", context_.scope);
      if (error.code() == base::ErrorCode::not_found)
        throw base::Error(error.code(), std::string(error.what()) +
                                            ": a table was dropped or renamed after the plan: run it again");
      if (error.sqlstate() != "55P03" || attempt >= attempts) throw;
      context_.teller.tell(event::Retried{"", "run/1", "a table is locked by somebody else",
                                          static_cast<std::uint32_t>(attempt), attempts});
      base::sleep_for(std::chrono::seconds(attempt), context_.scope);
      return false;
    }
  }

  void compare_shapes() {
    const auto now = shapes_now(*holder_, context_.scope);
    const auto then = shapes_of(plan_.source);
    const auto changed = [](const std::string& name, const char* how) {
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("{} was {} after the plan: run it again", name, how));
    };
    for (const auto& [oid, shape] : now) {
      const auto before = then.find(oid);
      if (before == then.end() || before->second.name != shape.name) changed(shape.name, "made or renamed");
      if (before->second.columns != shape.columns) changed(shape.name, "altered");
    }
    for (const auto& [oid, shape] : then)
      if (now.count(oid) == 0) changed(shape.name, "dropped");
  }

  void build() {
    Schema schema;
    phase(2, "schema", "pg_dump, then a database for it", [&] {
      is_dumping_ = true;
      schema = dump_schema(context_.run.source_url, context_.exported, plan_, context_.application,
                           context_.scope);
      is_dumping_ = false;
      if (database_exists(*cluster_, context_.database, context_.scope))
        throw base::Error(base::ErrorCode::conflict,
                          context_.database + " is there already, and not of this run: run it again");
      has_database_ = has_changed_ = true;
      create_database(context_, *cluster_, marker(Marker::State::building));
      auto target = context_.target();
      create_objects(context_, target, schema.before, lost_);
      return fmt::format("{} objects", schema.before.size());
    });
    phase_ = "copy";
    read_counters();
    Loader loader(context_, schema.after, [this] { return may_resume(); });
    loader.run([this] { release_source(); });
    rows_ = loader.rows();
    phase(5, "constraints", "foreign keys, views, triggers, grants", [&] {
      auto target = context_.target();
      set_sequences(context_, target, counters_);
      const auto orphans = is_subset() ? delete_orphans(context_, target) : 0;
      create_rest(context_, target, std::move(schema.after), lost_);
      return orphans > 0 ? fmt::format("{} rows whose parents stayed behind were dropped", orphans)
                         : std::string();
    });
  }

  bool is_subset() const {
    return std::any_of(plan_.tables.begin(), plan_.tables.end(),
                       [](const TableCopy& one) { return one.filtered; });
  }

  /// Whoever holds the snapshot and is not heard of loses it.
  void show_life(const base::Scope& scope) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    // Who has it speaks to the holder, for minutes where there are many sequences far away, and the watch is
    // there for who waits for our locks meanwhile.
    if (lock && holder_) holder_->run("SELECT 1", scope);
  }

  /// Whether there are large objects. Asked again: the plan's number may be from before the first one.
  bool read_holder() {
    const std::lock_guard lock(mutex_);
    counters_ = read_sequences(context_, *holder_);
    return !holder_->run("SELECT 1 FROM pg_catalog.pg_largeobject_metadata LIMIT 1", context_.scope)
                .rows.empty();
  }

  void read_counters() {
    if (!read_holder()) return;
    auto source = context_.source();
    source.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", context_.scope);
    source.run("SET TRANSACTION SNAPSHOT " + pg::quoted_literal(context_.exported), context_.scope);
    auto target = context_.target();
    copy_large_objects(context_, source, target);
  }

  /// Whether a table can be begun again under the same snapshot: the session that holds it on the source is
  /// there, and so is ours on the target, which ends when that server crashes and takes with it what was
  /// committed without waiting for the disk.
  bool may_resume() {
    const std::lock_guard lock(mutex_);
    const auto scope = context_.scope.at_most(std::chrono::seconds(10));
    try {
      if (!holder_ || !cluster_) return false;
      holder_->run("SELECT 1", scope);
      cluster_->run("SELECT 1", scope);
      return true;
    } catch (const base::Error&) {
      return false;
    }
  }

  /// The last row is there: production's vacuum is free again.
  void release_source() {
    const auto held =
        std::chrono::duration_cast<base::Duration>(std::chrono::system_clock::now() - taken_at_);
    {
      const std::lock_guard lock(mutex_);
      holder_.reset();
    }
    watch_->finish();
    context_.teller.message(
        event::Level::info,
        fmt::format("the source is released; its snapshot was held for {}", base::elapsed_text(held)));
  }

  void swap() {
    phase(8, "swap", "rename to " + plan_.target.database, [&] {
      auto done = marker(Marker::State::complete);
      const auto aside = swap_or_keep(done);
      is_done_ = true;
      const auto dropped = drop_old(context_, *cluster_);
      std::string text = base::count_text(rows_, "row");
      const bool gone = std::find(dropped.begin(), dropped.end(), aside) != dropped.end();
      if (!aside.empty() && !gone) text += fmt::format("; the one before is {} now", aside);
      if (!lost_.empty()) text += fmt::format("; {} things were not carried, see the warnings", lost_.size());
      for (const auto& old : dropped)
        text += fmt::format("; {} was dropped", old == aside ? "the one before" : old);
      return text;
    });
  }

  /// What took hours to copy is not thrown away for a name.
  std::string swap_or_keep(const Marker& done) {
    try {
      return swap_in(context_, *cluster_, done);
    } catch (const base::Error& error) {
      if (stop_.requested()) throw;
      if (!cluster_->usable()) connect(context_.scope);
      if (!database_exists(*cluster_, context_.database, context_.scope)) {
        // Its COMMIT may have been what was not heard of any more.
        if (has_its_name()) return {};
        has_database_ = false;
        rethrow_within(error, context_.database + " is gone: somebody dropped it");
      }
      kept_as_ = keep_beside(context_, *cluster_, done);
      has_database_ = false;
      rethrow_within(error,
                     fmt::format("the copy is whole and is {} now, because {} could not make room for it",
                                 kept_as_, plan_.target.database));
    }
    return {};
  }

  bool has_its_name() {
    const auto all = list_snapshots(*cluster_, context_.scope);
    return std::any_of(all.begin(), all.end(), [&](const Snapshot& one) {
      return one.database == plan_.target.database && one.marker.run_id == context_.run.run_id;
    });
  }

  Marker marker(Marker::State state) const {
    Marker marker;
    marker.name = plan_.target.database;
    marker.state = state;
    marker.origin = plan_.source.origin;
    marker.lsn = lsn_;
    marker.taken_at = taken_at_;
    for (const auto& table : plan_.tables) {
      for (const auto& [column, mask] : table.masks) marker.masked.push_back(table.name + "." + column);
      for (const auto& column : table.nulls_kept) marker.nulls_kept.push_back(table.name + "." + column);
      if (table.filtered) marker.partial.push_back(table.name);
    }
    std::sort(marker.masked.begin(), marker.masked.end());
    std::sort(marker.nulls_kept.begin(), marker.nulls_kept.end());
    std::sort(marker.partial.begin(), marker.partial.end());
    marker.rows = rows_;
    marker.plan_id = id_of(plan_);
    marker.run_id = context_.run.run_id;
    return marker;
  }

  const SnapshotPlan& plan_;
  base::Cancel& stop_;
  Context context_;
  std::optional<pg::Session> cluster_, holder_;
  std::mutex mutex_;  ///< of both sessions while there are jobs
  std::optional<Watch> watch_;
  std::string lsn_, phase_ = "lock", kept_as_;
  Instant taken_at_;
  Counters counters_;
  Lost lost_;
  std::uint64_t rows_ = 0;
  bool has_database_ = false, has_changed_ = false, is_done_ = false, has_left_ = false, is_dumping_ = false;
};

/// Passes a stop from outside on to one that the run itself may request too.
class Relay {
 public:
  Relay(const base::Cancel& from, base::Cancel& to)
      : thread_([this, &from, &to] {
          const auto woke =
              base::wait_for(done_.fd(), POLLIN, base::Scope::lasting(std::chrono::hours(48), &from));
          if (woke == base::Woke::cancelled) to.request();
        }) {}
  ~Relay() {
    done_.request();
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

 private:
  base::Cancel done_;
  std::thread thread_;
};

}  // namespace

event::RunFinished run_snapshot(const SnapshotPlan& plan, const SnapshotRun& run, event::EventSink& sink,
                                const base::Cancel& stop, const std::atomic<int>& interrupted_exit_code) {
  const auto began = std::chrono::steady_clock::now();
  Teller teller(run.run_id, sink);
  event::RunStarted started;
  started.run_id = run.run_id;
  started.plan_id = id_of(plan);
  started.kind = "snapshot";
  started.title = fmt::format("snapshot {} of {}", plan.target.database, plan.source.origin.where);
  started.actions = phases;
  teller.tell(started);
  base::Cancel halt;
  event::RunFinished finished;
  {
    const Relay relay(stop, halt);
    Runner runner(plan, run, teller, halt);
    try {
      runner.run();
      finished.verdict = "done";
    } catch (const std::exception& thrown) {
      // Anything but an Error: no memory, or a defect of ours. That it ended is told all the same.
      const auto* known = dynamic_cast<const base::Error*>(&thrown);
      const bool is_full = dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr;
      const base::Error unknown(base::ErrorCode::failed, is_full ? "out of memory" : thrown.what());
      const auto& error = known != nullptr ? *known : unknown;
      runner.clean_up();
      const auto why = runner.watch_says();
      finished.failed_action = runner.failed_phase();
      finished.failure = why.empty() ? error.what() : why;
      // A timer that tries again adds to what is left on the source each time.
      finished.exit_code = stop.requested()             ? interrupted_exit_code.load()
                           : runner.has_left_for_good() ? event::exit_needs_person
                           : runner.has_changed()       ? event::exit_failed
                                                        : event::exit_refused;
      const bool refused = finished.exit_code == event::exit_refused;
      finished.verdict = stop.requested() ? "interrupted" : refused ? "refused" : "failed";
      finished.next = ways_out(error, plan);  // also where what ended it ended the watch first
      if (runner.has_left()) finished.next.push_back(end_of_sessions(runner.application()));
      if (!runner.kept_as().empty())
        finished.next.push_back(fmt::format(
            "staithe stage rehearse --source {} ...    the new snapshot has everything but the name",
            runner.kept_as()));
      finished.next.push_back(
          fmt::format("staithe stage snapshot    try again{}",
                      plan.target.exists ? "; " + plan.target.database + " is as it was" : ""));
      const bool is_left = runner.has_database() && !runner.is_done();
      if (is_left || !runner.kept_as().empty()) finished.exit_code = event::exit_needs_person;
      if (is_left)
        finished.next.push_back(fmt::format(
            "staithe stage drop {}    an unfinished database that nobody uses", runner.database()));
    }
  }
  finished.duration = std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began);
  teller.tell(finished);
  return finished;
}

}  // namespace staithe::stage
