/// Backfills on a real server.
#include "backfilling.hpp"
#include "catch.hpp"

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

using namespace staithe;
using backfilling::made;
using backfilling::spec;
using base::Scope;
using golden::server;
using golden::soon;

TEST_CASE("by key: every row once, and NOT NULL afterwards, nothing left behind") {
  const auto database = made("a text, b int, PRIMARY KEY (a, b)");
  server().sql(
      "INSERT INTO t SELECT 'k' || g % 7, g, CASE WHEN g % 3 = 0 THEN 'old' END FROM generate_series(1, "
      "3000) g",
      database);
  auto wanted = spec();
  wanted.not_null = "c";
  std::uint64_t calls = 0;
  const auto result = stage::run_backfill(
      server().url(database), wanted, [&](const auto&) { ++calls; }, soon());
  CHECK(result.complete);
  CHECK(result.updated == 2000);
  CHECK(result.batches > 10);
  CHECK(calls > 10);
  CHECK(server().sql("SELECT count(*) FROM t WHERE c = 'old'", database) == "1000");
  CHECK(server().sql("SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'",
                     database) == "t");
  CHECK(server().sql("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'",
                     database) == "0");
  CHECK(server().sql("SELECT coalesce(to_regclass('staithe_backfill')::text, 'gone')", database) == "gone");
}

namespace {

std::string checks(const std::string& database) {
  return server().sql("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'",
                      database);
}

/// Runs it, and calls `behind_check` after each batch while the check is there.
void until_check(const std::string& database, const stage::BackfillSpec& wanted,
                 const std::function<void()>& behind_check) {
  stage::run_backfill(
      server().url(database), wanted,
      [&](const stage::BackfillProgress& now) {
        if (now.step.empty() && checks(database) == "1") behind_check();
      },
      soon());
}

stage::BackfillSpec not_null_spec() {
  auto out = spec();
  out.not_null = "c";
  return out;
}

}  // namespace

TEST_CASE("NULLs that the condition leaves out are refused before anything is written") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 500) g", database);
  auto wanted = not_null_spec();
  wanted.where = "c IS NULL AND id > 10";
  try {
    stage::run_backfill(server().url(database), wanted, {}, soon());
    FAIL("it was not refused");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::ErrorCode::invalid);
    CHECK(std::string(error.what()).find("leaves out") != std::string::npos);
  }
  CHECK(checks(database) == "0");
  CHECK(server().sql("SELECT count(*) FROM t WHERE c IS NULL", database) == "500");
  CHECK(server().sql("SELECT coalesce(to_regclass('staithe_backfill')::text, 'gone')", database) == "gone");
}

TEST_CASE("a SET that gives NULL comes to no check, by key and by page") {
  const auto* const key = GENERATE("id int PRIMARY KEY", "id int");
  const auto database = made(key);
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 500) g", database);
  auto wanted = not_null_spec();
  wanted.set = "c = nullif(id, 77)::text";
  try {
    stage::run_backfill(server().url(database), wanted, {}, soon());
    FAIL("it did not fail");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::ErrorCode::failed);
    CHECK(std::string(error.what()).find("leaves c NULL in 1 row ") != std::string::npos);
  }
  CHECK(checks(database) == "0");
  server().sql("UPDATE t SET c = NULL WHERE id = 77", database);
}

TEST_CASE("whatever ends it behind its check, the check goes; the next run comes to NOT NULL") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  const auto url = server().url(database);
  bool was_there = false;
  SECTION("abort") {
    until_check(database, not_null_spec(), [&] {
      was_there = true;
      stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon());
    });
  }
  SECTION("a signal") {
    base::Cancel cancel;
    CHECK_THROWS_AS(stage::run_backfill(
                        url, not_null_spec(),
                        [&](const stage::BackfillProgress& now) {
                          was_there = checks(database) == "1";
                          if (now.step.empty() && was_there) cancel.request();
                        },
                        Scope::lasting(std::chrono::seconds(60), &cancel)),
                    base::Error);
  }
  SECTION("its session is ended") {
    CHECK_THROWS_AS(
        until_check(database, not_null_spec(),
                    [&] {
                      was_there = true;
                      server().sql(
                          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                          "application_name = 'staithe backfill' AND datname = current_database()",
                          database);
                    }),
        base::Error);
  }
  CHECK(was_there);
  CHECK(checks(database) == "0");
  server().sql("INSERT INTO t VALUES (-1)", database);  // nothing refuses it
  CHECK(stage::run_backfill(url, not_null_spec(), {}, soon()).complete);
  CHECK(server().sql("SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'",
                     database) == "t");
  CHECK(checks(database) == "0");
}

TEST_CASE("a check that cannot be dropped is named, with the statement that drops it") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  const auto url = server().url(database);
  pg::Session reader(url, {}, soon());
  auto wanted = not_null_spec();
  wanted.attempts = 2;
  try {
    until_check(database, wanted, [&] {
      if (!reader.in_transaction()) reader.run("BEGIN; SELECT * FROM t", soon(), pg::Rows::drop);
      stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon());
    });
    FAIL("the check was not reported");
  } catch (const stage::CheckLeft& left) {
    CHECK(left.statement() == "ALTER TABLE public.t DROP CONSTRAINT IF EXISTS \"c_not_null_staithe\"");
    CHECK(std::string(left.what()).find("c_not_null_staithe") != std::string::npos);
    reader.run("COMMIT", soon());
    CHECK(checks(database) == "1");
    // An abort without a run that hears it takes it away.
    CHECK(stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon()));
    CHECK(checks(database) == "0");
  }
}

TEST_CASE("what has to be looked at by a person has exit code 5 and the statement") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  stage::BackfillPlan plan;
  plan.spec = not_null_spec();
  plan.spec.attempts = 2;
  const stage::BackfillRun run{"run-1", server().url(database), "staithe backfill t", base::Duration{60'000}};
  pg::Session reader(run.url, {}, soon());
  // Once the check is there, a reader comes who does not go, and somebody wants an end.
  struct Listener final : event::EventSink {
    std::function<void(const std::string&)> heard;
    void on_event(const event::Event& event) noexcept override {
      if (const auto* message = std::get_if<event::Message>(&event.payload)) heard(message->text);
    }
  } listener;
  listener.heard = [&](const std::string& text) {
    if (text.find("VALIDATE") == std::string::npos) return;
    reader.run("BEGIN; SELECT * FROM t", soon(), pg::Rows::drop);
  };
  const base::Cancel stop;
  const std::atomic<int> interrupted{130};
  const auto ended = stage::perform_backfill(plan, run, listener, stop, interrupted);
  CHECK(ended.exit_code == 5);
  REQUIRE(ended.next.size() == 2);
  CHECK(ended.next[0].find("ALTER TABLE public.t DROP CONSTRAINT IF EXISTS") == 0);
  CHECK(ended.next[1].find("staithe backfill t") == 0);
  reader.run("COMMIT", soon());
  CHECK(checks(database) == "1");
  CHECK(stage::perform_backfill(plan, run, listener, stop, interrupted).exit_code == 0);
  CHECK(checks(database) == "0");
}

TEST_CASE("what nobody foresaw ends it like any other failure: told, with the way on, and without a check") {
  SECTION("in the run") {
    const auto database = made("id int PRIMARY KEY");
    server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
    CHECK_THROWS_AS(stage::run_backfill(
                        server().url(database), not_null_spec(),
                        [](const stage::BackfillProgress& now) {
                          if (now.step.find("VALIDATE") != std::string::npos) throw std::bad_alloc();
                        },
                        soon()),
                    std::bad_alloc);
    CHECK(checks(database) == "0");
  }
  SECTION("a checkpoint whose key is no number of texts") {
    const auto database = made("id int PRIMARY KEY");
    server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
    base::Cancel cancel;
    CHECK_THROWS_AS(stage::run_backfill(
                        server().url(database), spec(), [&](const auto&) { cancel.request(); },
                        Scope::lasting(std::chrono::seconds(60), &cancel)),
                    base::Error);
    server().sql("UPDATE staithe_backfill SET place = jsonb_set(place, '{key}', '[1]')", database);
    struct Listener final : event::EventSink {
      int exit_code = -1;
      void on_event(const event::Event& event) noexcept override {
        if (const auto* end = std::get_if<event::RunFinished>(&event.payload)) exit_code = end->exit_code;
      }
    } listener;
    stage::BackfillPlan plan;
    plan.spec = spec();
    const stage::BackfillRun run{"run-1", server().url(database), "staithe backfill t",
                                 base::Duration{60'000}};
    const base::Cancel stop;
    const std::atomic<int> interrupted{130};
    const auto ended = stage::perform_backfill(plan, run, listener, stop, interrupted);
    CHECK(ended.exit_code == 1);
    CHECK(ended.verdict == "failed");
    CHECK(listener.exit_code == 1);
    CHECK(ended.next.size() == 1);
    CHECK(server().sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'staithe backfill'") ==
          "0");
  }
}

TEST_CASE("without NOT NULL it is another backfill, which fills from the beginning") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  until_check(database, not_null_spec(), [&] {
    stage::tell_backfill(server().url(database), "t", stage::BackfillWish::abort, {}, soon());
  });
  server().sql("UPDATE t SET c = NULL", database);
  const auto result = stage::run_backfill(server().url(database), spec(), {}, soon());
  CHECK(result.complete);
  CHECK(result.updated == 1000);
}

TEST_CASE("rows that came in behind it are counted, and it is not complete") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 1000) g", database);
  bool once = false;
  const auto result = stage::run_backfill(
      server().url(database), spec(),
      [&](const stage::BackfillProgress&) {
        if (!std::exchange(once, true)) server().sql("INSERT INTO t VALUES (-1), (-2), (-3)", database);
      },
      soon());
  CHECK_FALSE(result.complete);
  CHECK(result.left == 3);
  CHECK(stage::run_backfill(server().url(database), spec(), {}, soon()).complete);
}

TEST_CASE("without a key it goes by pages") {
  const auto database = made("a int");
  server().sql("INSERT INTO t SELECT g FROM generate_series(1, 20000) g", database);
  const auto result = stage::run_backfill(server().url(database), spec(), {}, soon());
  CHECK(result.complete);
  CHECK(result.updated == 20'000);
}

TEST_CASE("stopped between any two batches, the next run goes on; no row is filled twice") {
  const auto database = made("id int PRIMARY KEY, n int DEFAULT 0");
  server().sql("INSERT INTO t (id) SELECT g FROM generate_series(1, 5000) g", database);
  auto wanted = spec();
  wanted.set = "c = 'x', n = n + 1";
  wanted.where = "true";  // a row that is met twice is counted twice
  int stops = 0;
  for (bool complete = false; !complete; ++stops) {
    REQUIRE(stops < 100);
    base::Cancel cancel;
    std::uint64_t seen = 0;
    try {
      const auto result = stage::run_backfill(
          server().url(database), wanted,
          [&](const auto&) {
            if (++seen == 3) cancel.request();
          },
          Scope::lasting(std::chrono::seconds(60), &cancel));
      complete = result.complete;
      CHECK(result.resumed == (stops > 0));
    } catch (const base::Error& error) {
      CHECK(error.code() == base::ErrorCode::cancelled);
    }
  }
  CHECK(stops > 3);
  CHECK(server().sql("SELECT min(n) || ' ' || max(n) FROM t", database) == "1 1");
}

TEST_CASE("one at a time; pause and abort are heard") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t (id) SELECT g FROM generate_series(1, 4000) g", database);
  const auto url = server().url(database);
  CHECK_FALSE(stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon()));
  std::atomic<bool> paused{false};
  std::string stopped_by;
  std::thread first([&] {
    stopped_by = stage::run_backfill(
                     url, spec(),
                     [&](const stage::BackfillProgress& now) {
                       if (now.batches == 2 && !paused)
                         stage::tell_backfill(url, "t", stage::BackfillWish::pause, {}, soon());
                       if (!now.waiting_for.empty()) paused = true;
                     },
                     soon())
                     .stopped_by;
  });
  while (!paused) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_THROWS_AS(stage::run_backfill(url, spec(), {}, soon()), base::Error);
  CHECK(stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon()));
  first.join();
  CHECK(stopped_by == "abort");
  CHECK(server().sql("SELECT count(*) FROM t WHERE c IS NULL", database) != "0");
}

TEST_CASE("however tries for a lock end, the session waits for locks as before") {
  const auto database = made("id int PRIMARY KEY");
  const auto url = server().url(database);
  pg::Session session(url, {}, soon());
  const auto timeout = [&] { return session.run("SHOW lock_timeout", soon()).rows.at(0)[0]; };
  CHECK_THROWS_AS(
      stage::run_with_lock_retries(session, "ALTER TABLE nowhere ADD x int", base::Duration{100}, 2, soon()),
      pg::SqlError);
  CHECK(timeout() == "0");
  pg::Session reader(url, {}, soon());
  reader.run("BEGIN; SELECT * FROM t", soon(), pg::Rows::drop);
  const auto alter = "ALTER TABLE t ALTER c SET NOT NULL";
  CHECK_THROWS_AS(stage::run_with_lock_retries(session, alter, base::Duration{100}, 2, soon()), base::Error);
  CHECK(timeout() == "0");
  base::Cancel stop;
  std::thread stops([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request();
  });
  CHECK_THROWS_AS(stage::run_with_lock_retries(session, alter, base::Duration{20'000}, 2,
                                               Scope::lasting(std::chrono::seconds(60), &stop)),
                  base::Error);
  stops.join();
  CHECK(timeout() == "0");
}
