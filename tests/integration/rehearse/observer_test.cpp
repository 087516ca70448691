/// What samples and the session itself say of a lock, put together.
#include "observer.hpp"

#include "catalog.hpp"
#include "catch.hpp"
#include "golden.hpp"

#include <thread>

using namespace golden;

TEST_CASE("a lock that was first seen when its statement had ended counts from the statement's beginning") {
  pg::Session session(server().url("golden"), {}, soon());
  stage::LockObserver observer(server().url("golden"), session.backend_pid(), soon());
  observer.begin_statement(0);
  session.run("BEGIN", soon());
  const auto began = std::chrono::steady_clock::now();
  session.run("LOCK TABLE app.filled", soon());
  const auto ended = std::chrono::steady_clock::now();
  // Long enough for samples, all of which come after the statement.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  observer.note_held(stage::held_locks(session, soon()), began);
  session.run("COMMIT", soon());
  observer.note_released(std::chrono::steady_clock::now());
  const auto seen = observer.finish();
  REQUIRE(observer.problem().empty());
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].granted >= began);
  CHECK(seen[0].granted <= ended);
  CHECK(seen[0].asked == seen[0].granted);
  CHECK(seen[0].released > ended);
}

TEST_CASE("a lock that a statement takes late, behind work of its own, counts from there") {
  pg::Session session(server().url("golden"), {}, soon());
  // The second has its lock for so short that maybe no sample saw it before the session itself is asked.
  for (const auto* end : {"PERFORM pg_sleep(0.1);", ""}) {
    INFO(end);
    stage::LockObserver observer(server().url("golden"), session.backend_pid(), soon());
    observer.begin_statement(0);
    session.run("BEGIN", soon());
    const auto began = std::chrono::steady_clock::now();
    session.run("DO $$ BEGIN PERFORM pg_sleep(3); LOCK TABLE app.filled; " + std::string(end) + " END $$",
                soon());
    observer.note_held(stage::held_locks(session, soon()), began);
    session.run("COMMIT", soon());
    const auto seen = observer.finish();
    REQUIRE(observer.problem().empty());
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].granted - began > std::chrono::milliseconds(500));
    CHECK(seen[0].asked == seen[0].granted);
  }
}

TEST_CASE("a lock that was waited for counts from when it was granted") {
  pg::Session holder(server().url("golden"), {}, soon()), session(server().url("golden"), {}, soon());
  stage::LockObserver observer(server().url("golden"), session.backend_pid(), soon());
  holder.run("BEGIN", soon());
  holder.run("LOCK TABLE app.filled IN SHARE MODE", soon());
  observer.begin_statement(0);
  session.run("BEGIN", soon());
  const auto began = std::chrono::steady_clock::now();
  std::thread lets_go([&] {
    while (server().sql("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)") != "t") {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    holder.run("COMMIT", soon());
  });
  session.run("LOCK TABLE app.filled", soon());
  lets_go.join();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  observer.note_held(stage::held_locks(session, soon()), began);
  session.run("COMMIT", soon());
  const auto seen = observer.finish();
  REQUIRE(observer.problem().empty());
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].granted - seen[0].asked > std::chrono::milliseconds(200));
}
