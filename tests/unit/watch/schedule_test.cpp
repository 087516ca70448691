#include "staithe/watch/schedule.hpp"

#include "catch.hpp"

#include <algorithm>
#include <set>

using namespace staithe;
using namespace std::chrono_literals;
using base::SteadyTime;

namespace {

const SteadyTime start{1000h};

checks::Suite suite(const std::string& name, base::Duration every, std::vector<std::string> needs = {}) {
  checks::Suite made;
  made.name = name;
  made.schedule = every;
  made.depends_on = std::move(needs);
  return made;
}

checks::SuitePlan plan_of(std::vector<checks::Suite> suites) {
  return {"", "", std::move(suites)};
}

}  // namespace

TEST_CASE("schedule: suites that depend on each other are one unit, others are by themselves") {
  const auto plan = plan_of({suite("a", 1min), suite("b", 1min, {"d"}), suite("c", 1min),
                             suite("d", 0ms, {"e"}), suite("e", 5min), suite("f", 1min, {"nobody"})});
  CHECK(watch::units_of(plan) == std::vector<std::vector<std::size_t>>{{0}, {1, 3, 4}, {2}, {5}});
}

TEST_CASE("schedule: what has none is run as often as the most eager one that needs it, along chains") {
  const auto plan = plan_of({suite("token", 0ms), suite("user", 0ms, {"token"}),
                             suite("slow", 10min, {"user"}), suite("fast", 1min, {"user"}),
                             suite("unwanted", 0ms), suite("own", 1h), suite("x", 1min, {"own"})});
  const auto every = watch::intervals_of(plan);
  CHECK(every == std::vector<base::Duration>{1min, 1min, 10min, 1min, 0ms, 1h, 1min});
}

TEST_CASE("schedule: ticks stand on a grid, a little late, and never drift") {
  const auto plan = plan_of({suite("a", 1min)});
  watch::Timetable table(plan, {0}, start);
  const auto first = table.next();
  CHECK(first >= start);
  CHECK(first < start + 10s);
  CHECK(table.due(first - 1ms).empty());
  std::set<base::Duration> delays;
  for (int tick = 0; tick < 500; ++tick) {
    const auto due = table.next();
    const auto delay = std::chrono::duration_cast<base::Duration>(due - first - tick * 1min);
    CHECK(delay >= 0ms);
    CHECK(delay < 3s);
    delays.insert(delay);
    // However late it is looked at, the next tick comes from the grid.
    CHECK(table.due(due + 700ms) == std::vector<std::size_t>{0});
  }
  CHECK(delays.size() > 100);
}

TEST_CASE("schedule: first runs of many suites are spread, and the same in every process") {
  std::set<SteadyTime> firsts;
  for (int i = 0; i < 50; ++i) {
    const auto plan = plan_of({suite("suite-" + std::to_string(i), 5min)});
    const watch::Timetable one(plan, {0}, start), again(plan, {0}, start);
    CHECK(one.next() == again.next());
    firsts.insert(one.next());
  }
  CHECK(firsts.size() > 45);
  CHECK(*firsts.rbegin() - *firsts.begin() > 5s);
}

TEST_CASE("schedule: what came due during a run is left out and counted, however long it took") {
  const auto plan = plan_of({suite("a", 10s), suite("b", 0ms)});
  watch::Timetable table(plan, {0}, start);
  const auto begun = table.next();
  CHECK(table.due(begun).size() == 1);
  CHECK(table.skip_passed(begun + 1s).empty());
  const auto skipped = table.skip_passed(begun + 35s);
  REQUIRE(skipped.size() == 1);
  CHECK(skipped[0].second == 3);
  CHECK(table.next() > begun + 35s);
  CHECK(table.next() < begun + 41s);
  // Asleep for ten years: one jump, no storm.
  const auto later = begun + 24h * 3650;
  CHECK(table.skip_passed(later).at(0).second > 31'000'000);
  CHECK(table.next() > later);
  CHECK(table.next() < later + 11s);
}

TEST_CASE("schedule: a run takes what it needs along, and those that are due together are one run") {
  const auto plan =
      plan_of({suite("token", 0ms), suite("often", 1min, {"token"}), suite("seldom", 3min, {"token"})});
  watch::Timetable table(plan, {0, 1, 2}, start);
  std::size_t runs = 0, both = 0, seldom = 0;
  const auto end = table.next() + 30min - 1s;
  while (table.next() < end) {
    const auto due = table.due(table.next());
    ++runs;
    CHECK(due.front() == 0);
    const bool has_seldom = std::find(due.begin(), due.end(), std::size_t{2}) != due.end();
    seldom += has_seldom ? 1 : 0;
    both += due.size() == 3 ? 1 : 0;
  }
  CHECK(runs == 30);
  CHECK(seldom == 10);
  CHECK(both == 10);
}

TEST_CASE("schedule: nothing that has a schedule, nothing to come") {
  const auto plan = plan_of({suite("a", 0ms)});
  watch::Timetable table(plan, {0}, start);
  CHECK(table.next() == SteadyTime::max());
  CHECK(table.due(start + 1h).empty());
}
