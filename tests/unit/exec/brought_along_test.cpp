#include "catch.hpp"
#include "rig.hpp"

using namespace staithe;
using event::HostState;
using exec::Verdict;
using test::state_of;
using namespace test::running;

namespace {

/// A rollout that an earlier run had brought to web9, resumed for `hosts` hosts.
plan::Plan resumed(std::size_t hosts, std::uint32_t max_failures = 0) {
  auto plan = test::deploy_plan(hosts, strategy(revert_batch));
  plan.release = "9d1f0c2ab3e4";
  plan.strategy.max_failures = {max_failures, false};
  plan::Stage cleanup;
  cleanup.name = "cleanup";
  cleanup.shape = plan::Stage::Shape::parallel;
  for (const auto& lane : plan.stages[1].lanes)
    cleanup.lanes.push_back({lane.host, {test::action("cleanup/" + lane.host, lane.host + " clean")}, {}});
  cleanup.lanes.push_back({"web9", {test::action("cleanup/web9", "web9 clean")}, {}, true});
  plan.hosts["web9"].name = "web9";
  plan.stages.push_back(cleanup);
  return plan;
}

std::string warnings(const test::EventLog& log) {
  std::string text;
  for (const auto& event : log.events())
    if (const auto* message = std::get_if<event::Message>(&event.payload))
      if (message->level == event::Level::warning) text += message->host + ": " + message->text + "\n";
  return text;
}

}  // namespace

TEST_CASE("who only tidies up after earlier runs of the rollout does so once all of it went well") {
  Rig rig;
  const auto plan = resumed(2);
  CHECK(plan::brought_along(plan) == std::vector<std::string>{"web9"});
  const auto result = rig.run(plan);
  CHECK(result.verdict == Verdict::done);
  CHECK(rig.effects.did("web9 clean"));
  CHECK(warnings(rig.log).empty());
}

TEST_CASE("a resumed roll that fails calls the release good nowhere, and says that versions are mixed") {
  Rig rig;
  for (const char* host : {"web1", "web2", "web3"}) rig.effects.fail(std::string(host) + " health");
  rig.effects.own_fault = GENERATE(false, true);
  const auto result = rig.run(resumed(3, 3));
  for (const char* host : {"web1", "web2", "web3"}) CHECK(state_of(result, host) == HostState::reverted);
  CHECK_FALSE(rig.effects.did("web9 clean"));
  CHECK(result.finished.exit_code == 5);
  CHECK_THAT(warnings(rig.log), ContainsSubstring("versions are mixed: web9 is on 9d1f0c2ab3e4"));
}

TEST_CASE("what is done once fails the run also where it is done on a host of an earlier run") {
  Rig rig;
  auto plan = resumed(1);
  plan.stages.push_back(
      {"after", plan::Stage::Shape::once, 1, {{"", {test::action("after/1", "web9 warm")}, {}}}});
  rig.effects.fail("web9 warm");
  const auto result = rig.run(plan);
  CHECK(result.verdict != Verdict::done);
  CHECK(result.finished.failed_host == "web9");
}

TEST_CASE("a recovery that could not mend a host tidies up nowhere else") {
  Rig rig;
  auto plan = resumed(2, 3);
  plan.kind = "recover";
  plan.stages.back().lanes.back().brought_along = false;  // whoever mends answers for it
  SECTION("it could") {
    CHECK(rig.run(plan).verdict == Verdict::done);
    CHECK(rig.effects.did("web9 clean"));
  }
  SECTION("it could not") {
    rig.effects.fail("web2 health");
    (void)rig.run(plan);
    CHECK(rig.effects.did("web1 clean"));
    CHECK_FALSE(rig.effects.did("web9 clean"));
  }
}

TEST_CASE("a recovery of a resumed rollout does not fail for what it cannot tidy up after earlier runs") {
  Rig rig;
  auto plan = resumed(2);
  plan.kind = "recover";
  rig.effects.refuse("web9 clean");
  const auto result = rig.run(plan);
  CHECK(result.verdict == Verdict::done);
  CHECK_THAT(warnings(rig.log), ContainsSubstring("web9: 9d1f0c2ab3e4 serves here"));
}

TEST_CASE("how versions stand after a recovery is not for its verdict") {
  Rig rig;
  auto plan = resumed(2);
  plan.kind = "recover";
  SECTION("a host went back to the release before") {
    rig.effects.fail("web1 health");
    const auto result = rig.run(plan);
    CHECK(state_of(result, "web1") == HostState::reverted);
    CHECK(result.finished.exit_code == 1);
  }
  SECTION("there was only something to tidy up") {
    std::erase_if(plan.stages, [](const auto& stage) { return stage.name != "cleanup"; });
    rig.effects.fail("web1 clean");
    CHECK(rig.run(plan).finished.exit_code == 1);
  }
}

TEST_CASE("a host that a recovery could not begin to mend needs a person") {
  Rig rig;
  auto plan = test::deploy_plan(2, strategy(stop));
  plan.kind = "recover";
  for (auto& lane : plan.stages[1].lanes) {
    lane.nodes = {test::action("recover/" + lane.host, lane.host + " back")};
    lane.revert.clear();
  }
  rig.effects.refuse("web1 back");
  const auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::failed);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("where a resumed roll came to some hosts only these are tidied up") {
  Rig rig;
  rig.effects.fail("web2 health");
  const auto result = rig.run(resumed(2, 1));
  CHECK(rig.effects.did("web1 clean"));
  CHECK_FALSE(rig.effects.did("web2 clean"));
  CHECK_FALSE(rig.effects.did("web9 clean"));
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("a host of an earlier run that cannot be tidied up is a warning, and the deploy is complete") {
  Rig rig;
  rig.effects.lose_unsent("web9 clean");
  std::vector<std::string> untidied;
  exec::RunOptions options{"run1", {}};
  options.advise = [&](const event::RunFinished&, const std::vector<std::string>& hosts) {
    untidied = hosts;
    return std::vector<std::string>{"again"};
  };
  const auto result = exec::run(resumed(2), options, rig.effects, rig.journal, rig.log, rig.stops);
  CHECK(result.verdict == Verdict::done);
  CHECK(result.finished.exit_code == 0);
  CHECK(result.finished.failed_host.empty());
  CHECK(untidied == std::vector<std::string>{"web9"});
  CHECK(result.finished.next == std::vector<std::string>{"again"});
  for (const auto& event : rig.log.events())
    if (const auto* finished = std::get_if<event::ActionFinished>(&event.payload))
      CHECK(finished->let_pass == (finished->host == "web9"));
  CHECK_THAT(warnings(rig.log), ContainsSubstring("web9: 9d1f0c2ab3e4 serves here, but is not marked good: "
                                                  "connection refused"));
  // One of the run's own hosts is its failure, as ever.
  Rig own;
  own.effects.fail("web1 clean");
  CHECK(own.run(resumed(2)).finished.exit_code == 1);
}
