#include "catch.hpp"
#include "died.hpp"

#include <set>

using namespace staithe;
using namespace staithe::test;
using namespace staithe::test::died;
using world::Left;

namespace {

/// Three hosts that are on the new release, and a check of the whole behind the roll.
plan::Plan rolled(plan::Strategy::OnFailure policy) {
  auto plan = deploy();
  const auto lane = plan.stages[0].lanes[0];
  for (const char* host : {"web2", "web3"}) {
    auto other = lane;
    other.host = host;
    const auto rename = [&](std::vector<plan::Action>& actions) {
      for (auto& action : actions) action.id = std::string(host) + "-" + action.id;
    };
    for (auto* nodes : {&other.nodes, &other.revert})
      for (auto& node : *nodes) {
        if (auto* action = std::get_if<plan::Action>(&node)) {
          action->id = std::string(host) + "-" + action->id;
          continue;
        }
        auto& bracket = std::get<plan::Bracket>(node);
        for (auto* part : {&bracket.acquire, &bracket.undo, &bracket.body, &bracket.repair, &bracket.release})
          rename(*part);
      }
    plan.stages[0].lanes.push_back(std::move(other));
  }
  plan.strategy.on_failure = policy;
  plan.strategy.batches = {{1, false}, {2, false}};
  plan.stages.push_back({"after", plan::Stage::Shape::once, 1, {{"", {remote("smoke")}, {}}}});
  return plan;
}

const std::vector<std::string> steps{"guard",  "drain", "prepare", "activate", "reload",
                                     "health", "prove", "ready",   "check"};

Story all_done(const std::vector<std::string>& prefixes) {
  Story story;
  for (const auto& prefix : prefixes)
    for (const auto& step : steps) story.ok({prefix + step});
  return story;
}

std::vector<Left> left(const plan::Plan& plan, const Story& story,
                       const std::vector<world::LaterRecovery>& since = {}) {
  std::vector<Left> all;
  for (const auto& host : world::assess(plan, story.journal, since)) all.push_back(host.left);
  return all;
}

using OnFailure = plan::Strategy::OnFailure;

/// The run had noted that it reverts these.
void decided(Story& story, const std::vector<std::string>& prefixes) {
  for (const auto& prefix : prefixes)
    story.journal.actions[prefix + "revert-guard"].notes[plan::revert_note] = "";
}

}  // namespace

TEST_CASE("what the run had decided to revert is owed its revert, and nothing else is") {
  auto story = all_done({"", "web2-", "web3-"});
  story.journal.actions["smoke"] = {true, true, "failed", false, {}};
  const auto plan = rolled(OnFailure::revert_all);
  CHECK(left(plan, story) ==
        std::vector(3, Left::done));  // a stop, or the policy, may have kept the run from it
  decided(story, {"", "web3-"});
  CHECK(left(plan, story) == std::vector{Left::condemned, Left::done, Left::condemned});

  const auto recovery = world::recovery_plan(plan, world::assess(plan, story.journal));
  REQUIRE(recovery.stages.size() == 1);
  CHECK(recovery.stages[0].lanes.size() == 2);
  for (const auto& lane : recovery.stages[0].lanes) {
    CHECK(lane.mends);
    const auto* bracket = std::get_if<plan::Bracket>(&lane.nodes.front());
    REQUIRE(bracket != nullptr);
    CHECK(bracket->body.size() == 1);
    CHECK(bracket->acquire.size() ==
          2);  // it serves: capacity is asked for, and it is given back when refused
    CHECK_FALSE(bracket->undo.empty());
  }
}

TEST_CASE(
    "a host whose own check failed once it was back goes back, and one whose check was stopped does not") {
  const auto plan = rolled(OnFailure::stop);
  auto story = all_done({"", "web2-", "web3-"});
  story.journal.actions["check"] = {true, true, "failed", false, {}};
  story.journal.actions["web2-check"] = {true, true, "cancelled", false, {}};
  story.journal.actions["web3-check"] = {true, true, "failed", true, {}};  // it is not the release's fault
  CHECK(left(plan, story) == std::vector{Left::condemned, Left::done, Left::done});
}

TEST_CASE("what is out is mended before what serves is taken out") {
  const auto plan = rolled(OnFailure::revert_all);
  auto story = all_done({"", "web2-"});
  for (const char* step : {"guard", "drain", "prepare", "activate", "reload", "health"})
    story.ok({std::string("web3-") + step});
  decided(story, {"", "web2-"});
  const auto recovery = world::recovery_plan(plan, world::assess(plan, story.journal));
  std::vector<std::string> hosts;
  for (const auto& lane : recovery.stages[0].lanes) hosts.push_back(lane.host);
  CHECK(hosts == std::vector<std::string>{"web3", "web1", "web2"});
}

TEST_CASE("a host that was taken out for its revert goes back, and one a recovery brought back is settled") {
  const auto plan = rolled(OnFailure::revert_all);
  auto story = all_done({"", "web2-", "web3-"});
  decided(story, {"web2-", "web3-"});
  story.ok({"revert-guard"});
  decided(story, {""});
  story.begun("revert-drain").found("revert-drain", "ready");
  const auto found = world::assess(plan, story.journal);
  CHECK(found[0].left == Left::out_altered);
  CHECK(found[1].left == Left::condemned);
  CHECK_FALSE(world::must_stay_out(plan, found[1]));

  const auto recovery = world::recovery_plan(plan, found);
  Story mended;
  const auto& lanes = recovery.stages[0].lanes;
  REQUIRE(lanes.size() == 3);
  const auto& back = std::get<plan::Bracket>(lanes[1].nodes.front());
  for (const auto* part : {&back.acquire, &back.body, &back.release}) mended.ok(ids(*part));
  const auto& half = std::get<plan::Bracket>(lanes[2].nodes.front());
  mended.ok({half.acquire[0].id}).begun(half.acquire[1].id).found(half.acquire[1].id, "ready");
  CHECK(left(plan, story, {{recovery, mended.journal}}) ==
        std::vector{Left::out_altered, Left::reverted, Left::out_altered});
}
