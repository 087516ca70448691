#include "catch.hpp"
#include "history.hpp"

#include "staithe/world/past_runs.hpp"

/// Which run is to be recovered, and which keeps others from beginning.
using namespace staithe;
using test::action;
using test::History;
using test::plan_of;

TEST_CASE("what was chosen by earlier runs stands until another run of the service ends") {
  History past;
  const auto ended = [&] { return world::ended_runs(past.store(), "production", "payments"); };
  past.begin("first", plan_of("deploy"));
  const auto before = ended();
  past.begin("exec", plan_of("exec"));
  past.end("exec", 0, "done");
  CHECK(ended() == before);
  past.end("first", 0, "done");
  CHECK(ended() != before);
}

TEST_CASE("the service says which run is to be recovered") {
  History past;
  past.begin("left", plan_of("deploy"));
  past.end("left", 5, "out");
  CHECK(world::run_to_recover(past.store(), "production", "payments").has_value());
  CHECK_FALSE(world::run_to_recover(past.store(), "production", "billing").has_value());
}

TEST_CASE("a run that is named is recovered only where it left something") {
  History past;
  const auto why = [&](const std::string& id) {
    return world::why_not_recover(past.store(), *past.store().run(id));
  };
  past.begin("run", plan_of("deploy"));
  CHECK(why("run").starts_with("is still going on"));
  past.end("run", 1, "reverted");
  CHECK(why("run") == "ended: ended; it left nothing to put right");
  past.end("run", 5, "out");
  CHECK(why("run").empty());
  past.end("run", 5, "done", "recovered");
  CHECK(why("run") == "is recovered already");
  past.begin("recovery", plan_of("recover"));
  CHECK(why("recovery").starts_with("is a recovery itself"));
}

TEST_CASE("what a run left keeps others from beginning on top of it") {
  History past;
  const auto obstacle = [&](const std::string& kind) {
    return world::obstacle_to(past.store(), plan_of(kind));
  };
  CHECK_FALSE(obstacle("deploy"));
  past.begin("left", plan_of("deploy"));
  CHECK_FALSE(obstacle("deploy"));  // under way
  past.end("left", 5, "out");
  REQUIRE(obstacle("deploy"));
  CHECK(obstacle("deploy").left_out.at("web1").id == "left");
  for (const auto* kind : {"drain", "restore", "recover", "exec"}) CHECK_FALSE(obstacle(kind));
}

TEST_CASE("a run under way is neither dead nor in the way, and said when nothing else is to be recovered") {
  History past;
  past.begin("alive", plan_of("deploy"));
  CHECK_FALSE(world::is_dead(past.store(), *past.store().run("alive")));
  CHECK_FALSE(world::in_the_way(past.store(), "production", "payments", {"web1"}).has_value());
  CHECK_THROWS(world::run_to_recover(past.store(), "production"));
}

TEST_CASE("a process that cannot be looked at is dead once its lock is nobody's") {
  History past;
  auto plan = plan_of("drain");
  plan.open = {action("open/1", plan::TakeLock{"production/payments", "drain"})};
  past.begin("far", plan);
  auto run = *past.store().run("far");
  run.owner = store::Owner::unknown;
  CHECK_FALSE(world::is_dead(past.store(), run));  // it may wait for its lock
  past.did("far", "open/1");
  CHECK(world::is_dead(past.store(), run));
  const auto held = past.store().try_lock({"production/payments", "drain", "far", ""});
  REQUIRE(std::holds_alternative<store::Lock>(held));
  CHECK_FALSE(world::is_dead(past.store(), run));
}
