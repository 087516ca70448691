/// How a backfill makes room for others, and waits for them.
#include "backfilling.hpp"
#include "catch.hpp"
#include "throttle.hpp"

#include <atomic>
#include <thread>

using namespace staithe;
using backfilling::made;
using backfilling::spec;
using base::Scope;
using golden::server;
using golden::soon;

TEST_CASE("it rests for whoever waits for locks, for load, and for a file") {
  const auto database = made("id int PRIMARY KEY");
  const auto url = server().url(database);
  pg::Session session(url, {}, soon());
  auto wanted = spec();
  const auto reason = [&] { return stage::Throttle(wanted).reason(session, soon()); };
  wanted.most_waiting = 0;
  CHECK(reason().empty());
  pg::Session holds(url, {}, soon());
  holds.run("BEGIN; LOCK TABLE t", soon());
  pg::Session waits(url, {}, soon());
  base::Cancel enough;
  std::thread waiting([&] {
    try {
      waits.run("SELECT FROM t", Scope::lasting(std::chrono::seconds(60), &enough), pg::Rows::drop);
    } catch (const base::Error&) {
      // cut short
    }
  });
  while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)", database) != "t")
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(reason() == "1 session that waits for locks");
  wanted.most_waiting = 1;
  CHECK(reason().empty());
  wanted.most_active = 1;
  CHECK(reason().empty());
  pg::Session works(url, {}, soon());
  std::thread working([&] {
    try {
      works.run("SELECT pg_sleep(60)", Scope::lasting(std::chrono::seconds(60), &enough), pg::Rows::drop);
    } catch (const base::Error&) {
      // cut short
    }
  });
  while (server().sql("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'pg_sleep.60' AND state = "
                      "'active' AND pid <> pg_backend_pid())",
                      database) != "t")
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(reason() == "2 active sessions");
  enough.request();
  waiting.join();
  working.join();
  wanted.most_active = 0;
  wanted.pause_file = "/proc/self/stat";
  CHECK(reason() == "the file /proc/self/stat");
}

TEST_CASE("its limits can be altered while it runs, until it is started again") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t (id) SELECT g FROM generate_series(1, 6000) g", database);
  const auto url = server().url(database);
  // As an earlier version left its table.
  server().sql(
      "CREATE TABLE staithe_backfill (id text PRIMARY KEY, target text NOT NULL, place jsonb NOT NULL, wish "
      "text "
      "NOT NULL DEFAULT 'go', began timestamptz NOT NULL DEFAULT now(), saved timestamptz NOT NULL DEFAULT "
      "now())",
      database);
  // Somebody waits for a lock elsewhere, which is no reason to rest until it is told so.
  server().sql("CREATE TABLE other (id int)", database);
  pg::Session holds(url, {}, soon()), waits(url, {}, soon());
  holds.run("BEGIN; LOCK TABLE other", soon());
  base::Cancel enough;
  std::thread waiting([&] {
    try {
      waits.run("SELECT FROM other", Scope::lasting(std::chrono::seconds(60), &enough), pg::Rows::drop);
    } catch (const base::Error&) {
      // cut short
    }
  });
  while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)", database) != "t")
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  stage::BackfillLimits limits;
  limits.rest_percent = 10;
  limits.most_waiting = 0;
  std::vector<std::string> steps, reasons;
  const auto first = stage::run_backfill(
      url, spec(),
      [&](const stage::BackfillProgress& now) {
        if (!now.step.empty()) return steps.push_back(now.step);
        if (!now.waiting_for.empty()) {
          reasons.push_back(now.waiting_for);
          stage::tell_backfill(url, "t", stage::BackfillWish::abort, {}, soon());
        } else if (now.batches == 12) {
          stage::tell_backfill(url, "t", stage::BackfillWish::go, limits, soon());
        } else if (now.batches > 12) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it looks around twice a second
        }
      },
      soon());
  CHECK(first.stopped_by == "abort");
  CHECK(first.batches >= 12);
  CHECK(reasons == std::vector<std::string>{"1 session that waits for locks"});
  CHECK(steps == std::vector<std::string>{"limits from now on: batches of 200ms, 500ms for a lock, a lag of "
                                          "10s, 0 waiting, any number active, rests of 10 %"});
  CHECK(stage::run_backfill(url, spec(), {}, soon()).complete);
  enough.request();
  waiting.join();
}

TEST_CASE("a lock that others hold is tried for again, and nobody queues behind it for long") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t (id, c) SELECT g, 'x' FROM generate_series(1, 100) g", database);
  const auto url = server().url(database);
  pg::Session reader(url, {}, soon());
  reader.run("BEGIN; SELECT * FROM t", soon(), pg::Rows::drop);
  // Held for far longer than any try lasts, however busy the machine is.
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::seconds(5));
    reader.run("COMMIT", soon());
  });
  pg::Session other(url, {}, soon());
  pg::Session alter(url, {}, soon());
  std::uint64_t retries = 0;
  std::thread altering([&] {
    retries = stage::run_with_lock_retries(alter, "ALTER TABLE t ALTER c SET NOT NULL", base::Duration{200},
                                           60, soon());
  });
  auto worst = std::chrono::steady_clock::duration::zero();
  std::atomic<bool> over{false};
  std::thread watching([&] {
    altering.join();
    over = true;
  });
  while (!over) {
    const auto began = std::chrono::steady_clock::now();
    other.run("SELECT FROM t LIMIT 1", soon(), pg::Rows::drop);
    worst = std::max(worst, std::chrono::steady_clock::now() - began);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  watching.join();
  release.join();
  CHECK(retries > 2);
  CHECK(worst < std::chrono::seconds(4));
}
