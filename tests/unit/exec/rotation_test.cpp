#include "catch.hpp"
#include "rig.hpp"

#include <thread>

/// What the runner knows of a host's way out of rotation and back.
using namespace staithe;
using namespace staithe::test;
using namespace staithe::test::running;

namespace {

using To = plan::ChangeRotation::To;
constexpr base::Duration nap{60};

plan::Action with(const std::string& id, plan::Effect effect) {
  auto made = action("roll/web1/" + id, "web1 " + id);
  made.effect = std::move(effect);
  return made;
}

/// As steps make it: a guard before the drain, a bake behind the way back.
plan::Plan rotating() {
  auto plan = deploy_plan(1, strategy(revert_batch));
  auto& lane = plan.stages[1].lanes.front();
  plan::Bracket bracket;
  bracket.acquire = {with("guard", plan::GuardCapacity{"web1", {1, false}}),
                     with("drain", plan::ChangeRotation{"web1", To::drain})};
  bracket.undo = {with("undo", plan::ChangeRotation{"web1", To::undo})};
  bracket.body = {action("roll/web1/reload", "web1 reload", true)};
  bracket.release = {with("ready", plan::ChangeRotation{"web1", To::ready}),
                     with("serves", plan::AwaitRotation{"web1", plan::AwaitRotation::Until::serving})};
  lane.nodes = {bracket};
  lane.revert.clear();
  return plan;
}

event::HostFinished rolled(const Rig& rig) {
  for (const auto& event : rig.log.events())
    if (const auto* host = std::get_if<event::HostFinished>(&event.payload);
        host != nullptr && host->stage == "roll")
      return *host;
  FAIL("it did not end");
  return {};
}

}  // namespace

TEST_CASE("how long a host was out is told without the guard before it and the bake behind it") {
  Rig rig;
  const auto plan = rotating();
  const std::string guard = plan::kind_of(plan::GuardCapacity{});
  const std::string serves = plan::kind_of(plan::AwaitRotation{});
  rig.effects.on_perform = [&](const std::string& name, exec::Performance&) {
    if (name == guard || name == serves || name == "web1 reload") std::this_thread::sleep_for(nap);
  };
  CHECK(rig.run(plan).finished.exit_code == 0);
  const auto host = rolled(rig);
  CHECK(host.drained >= nap);
  CHECK(host.drained + 2 * nap <= host.duration);
}

TEST_CASE("of a host that was not taken out nothing is told") {
  Rig rig;
  rig.effects.refuse(plan::kind_of(plan::GuardCapacity{}));
  CHECK(rig.run(rotating()).finished.exit_code == 4);
  CHECK(rolled(rig).drained == base::Duration(0));
}

TEST_CASE("what only makes sure hears of the first signal through its shield") {
  Rig rig;
  rig.effects.on_perform = [&](const std::string& name, exec::Performance& performance) {
    if (name != plan::kind_of(plan::AwaitRotation{})) return;
    REQUIRE(performance.hurry != nullptr);
    CHECK_FALSE(performance.hurry->requested());
    rig.stops.soft.request();
    CHECK(performance.hurry->requested());
    CHECK_FALSE(performance.scope.cancelled());
  };
  CHECK(rig.run(rotating()).finished.verdict == "interrupted");
  CHECK(rolled(rig).state == event::HostState::done);
}
