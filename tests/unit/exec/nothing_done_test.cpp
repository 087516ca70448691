#include "catch.hpp"
#include "fake_effects.hpp"

#include <algorithm>

using namespace staithe;
using event::HostState;
using test::state_of;

namespace {

/// A deploy to two hosts; the action that is told to fail may be tried `attempts` times.
struct Deploy {
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  exec::Stops stops;
  std::uint32_t attempts = 1;

  HostState web1() {
    plan::Strategy strategy;
    strategy.on_failure = plan::Strategy::OnFailure::revert_batch;
    auto plan = test::deploy_plan(2, strategy);
    std::get<plan::Bracket>(plan.stages[1].lanes[0].nodes[0]).body[1].attempts = attempts;
    return state_of(exec::run(plan, {"run1", {}}, effects, journal, log, stops), "web1");
  }
  bool wrote(const std::string& record) const {
    const auto records = journal.records();
    return std::count(records.begin(), records.end(), record) == 1;
  }
};

}  // namespace

TEST_CASE(
    "a lost host whose app surely nothing was sent to is proven before it is let in, and not repaired") {
  Deploy deploy;
  deploy.attempts = 2;
  deploy.effects.lose_unsent("web1 activate");
  CHECK(deploy.web1() == HostState::restored);
  CHECK_FALSE(deploy.effects.did("web1 back"));
  CHECK_FALSE(deploy.effects.did("web1 undo"));
  CHECK(deploy.effects.did("web1 prove"));
  CHECK(deploy.effects.did("web1 ready"));
  CHECK(deploy.wrote("outcome roll/web1/activate unreachable"));  // for a recovery, should this run die now
}

TEST_CASE("a lost host that the balancers do not find healthy stays out") {
  Deploy deploy;
  deploy.effects.lose_unsent("web1 activate");
  deploy.effects.fail("web1 prove");
  CHECK(deploy.web1() == HostState::out);
  CHECK_FALSE(deploy.effects.did("web1 ready"));
  CHECK_FALSE(deploy.effects.did("web1 undo"));
}

TEST_CASE("the same where a step that alters nothing loses its host") {
  Deploy deploy;
  deploy.effects.lose("web1 prepare", 1'000);
  CHECK(deploy.web1() == HostState::restored);
  CHECK_FALSE(deploy.effects.did("web1 undo"));
  CHECK(deploy.effects.did("web1 prove"));
}

TEST_CASE("a host that is lost when it is to be rid of a release stays out with it") {
  Deploy deploy;
  deploy.effects.fail("web1 check");
  deploy.effects.lose_unsent("web1 revert-back (revert)");
  deploy.effects.lose_unsent("web1 revert-back");
  CHECK(deploy.web1() == HostState::out);
  CHECK_FALSE(deploy.effects.did("web1 ready (revert)"));
  CHECK_FALSE(deploy.effects.did("web1 undo (revert)"));
}

TEST_CASE("where the host is there, what was not begun is undone as it was") {
  Deploy deploy;
  deploy.effects.refuse("web1 prepare");
  CHECK(deploy.web1() == HostState::restored);
  CHECK(deploy.effects.did("web1 undo"));
}

TEST_CASE("a later action that was not sent leaves an app half changed all the same") {
  Deploy deploy;
  deploy.effects.lose_unsent("web1 reload");
  CHECK(deploy.web1() == HostState::reverted);
  CHECK(deploy.wrote("outcome roll/web1/activate ok"));
  CHECK(deploy.wrote("outcome roll/web1/reload unreachable"));
}

TEST_CASE("what one attempt may have done is not forgotten where the next was not sent") {
  Deploy deploy;
  deploy.attempts = 3;
  deploy.effects.fail("web1 activate", 1);
  deploy.effects.lose_unsent("web1 activate");
  CHECK(deploy.web1() == HostState::reverted);
  CHECK(deploy.wrote("outcome roll/web1/activate unreachable"));
}

TEST_CASE("an action that a full disk keeps from being announced was not begun") {
  Deploy deploy;
  deploy.journal.on_record = [&](const std::string& record) {
    if (record == "intent roll/web1/activate")
      throw base::Error(base::ErrorCode::io, "no space left on device");
  };
  CHECK(deploy.web1() == HostState::restored);
  CHECK(deploy.wrote("not begun roll/web1/activate refused"));
}

TEST_CASE("a restore that its guard refuses has left the host as it was, and hides nobody who took it out") {
  plan::Strategy strategy;
  strategy.on_failure = plan::Strategy::OnFailure::stop;
  auto plan = test::deploy_plan(1, strategy);
  plan.stages.pop_back();
  auto guard = test::action("guard", "web1 guard");
  guard.effect = plan::GuardCapacity{"web1", {1, false}};
  auto prove = test::action("prove", "web1 prove");
  prove.effect = plan::ChangeRotation{"web1", plan::ChangeRotation::To::prove};
  plan.stages[1].lanes[0].nodes = {guard, prove};
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  effects.refuse("guard");
  const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  CHECK(result.verdict == exec::Verdict::refused);
  CHECK(state_of(result, "web1") == HostState::untouched);
  CHECK_FALSE(effects.did(plan::kind_of(prove.effect)));
}

TEST_CASE("a restore goes on with the others where one is refused, and is not refused as a whole then") {
  plan::Strategy strategy;
  strategy.on_failure = plan::Strategy::OnFailure::stop;
  strategy.max_failures = {100, true};
  auto plan = test::deploy_plan(3, strategy);
  plan.stages = {plan.stages[1]};
  for (auto& lane : plan.stages[0].lanes) {
    auto prove = test::action(lane.host + "-prove", lane.host + " prove");
    prove.effect = plan::ChangeRotation{lane.host, plan::ChangeRotation::To::prove};
    lane.nodes = {test::action(lane.host + "-guard", lane.host + " guard"), prove};
  }
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  effects.refuse("web1 guard");
  effects.refuse("web2 guard");
  SECTION("one came back") {
    const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
    CHECK(state_of(result, "web3") == HostState::done);
    CHECK(result.verdict == exec::Verdict::needs_person);
    CHECK(result.finished.failed_host == "web1");
    CHECK(result.finished.failure == "told to refuse (and at 1 host more, above)");
  }
  SECTION("one came back, and another's guard did not refuse but fail") {
    effects.fail("web1 guard");
    CHECK(exec::run(plan, {"run1", {}}, effects, journal, log, stops).verdict == exec::Verdict::needs_person);
  }
  SECTION("none came back: nothing was changed") {
    effects.refuse("web3 guard");
    CHECK(exec::run(plan, {"run1", {}}, effects, journal, log, stops).verdict == exec::Verdict::refused);
  }
}

TEST_CASE("a recovery that gives one host back and another its release before has put all right") {
  plan::Strategy strategy;
  strategy.on_failure = plan::Strategy::OnFailure::revert_batch;
  auto plan = test::deploy_plan(2, strategy);
  plan.kind = "recover";
  plan.stages = {plan.stages[1]};
  auto give_back = test::action("web1-ready", "web1 give back");
  give_back.effect = plan::ChangeRotation{"web1", plan::ChangeRotation::To::ready};
  plan.stages[0].lanes[0].nodes = {give_back};
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  effects.fail("web2 health", 1);
  const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(state_of(result, "web2") == HostState::reverted);
  CHECK(result.verdict == exec::Verdict::failed);
}

TEST_CASE("a command that ran on one host is a change, though the next host could not be asked") {
  plan::Strategy strategy;
  auto plan = test::deploy_plan(2, strategy);
  plan.kind = "exec";
  plan.stages = {plan.stages[0]};
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  effects.refuse("web2 checkout");
  SECTION("it ran on web1") {
    CHECK(exec::run(plan, {"run1", {}}, effects, journal, log, stops).verdict == exec::Verdict::failed);
  }
  SECTION("it ran nowhere") {
    effects.refuse("web1 checkout");
    CHECK(exec::run(plan, {"run1", {}}, effects, journal, log, stops).verdict == exec::Verdict::refused);
  }
}

TEST_CASE("what a step before the roll has done is told, when the roll is refused") {
  plan::Strategy strategy;
  strategy.on_failure = plan::Strategy::OnFailure::revert_batch;
  auto plan = test::deploy_plan(2, strategy);
  plan::Stage before;
  before.name = "before";
  before.shape = plan::Stage::Shape::once;
  auto step = test::action("before/1", "before");
  const bool migrates = GENERATE(true, false);
  const bool looks = GENERATE(true, false);
  if (migrates)
    step.effect = plan::RunLocal{};
  else if (looks)
    step.effect = plan::RunLocal{"git describe", {}, "", true};
  else
    step.effect = plan::Notify{};
  before.lanes.push_back({});
  before.lanes.back().nodes = {step};
  plan.stages.insert(plan.stages.begin(), before);
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  effects.refuse("web1 drain");
  const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  CHECK(result.verdict == (migrates ? exec::Verdict::failed : exec::Verdict::refused));
  CHECK(result.finished.stays ==
        (migrates ? std::vector<std::string>{"before"} : std::vector<std::string>{}));
}

TEST_CASE("what the steps of a run that went well have done is no news") {
  plan::Plan plan;
  plan.stages.push_back(
      {"before", plan::Stage::Shape::once, 1, {{"", {test::action("before/1", "before")}, {}}}});
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  CHECK(result.verdict == exec::Verdict::done);
  CHECK(result.finished.stays.empty());
}
