/// Backfills on a real server.
#include "staithe/stage/backfill.hpp"

#include "catch.hpp"
#include "support/postgres.hpp"

#include <atomic>
#include <thread>

using namespace staithe;
using base::Scope;

namespace {

test::Postgres& server() {
  static test::Postgres instance;
  return instance;
}
Scope soon() {
  return Scope::lasting(std::chrono::seconds(60));
}

std::string made(const std::string& key) {
  const auto database = server().create_database();
  server().sql("CREATE TABLE t (" + key + ", c text); ", database);
  return database;
}

stage::BackfillSpec spec() {
  stage::BackfillSpec out;
  out.table = "t";
  out.set = "c = 'x'";
  out.where = "c IS NULL";
  out.first_batch = 100;
  out.most_batch = 200;
  return out;
}

}  // namespace

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
  CHECK_FALSE(stage::tell_backfill(url, "t", stage::BackfillWish::abort, soon()));
  std::atomic<bool> paused{false};
  std::string stopped_by;
  std::thread first([&] {
    stopped_by = stage::run_backfill(
                     url, spec(),
                     [&](const stage::BackfillProgress& now) {
                       if (now.batches == 2 && !paused)
                         stage::tell_backfill(url, "t", stage::BackfillWish::pause, soon());
                       if (!now.waiting_for.empty()) paused = true;
                     },
                     soon())
                     .stopped_by;
  });
  while (!paused) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_THROWS_AS(stage::run_backfill(url, spec(), {}, soon()), base::Error);
  CHECK(stage::tell_backfill(url, "t", stage::BackfillWish::abort, soon()));
  first.join();
  CHECK(stopped_by == "abort");
  CHECK(server().sql("SELECT count(*) FROM t WHERE c IS NULL", database) != "0");
}

TEST_CASE("a lock that others hold is tried for again, and nobody queues behind it for long") {
  const auto database = made("id int PRIMARY KEY");
  server().sql("INSERT INTO t (id, c) SELECT g, 'x' FROM generate_series(1, 100) g", database);
  const auto url = server().url(database);
  pg::Session reader(url, {}, soon());
  reader.run("BEGIN; SELECT * FROM t", soon(), pg::Rows::drop);
  // Held for far longer than any try lasts, however busy the machine is.
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::seconds(6));
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
  CHECK(worst < std::chrono::seconds(3));
}
