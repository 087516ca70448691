#include "catch.hpp"
#include "rig.hpp"

#include <thread>

using namespace staithe;
using event::HostState;
using exec::Verdict;
using test::FakeEffects;
using test::state_of;
using namespace test::running;

TEST_CASE("a run without failure performs every action once, journalled before and after") {
  Rig rig;
  const auto plan = test::deploy_plan(3, strategy(revert_batch));
  const auto result = rig.run(plan);
  CHECK(result.verdict == Verdict::done);
  CHECK(result.finished.exit_code == 0);
  CHECK(rig.effects.performed().size() == plan::count_actions(plan));
  CHECK(rig.journal.records().size() == 2 * plan::count_actions(plan));
  CHECK(rig.journal.records().front() == "intent open/1");
  CHECK(rig.journal.records().back() == "outcome close/1 ok");
  CHECK(rig.effects.closed() == std::set<std::string>{"web1", "web2", "web3"});
}

TEST_CASE("whatever action fails, what was taken is given back and the lock goes last") {
  const std::vector<std::string> names{"drain",  "calm",  "prepare", "activate", "reload",
                                       "health", "prove", "ready",   "check"};
  const auto policy = GENERATE(stop, revert_batch, revert_all);
  const auto parallel = GENERATE(1U, 3U);
  for (const auto& name : names) {
    INFO("fails at " << name << " with policy " << static_cast<int>(policy));
    Rig rig;
    rig.effects.fail("web2 " + name, 1);
    auto plan = test::deploy_plan(3, strategy(policy));
    plan.strategy.parallel = parallel;
    const auto result = rig.run(plan);
    CHECK(result.verdict != Verdict::done);
    CHECK(result.finished.failed_host == "web2");
    CHECK(rig.effects.performed().back() == "unlock");
    const auto state = state_of(result, "web2");
    const bool given_back = rig.effects.last("web2 undo") > rig.effects.last("web2 drain") ||
                            rig.effects.did("web2 ready") || rig.effects.did("web2 ready (revert)");
    CHECK((given_back || state == HostState::out));
    if (state == HostState::out) CHECK(result.finished.exit_code == 5);
    if (policy != stop) CHECK(state != HostState::out);
  }
}

TEST_CASE("before the app is touched a failure only undoes the drain") {
  const auto name = GENERATE(std::string("drain"), std::string("calm"), std::string("prepare"));
  Rig rig;
  rig.effects.fail("web1 " + name);
  const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
  CHECK(result.verdict == Verdict::failed);
  CHECK(result.finished.exit_code == 1);
  CHECK(state_of(result, "web1") == HostState::restored);
  CHECK(state_of(result, "web2") == HostState::untouched);
  CHECK(rig.effects.did("web1 undo"));
  CHECK_FALSE(rig.effects.did("web1 activate"));
  CHECK_FALSE(rig.effects.did("web1 back"));
}

TEST_CASE("a failed reload is repaired and the host given back on the release before") {
  Rig rig;
  rig.effects.fail("web1 reload");
  const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK(result.finished.exit_code == 1);
  CHECK(rig.effects.last("web1 back") < rig.effects.last("web1 ready"));
}

TEST_CASE("with policy stop the host is left out and a person is called") {
  Rig rig;
  rig.effects.fail("web1 reload");
  const auto result = rig.run(test::deploy_plan(2, strategy(stop)));
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(result.finished.exit_code == 5);
  CHECK_FALSE(rig.effects.did("web1 ready"));
}

TEST_CASE("what did not come back is told as the balancers have it") {
  const auto told = [](const exec::Reach& reach) {
    Rig rig;
    rig.effects.fail("web1 reload");
    rig.effects.reaches["web1"] = reach;
    const auto result = rig.run(test::deploy_plan(1, strategy(stop)));
    CHECK(result.finished.exit_code == 5);
    HostState finished = HostState::untouched;
    for (const auto& event : rig.log.events())
      if (const auto* host = std::get_if<event::HostFinished>(&event.payload); host != nullptr)
        finished = host->state;
    CHECK(finished == state_of(result, "web1"));
    return std::pair(finished, result.finished.hosts.front().reach);
  };
  CHECK(told({}) == std::pair(HostState::out, std::string()));
  CHECK(told({{"lb1", "lb2"}, {}, {}}) == std::pair(HostState::out, std::string("NOT serving on lb1, lb2")));
  CHECK(told({{"lb1"}, {"lb2"}, {}}) ==
        std::pair(HostState::out, std::string("NOT serving on lb1; serving on lb2")));
  CHECK(told({{}, {"lb2"}, {"lb1"}}) ==
        std::pair(HostState::out, std::string("serving on lb2; lb1 does not answer")));
  // Nobody has approved it, but it is not out.
  CHECK(told({{}, {"lb1", "lb2"}, {}}) == std::pair(HostState::failed, std::string("serving on lb1, lb2")));
}

TEST_CASE("a repair that fails leaves the host out") {
  Rig rig;
  rig.effects.fail("web1 reload");
  rig.effects.fail("web1 reload-back");
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(result.finished.exit_code == 5);
  CHECK_FALSE(rig.effects.did("web1 ready"));
}

TEST_CASE("revert_batch leaves earlier batches on the new release and says that versions are mixed") {
  Rig rig;
  rig.effects.fail("web2 check");
  const auto result = rig.run(test::deploy_plan(3, strategy(revert_batch)));  // batches 1, 2
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(state_of(result, "web2") == HostState::reverted);
  CHECK(state_of(result, "web3") == HostState::untouched);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("revert_all brings every host back") {
  Rig rig;
  rig.effects.fail("web3 check");
  const auto result = rig.run(test::deploy_plan(3, strategy(revert_all)));
  for (const auto* host : {"web1", "web2", "web3"}) CHECK(state_of(result, host) == HostState::reverted);
  CHECK(result.finished.exit_code == 1);
}

TEST_CASE("a failure after the roll reverts all hosts unless the policy is stop") {
  const auto policy = GENERATE(stop, revert_batch, revert_all);
  Rig rig;
  rig.effects.fail("after");
  const auto result = rig.run(test::deploy_plan(2, strategy(policy)));
  CHECK((state_of(result, "web1") == HostState::reverted) == (policy != stop));
  // What nobody has approved serves visitors then, though on all hosts.
  CHECK(result.finished.exit_code == (policy == stop ? 5 : 1));
}

TEST_CASE("what has no way back and failed behind the roll is nobody's approved work, whatever the policy") {
  Rig rig;
  rig.effects.fail("after");
  auto plan = test::deploy_plan(2, strategy(revert_batch));
  for (auto& lane : plan.stages[1].lanes) lane.revert.clear();
  const auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("what is done once on a host is told of that host") {
  Rig rig;
  rig.effects.fail("web2 migrate");
  auto plan = test::deploy_plan(2, strategy(revert_batch));
  plan.stages.insert(plan.stages.begin(), {"prepare", plan::Stage::Shape::once, 1, {}});
  plan.stages.front().lanes = {{"", {test::action("prepare/1", "web2 migrate")}, {}}};
  const auto result = rig.run(plan);
  CHECK(result.finished.failed_host == "web2");
  CHECK(state_of(result, "web2") == HostState::untouched);
  std::set<std::string> hosts;
  for (const auto& event : rig.log.events())
    if (const auto* begun = std::get_if<event::ActionStarted>(&event.payload);
        begun != nullptr && begun->alone)
      hosts.insert(begun->host + " " + begun->title);
  CHECK(hosts.count("web2 web2 migrate") == 1);
}

TEST_CASE("the failure budget counts over the whole fleet") {
  Rig rig;
  rig.effects.fail("web1 reload");
  auto plan = test::deploy_plan(3, strategy(revert_batch));
  plan.strategy.max_failures = {1, false};
  auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::reverted);
  CHECK(state_of(result, "web3") == HostState::done);
  CHECK(result.verdict == Verdict::needs_person);

  Rig second;
  second.effects.fail("web1 reload");
  second.effects.fail("web2 reload");
  result = second.run(plan);
  CHECK(state_of(result, "web3") == HostState::untouched);
}

TEST_CASE("a finding of the preflight refuses the run and all findings come") {
  Rig rig;
  auto plan = test::deploy_plan(2, strategy(revert_batch));
  plan::Stage preflight{"preflight", plan::Stage::Shape::gather, 16, {}};
  for (const auto* host : {"web1", "web2"}) {
    preflight.lanes.push_back(
        {host, {test::action(std::string("pre/") + host, std::string(host) + " look")}, {}});
    rig.effects.fail(std::string(host) + " look");
  }
  plan.stages.insert(plan.stages.begin(), preflight);
  const auto result = rig.run(plan);
  CHECK(result.finished.exit_code == 4);
  CHECK(rig.effects.did("web1 look"));
  CHECK(rig.effects.did("web2 look"));
  CHECK_FALSE(rig.effects.did("web1 checkout"));
  CHECK(rig.effects.did("unlock"));
}

TEST_CASE("a lock that is held refuses the run and is not given back") {
  Rig rig;
  rig.effects.fail("lock");
  const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
  CHECK(result.finished.exit_code == 4);
  CHECK(rig.effects.performed() == std::vector<std::string>{"lock"});
}

TEST_CASE("the first signal finishes the host in hand and begins no other") {
  const auto at = GENERATE(std::string("activate"), std::string("reload"), std::string("ready"));
  Rig rig;
  rig.effects.on_perform = [&](const std::string& name, exec::Performance&) {
    if (name == "web1 " + at) rig.stops.soft.request();
  };
  const auto result = rig.run(test::deploy_plan(3, strategy(revert_batch)));
  CHECK(result.verdict == Verdict::interrupted);
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(state_of(result, "web2") == HostState::untouched);
  CHECK(rig.effects.performed().back() == "unlock");
}

TEST_CASE("the first signal while a host drains puts it back") {
  Rig rig;
  rig.effects.on_perform = [&](const std::string& name, exec::Performance&) {
    if (name == "web1 calm") rig.stops.soft.request();
  };
  const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
  CHECK(result.verdict == Verdict::interrupted);
  CHECK(state_of(result, "web1") == HostState::restored);
  CHECK(rig.effects.did("web1 undo"));
}

TEST_CASE("the second signal abandons and says what is left out") {
  Rig rig;
  rig.effects.on_perform = [&](const std::string& name, exec::Performance&) {
    if (name == "web1 reload") {
      rig.stops.soft.request();
      rig.stops.hard.request();
    }
  };
  const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
  CHECK(result.finished.exit_code == 5);
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(rig.effects.performed().back() == "unlock");
}

TEST_CASE("a journal that cannot be written stops new work, never the giving back") {
  for (std::size_t full_after = 0; full_after < 26; ++full_after) {
    INFO("disk full after " << full_after << " records");
    Rig rig;
    rig.journal.full_after = full_after;
    const auto result = rig.run(test::deploy_plan(2, strategy(revert_batch)));
    CHECK(result.verdict != Verdict::done);
    const bool taken = rig.effects.did("web1 drain");
    const bool given = rig.effects.did("web1 undo") || rig.effects.did("web1 ready");
    CHECK((given || !taken));
  }
}

TEST_CASE("attempts are made while the failure may pass") {
  Rig rig;
  auto plan = test::deploy_plan(1, strategy(revert_batch));
  std::get<plan::Action>(plan.stages[0].lanes[0].nodes[0]).attempts = 3;
  rig.effects.fail("web1 checkout", 2);
  CHECK(rig.run(plan).verdict == Verdict::done);
}

TEST_CASE("lanes of a parallel stage all run to their end") {
  Rig rig;
  rig.effects.fail("web1 checkout");
  const auto result = rig.run(test::deploy_plan(3, strategy(revert_batch)));
  CHECK(result.finished.exit_code == 1);
  CHECK(rig.effects.did("web3 checkout"));
  CHECK_FALSE(rig.effects.did("web1 drain"));
}

TEST_CASE("what was altered before the bracket does not make a broken body look untouched") {
  Rig rig;
  auto plan = test::deploy_plan(1, strategy(revert_batch));
  auto& nodes = plan.stages[1].lanes[0].nodes;
  nodes.insert(nodes.begin(), test::action("roll/web1/early", "web1 early", true));
  rig.effects.fail("web1 reload");
  const auto result = rig.run(plan);
  CHECK(rig.effects.did("web1 back"));
  CHECK_FALSE(rig.effects.did("web1 undo"));
  CHECK(state_of(result, "web1") == HostState::reverted);
}

TEST_CASE("a lane altered and not brought back needs a person, even when it is the only one") {
  Rig rig;
  auto plan = test::deploy_plan(1, strategy(stop));
  plan.stages[1].lanes[0].nodes = {test::action("roll/web1/reload", "web1 reload", true)};
  plan.stages[1].lanes[0].revert.clear();
  rig.effects.fail("web1 reload");
  CHECK(rig.run(plan).finished.exit_code == 5);
}

TEST_CASE("a budget that is exceeded ends the run before the stages that follow") {
  Rig rig;
  auto plan = test::deploy_plan(3, strategy(revert_batch));
  plan.strategy.max_failures = {10, true};  // of 3 hosts: none
  rig.effects.fail("web3 check");
  rig.run(plan);
  CHECK_FALSE(rig.effects.did("after"));
}

TEST_CASE("a parallel stage begins no more hosts after more failures than it may have") {
  const auto run = [](Rig& rig, std::optional<plan::Amount> most) {
    plan::Plan plan;
    plan.kind = "exec";
    plan::Stage stage{"exec", plan::Stage::Shape::parallel, 1, {}, most};
    for (const std::string host : {"web1", "web2", "web3", "web4"}) {
      plan.hosts[host].name = host;
      stage.lanes.push_back({host, {test::action("exec/" + host, host + " run")}, {}});
      rig.effects.fail(host + " run");
    }
    plan.stages.push_back(stage);
    return rig.run(plan);
  };
  Rig none;
  const auto stopped = run(none, plan::Amount{0, false});
  CHECK(stopped.finished.exit_code == 1);
  CHECK(none.effects.performed().size() == 1);
  CHECK(state_of(stopped, "web1") == HostState::failed);
  CHECK(state_of(stopped, "web2") == HostState::untouched);
  Rig half;
  run(half, plan::Amount{50, true});
  CHECK(half.effects.performed().size() == 3);
  Rig all;
  CHECK(run(all, {}).finished.exit_code == 1);
  CHECK(all.effects.performed().size() == 4);
}

TEST_CASE("what follows on each host is only for hosts that are on the new release") {
  Rig rig;
  auto plan = test::deploy_plan(2, strategy(revert_batch));
  plan.strategy.max_failures = {1, false};
  plan::Stage cleanup{"cleanup", plan::Stage::Shape::parallel, 16, {}};
  for (const auto* host : {"web1", "web2"})
    cleanup.lanes.push_back(
        {host, {test::action(std::string("cleanup/") + host, std::string(host) + " clean")}, {}});
  plan.stages.push_back(cleanup);
  rig.effects.fail("web1 reload");
  rig.run(plan);
  CHECK_FALSE(rig.effects.did("web1 clean"));
  CHECK(rig.effects.did("web2 clean"));
}

TEST_CASE("a refusal before anything was altered is exit 4") {
  Rig rig;
  rig.effects.refuse("web1 drain");
  CHECK(rig.run(test::deploy_plan(2, strategy(revert_batch))).finished.exit_code == 4);
  Rig later;
  later.effects.refuse("web2 drain");
  CHECK(later.run(test::deploy_plan(2, strategy(revert_batch))).finished.exit_code == 5);
}

TEST_CASE("a run that came to a host before it was refused at another was not refused as a whole") {
  auto plan = test::deploy_plan(2, strategy(stop));
  for (auto& lane : plan.stages[1].lanes)
    for (auto& action : std::get<plan::Bracket>(lane.nodes.front()).body) action.alters_service = false;
  Rig task;
  task.effects.refuse("web2 drain");
  CHECK(task.run(plan).finished.exit_code == 1);
  CHECK(task.effects.did("web1 ready"));
  Rig refused;
  refused.effects.refuse("web1 drain");
  CHECK(refused.run(plan).finished.exit_code == 4);
}

TEST_CASE("a signal in the pause between two attempts is an interruption, not a failure") {
  Rig rig;
  auto plan = test::deploy_plan(1, strategy(revert_batch));
  auto& checkout = std::get<plan::Action>(plan.stages[0].lanes[0].nodes[0]);
  checkout.attempts = 3;
  checkout.retry_every = base::Duration(10'000);
  rig.effects.fail("web1 checkout");
  rig.effects.on_perform = [&](const std::string& name, exec::Performance&) {
    if (name == "web1 checkout") std::thread([&] { rig.stops.soft.request(); }).join();
  };
  CHECK(rig.run(plan).verdict == Verdict::interrupted);
}

TEST_CASE("a host whose release failed and whose revert cannot even begin is out, not merely failed") {
  Rig rig;
  rig.effects.fail("web1 ready");
  rig.effects.fail("web1 drain (revert)");
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("a revert of a release that did not come back is never undone: that would let visitors in to it") {
  Rig rig;
  rig.effects.fail("web1 ready");
  rig.effects.fail("web1 calm (revert)");
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(rig.effects.did("web1 drain (revert)"));
  CHECK_FALSE(rig.effects.did("web1 undo (revert)"));
}

TEST_CASE("a revert of a release that serves is undone when its drain fails") {
  Rig rig;
  rig.effects.fail("web1 check");
  rig.effects.fail("web1 calm (revert)");
  const auto result = rig.run(test::deploy_plan(1, strategy(revert_batch)));
  CHECK(state_of(result, "web1") == HostState::failed);
  CHECK(rig.effects.did("web1 undo (revert)"));
}

TEST_CASE("a bracket without an undo leaves the host out when it cannot be taken") {
  Rig rig;
  const bool at_once = GENERATE(true, false);
  rig.effects.fail(at_once ? "wait" : "web1 calm");
  auto plan = test::deploy_plan(1, strategy(stop));
  auto& bracket = std::get<plan::Bracket>(plan.stages[1].lanes[0].nodes[0]);
  bracket.undo.clear();
  // What it goes on with was out before, also where nothing was begun.
  if (at_once)
    bracket.acquire.front().effect = plan::AwaitRotation{
        "web1", plan::AwaitRotation::Until::calm, plan::AwaitRotation::AtDeadline::fail, {}};
  const auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("a host that is on its way back outside a bracket and does not come is out") {
  using Change = plan::ChangeRotation;
  const auto rotation = [](const std::string& id, plan::Effect effect) {
    auto made = test::action(id, "web1 " + id);
    made.effect = std::move(effect);
    return made;
  };
  auto plan = test::deploy_plan(1, strategy(stop));
  plan.stages.pop_back();
  plan.stages[1].lanes[0].nodes = {
      rotation("prove", Change{"web1", Change::To::prove}),
      rotation("proven",
               plan::AwaitRotation{
                   "web1", plan::AwaitRotation::Until::proven, plan::AwaitRotation::AtDeadline::fail, {}})};
  Rig rig;
  rig.effects.fail("wait");
  const auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::out);
  CHECK(result.finished.exit_code == 5);
}

TEST_CASE("a restore that is stopped before it changed anything has left the host as it was") {
  auto plan = test::deploy_plan(1, strategy(stop));
  plan.stages.pop_back();
  auto looks = test::action("looks", "web1 looks");
  std::get<plan::RunRemote>(looks.effect).reads_only = true;
  auto prove = test::action("prove", "web1 prove");
  prove.effect = plan::ChangeRotation{"web1", plan::ChangeRotation::To::prove};
  plan.stages[1].lanes[0].nodes = {looks, prove};
  Rig rig;
  rig.journal.on_record = [&](const std::string& record) {
    if (record == "outcome looks ok") rig.stops.soft.request();
  };
  const auto result = rig.run(plan);
  CHECK(result.verdict == Verdict::interrupted);
  CHECK(state_of(result, "web1") == HostState::untouched);
  CHECK_FALSE(rig.effects.did(plan::kind_of(prove.effect)));
}

TEST_CASE("a drain that comes to some of its hosts only is neither refused nor merely failed") {
  const bool refused = GENERATE(true, false);
  auto plan = test::deploy_plan(2, strategy(stop));
  plan.stages.erase(plan.stages.begin());
  plan.stages.pop_back();
  for (auto& lane : plan.stages[0].lanes) {
    auto bracket = std::get<plan::Bracket>(lane.nodes[0]);
    bracket.body.clear();
    bracket.release.clear();
    lane.nodes = {bracket};
  }
  Rig rig;
  refused ? rig.effects.refuse("web2 drain") : rig.effects.fail("web2 drain");
  const auto result = rig.run(plan);
  CHECK(state_of(result, "web1") == HostState::done);
  CHECK(result.finished.exit_code == 5);
  SECTION("and where the first of them is refused, nothing was changed") {
    Rig other;
    other.effects.refuse("web1 drain");
    CHECK(other.run(plan).finished.exit_code == 4);
  }
}
