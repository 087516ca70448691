/// What becomes one list of what triggers told and what samples saw; and how far standbys are behind.
#include "command_trace.hpp"

#include "catch.hpp"
#include "throttle.hpp"

using namespace staithe;
using Seen = stage::CommandTrace::Seen;

namespace {

Seen seen(int pid, const std::string& text, std::int64_t began, std::int64_t ended, bool certain = false) {
  Seen one;
  one.pid = pid;
  one.text = text;
  one.began = began;
  one.ended = ended;
  one.certain = certain;
  return one;
}

}  // namespace

TEST_CASE("a statement that a trigger told of is not told twice, and lasts from its wait on") {
  const auto all = stage::merged(
      {seen(1, "ALTER TABLE t ADD x int", 500'000, 510'000, true)},
      {seen(1, "ALTER TABLE t ADD x int", 100'000, 505'000), seen(2, "UPDATE t SET x = 1", 50'000, 60'000)});
  REQUIRE(all.size() == 2);
  CHECK(all[0].text == "UPDATE t SET x = 1");
  CHECK(all[1].certain);
  CHECK(all[1].began == 100'000);
  CHECK(all[1].ended == 510'000);
}

TEST_CASE("a trigger that fires long after the last look belongs to the statement that was looked at") {
  const auto all = stage::merged({seen(1, "ALTER TABLE t ADD x int", 500'000, 510'000, true)},
                                 {seen(1, "ALTER TABLE t ADD x int", 100'000, 105'000),
                                  seen(1, "ALTER TABLE t ADD x int", 600'000, 700'000)});
  REQUIRE(all.size() == 2);
  CHECK(all[0].certain);
  CHECK(all[0].began == 100'000);
  CHECK_FALSE(all[1].certain);
}

TEST_CASE("the same text of another session, or at another time, is another statement") {
  const auto all =
      stage::merged({seen(1, "DROP TABLE t", 500'000, 510'000, true)},
                    {seen(2, "DROP TABLE t", 500'000, 510'000), seen(1, "DROP TABLE t", 900'000, 910'000)});
  CHECK(all.size() == 3);
}

TEST_CASE("what only looks is left out unless it takes long, and so is what frames a transaction") {
  const auto all = stage::merged({}, {seen(1, "SELECT 1", 0, 50'000), seen(1, "BEGIN", 0, 500'000),
                                      seen(1, "select fill()", 0, 200'000), seen(1, "COMMIT", 0, 900'000)});
  REQUIRE(all.size() == 1);
  CHECK(all[0].text == "select fill()");
}

TEST_CASE("a standby is as far behind as the oldest position that it has not replayed") {
  using namespace std::chrono_literals;
  stage::LagClock clock;
  const stage::LagClock::Time zero{};
  CHECK(clock.behind(100, 100, zero) == 0ms);
  CHECK(clock.behind(200, 100, zero + 1s) == 0ms);  // seen to be behind only now
  CHECK(clock.behind(300, 100, zero + 3s) == 2000ms);
  CHECK(clock.behind(300, 200, zero + 4s) == 1000ms);  // 300 was written at 3 s
  CHECK(clock.behind(300, 300, zero + 9s) == 0ms);
  CHECK(clock.behind(300, 300, zero + 99s) == 0ms);  // nothing to do is no lag
}
