#include "catch.hpp"
#include "history.hpp"

#include "staithe/world/past_runs.hpp"
#include "staithe/world/survey.hpp"

#include <chrono>

using namespace staithe;
using test::History;
using test::plan_of;

namespace long_history {

const std::string found = "staithe-found 1\nbalancer lb1 7 0\nserver api/web1 ";
const std::string serving = found + "admin=0 op=2 weight=37\n";
const std::string in_maintenance = found + "admin=1 op=0 weight=37\n";

/// Runs of other hosts and commands, more than any piece of the history that is read at once.
void time_goes_by(History& past) {
  for (int i = 0; i < 205; ++i) {
    const bool command = i % 2 == 0;
    const auto id = past.next_id();
    past.begin(id, plan_of(command ? "exec" : "deploy"));
    past.end(id, 0, {{command ? "web1" : "web9", "done"}});
  }
}

std::map<std::string, world::TakenOut> taken(History& past) {
  return world::taken_out(past.store(), "production", {"web1"});
}

void drained(History& past, const std::string& id, const std::string& found) {
  past.begin(id, plan_of("drain"));
  past.drained(id, found);
  past.end(id, 0, "done");
}

TEST_CASE("a drain is on record however many runs came since") {
  History past;
  drained(past, "drain", serving);
  time_goes_by(past);
  const auto began = std::chrono::steady_clock::now();
  CHECK(past.record() == serving);
  REQUIRE(taken(past).count("web1") == 1);
  CHECK(taken(past).at("web1").run_id == "drain");
  CHECK(taken(past).at("web1").found == serving);
  // Seconds, were every plan and journal read.
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("what a run left is put right and in the way however many runs came since") {
  History past;
  past.begin("left", plan_of("deploy"));
  past.drained("left", serving);
  past.end("left", 5, "out");
  time_goes_by(past);
  CHECK(past.to_recover() == "left");
  CHECK(world::left_to_person(past.store(), "production", {"web1"}).at("web1").id == "left");
  CHECK(world::obstacle_to(past.store(), plan_of("deploy")).left_out.count("web1") == 1);
  CHECK_FALSE(taken(past).at("web1").on_purpose);
  past.begin("restore", plan_of("restore"));
  past.end("restore", 0, "done");
  CHECK(past.to_recover().empty());
  CHECK(world::left_to_person(past.store(), "production", {"web1"}).empty());
  CHECK(taken(past).empty());
}

TEST_CASE("who took a host out is who changed something: a drain of what is out already does not") {
  History past;
  drained(past, "first", serving);
  drained(past, "second", in_maintenance);
  CHECK(taken(past).at("web1").run_id == "first");
  // After a reload of HAProxy it served again: then the new one is what keeps visitors away.
  drained(past, "third", serving);
  CHECK(taken(past).at("web1").run_id == "third");
}

TEST_CASE("what was out by somebody else's hand before our drain is the drain's") {
  History past;
  past.begin("restore", plan_of("restore"));
  past.end("restore", 0, "done");
  drained(past, "drain", in_maintenance);
  CHECK(taken(past).at("web1").run_id == "drain");
}

TEST_CASE("a drain of what a run had left out does not hide that somebody has to come") {
  History past;
  past.begin("left", plan_of("deploy"));
  past.drained("left", serving);
  past.end("left", 5, "out");
  drained(past, "drain", in_maintenance);
  CHECK(taken(past).at("web1").run_id == "left");
  CHECK_FALSE(taken(past).at("web1").on_purpose);
}

}  // namespace long_history
