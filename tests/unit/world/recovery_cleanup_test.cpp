#include "catch.hpp"
#include "died.hpp"

#include "staithe/world/recovered.hpp"

using namespace staithe;
using namespace test::died;
using world::Left;

namespace {

/// Two hosts, then what follows: `after` judges the roll, each host is cleaned up.
plan::Plan with_cleanup() {
  plan::Plan plan;
  plan.kind = "deploy";
  plan::Stage roll{"roll", plan::Stage::Shape::rolling, 1, {}};
  plan::Stage after{"after", plan::Stage::Shape::once, 1, {{"", {remote("after")}, {}}}};
  plan::Stage cleanup{"cleanup", plan::Stage::Shape::parallel, 16, {}};
  for (const std::string host : {"web1", "web2"}) {
    plan::Bracket bracket;
    bracket.acquire = {remote(host + "-drain")};
    bracket.body = {remote(host + "-reload", true)};
    bracket.repair = {remote(host + "-back", true)};
    bracket.release = {remote(host + "-ready")};
    roll.lanes.push_back({host, {bracket, remote(host + "-check"), remote(host + "-live")}, {}});
    cleanup.lanes.push_back({host, {remote(host + "-clean"), remote(host + "-good")}, {}});
  }
  plan.stages = {roll, after, cleanup};
  return plan;
}

std::vector<std::string> cleaned(const Story& story) {
  const auto plan = with_cleanup();
  std::vector<std::string> hosts;
  for (const auto& stage : world::recovery_plan(plan, world::assess(plan, story.journal)).stages)
    if (stage.name == "cleanup")
      for (const auto& lane : stage.lanes) hosts.push_back(lane.host);
  return hosts;
}

}  // namespace

TEST_CASE("what follows a roll that went well is finished where it did not end") {
  const auto rolled = Story()
                          .ok({"web1-drain", "web1-reload", "web1-ready", "web1-check", "web1-live"})
                          .ok({"web2-drain", "web2-reload", "web2-ready", "web2-check", "after"});
  const std::vector<std::string> both{"web1", "web2"};
  CHECK(cleaned(rolled) == both);
  CHECK(cleaned(Story(rolled).ok({"web1-clean"}).begun("web1-good")) == both);
  CHECK(cleaned(Story(rolled).ok({"web1-clean", "web1-good"})) == std::vector<std::string>{"web2"});
  CHECK(cleaned(Story(rolled).ok({"web1-clean", "web1-good", "web2-clean", "web2-good"})).empty());
  const auto plan = with_cleanup();
  const auto recovery = world::recovery_plan(plan, world::assess(plan, rolled.journal));
  REQUIRE(recovery.stages.size() == 1);
  CHECK(std::get<plan::Action>(recovery.stages[0].lanes[0].nodes.at(1)).id == "recover/web1-good");
  // What the host had not done yet after it was back comes first.
  CHECK(std::get<plan::Action>(recovery.stages[0].lanes[1].nodes.at(0)).id == "recover/web2-live");
}

TEST_CASE("what an earlier run of the rollout brought along gets its last word from the recovery too") {
  auto plan = with_cleanup();
  plan.stages.back().lanes.push_back({"web3", {remote("web3-good")}, {}});
  const std::vector<std::string> roll{"web1-drain", "web1-reload", "web1-ready", "web1-check", "web1-live",
                                      "web2-drain", "web2-reload", "web2-ready", "web2-check", "web2-live"};
  const auto rolled = Story().ok(roll).ok({"after", "web1-clean", "web1-good", "web2-clean"});
  const auto left = world::assess(plan, rolled.journal);
  REQUIRE(left.size() == 3);
  CHECK(left[2].left == Left::done);
  CHECK(left[2].brought_along);
  const auto recovery = world::recovery_plan(plan, left);
  REQUIRE(recovery.stages.size() == 1);
  REQUIRE(recovery.stages[0].lanes.size() == 2);
  CHECK(recovery.stages[0].lanes[1].host == "web3");
  CHECK(std::get<plan::Action>(recovery.stages[0].lanes[1].nodes.at(0)).id == "recover/web3-good");
  CHECK(plan::brought_along(recovery) == std::vector<std::string>{"web3"});
  CHECK(plan::target_hosts(recovery) == std::vector<std::string>{"web2"});
  // It was not for this run to bring it to the release, nor to say that it is there.
  world::Aftermath aftermath;
  for (const auto& host : left) aftermath.hosts.push_back({host});
  const auto concluded = world::conclude(aftermath, {});
  CHECK(concluded.hosts == 2);
  CHECK(concluded.summary_json.find("web3") == std::string::npos);
  CHECK(world::assess(plan, Story(rolled).ok({"web3-good"}).journal).size() == 2);
  CHECK(world::assess(plan, Story().ok(roll).begun("after").journal).size() == 2);
}

TEST_CASE("a release is not called good where the roll did not end, or was not judged") {
  const auto first = Story().ok({"web1-drain", "web1-reload", "web1-ready"});
  CHECK(cleaned(first).empty());
  CHECK(cleaned(Story(first).ok({"web2-drain"}).begun("web2-reload")).empty());
  const auto both = Story(first).ok({"web2-drain", "web2-reload", "web2-ready"});
  CHECK(cleaned(both).empty());  // "after" did not run
  CHECK(cleaned(Story(both).begun("after")).empty());
  // The last check of another host refused it, just before the end: it is good nowhere.
  Story condemned = Story(both).ok({"web1-check", "after"});
  condemned.journal.actions["web2-check"] = {true, true, "failed", false, {}};
  CHECK(cleaned(condemned).empty());
  // A recovery that died may have done it.
  const auto plan = with_cleanup();
  const auto rolled = Story(both).ok({"web1-check", "web1-live", "web2-check", "web2-live", "after"});
  const auto left = world::assess(plan, rolled.journal);
  const world::LaterRecovery first_half{world::recovery_plan(plan, left),
                                        Story().ok({"recover/web1-clean", "recover/web1-good"}).journal};
  const auto now = world::assess(plan, rolled.journal, {first_half});
  CHECK(left[0].to_clean);
  CHECK_FALSE(now[0].to_clean);
  CHECK(now[1].to_clean);
  // Healthy on the new release, and only to be let in: that comes first.
  CHECK(cleaned(Story(first).ok({"web2-drain", "web2-reload", "after"})).size() == 2);
}
