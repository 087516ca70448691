/// Backfills that are tried on a clone.
#include "backfilling.hpp"
#include "catch.hpp"

#include "staithe/stage/clone.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace staithe;
using backfilling::made;
using golden::server;
using golden::soon;

namespace {

/// How the run was told to have ended, and what was there of clones by then.
struct Listener final : event::EventSink {
  void on_event(const event::Event& event) noexcept override {
    if (heard && std::holds_alternative<event::Progress>(event.payload)) std::exchange(heard, {})();
    const auto* end = std::get_if<event::RunFinished>(&event.payload);
    if (end == nullptr) return;
    finished = *end;
    clones = clones_there();
  }
  static std::string clones_there() {
    return server().sql(
        "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname LIKE '" +
        std::string(stage::backfill_clones) + "%'");
  }
  std::function<void()> heard;  ///< done once, in the middle of the run
  event::RunFinished finished;
  std::string clones = "?";
};

/// Until a session of the readers and writers beside it has begun a second turn, so that it has ended its
/// first. On a busy machine the rows would be filled before any of them has run; where none ever does, it
/// gives up.
void wait_for_load() {
  std::map<std::string, std::set<std::string>> begun;  // to prepare its statement is the first
  const auto patience = soon();
  while (!patience.expired()) {
    std::istringstream seen(
        server().sql("SELECT pid || ' ' || extract(epoch FROM query_start) FROM pg_stat_activity WHERE "
                     "application_name = '" +
                     stage::clone_session("workload") +
                     "' AND query !~ '^(SET|BEGIN|SHOW|RESET)' AND query !~ 'pg_catalog'"));
    for (std::string pid, start; seen >> pid >> start;)
      if (begun[pid].insert(start); begun[pid].size() > 2) return;
    base::sleep_for(base::Duration{20}, patience);
  }
}

}  // namespace

TEST_CASE("a clone that a backfill cannot drop needs a person, and how it ended says so") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  stage::BackfillPlan plan;
  plan.spec = backfilling::spec();
  plan.snapshot = database;
  stage::ClonedBackfillRun run{"run-1", server().url(), false, base::Duration{60'000},
                               [](const std::string& name) { return "drop " + name; }};
  const auto clone = stage::clone_name(stage::backfill_clones, run.run_id, 1);
  const base::Cancel stop;
  const std::atomic<int> interrupted{130};
  Listener listener;
  SECTION("nothing is left when it could be dropped") {
    listener.heard = wait_for_load;
    const auto done = stage::perform_backfill_on_clone(plan, run, listener, stop, interrupted);
    CHECK(done.finished.exit_code == 0);
    CHECK(done.finished.verdict == "done");
    CHECK(done.stalls.runs > 0);
    CHECK(listener.finished.exit_code == 0);
    CHECK(listener.clones == "");
  }
  SECTION("it is kept when that is asked for") {
    run.keep_clone = true;
    CHECK(stage::perform_backfill_on_clone(plan, run, listener, stop, interrupted).finished.exit_code == 0);
    CHECK(listener.clones == clone);
    CHECK(server().sql("SELECT count(*) FROM t WHERE c IS NULL", clone) == "0");
  }
  SECTION("whatever else came of it") {
    const bool stopped = GENERATE(false, true);
    base::Cancel cancel;
    // Staging's cluster is said to be production in the middle of the run: nothing is dropped there any more.
    listener.heard = [&] {
      server().sql("COMMENT ON DATABASE postgres IS 'production of somebody'");
      if (stopped) cancel.request();
    };
    const auto done = stage::perform_backfill_on_clone(plan, run, listener, cancel, interrupted);
    server().sql("COMMENT ON DATABASE postgres IS NULL");
    CHECK(listener.clones == clone);
    CHECK(done.finished.exit_code == 5);
    CHECK(listener.finished.exit_code == 5);
    CHECK(listener.finished.verdict == (stopped ? "interrupted" : "needs a person"));
    CHECK(listener.finished.next == std::vector<std::string>{"drop " + clone + "    a clone that is left"});
  }
  server().sql("DROP DATABASE IF EXISTS " + clone);
}
