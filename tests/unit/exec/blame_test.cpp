#include "catch.hpp"
#include "fake_effects.hpp"

using namespace staithe;
using event::HostState;
using test::state_of;

namespace {

plan::Action brand(const std::string& host) {
  plan::Action record;
  record.id = "roll/" + host + "/record";
  record.effect = plan::RecordRelease{host, "payments", "r1", "r1", plan::RecordRelease::State::bad};
  return record;
}

/// A deploy to two hosts whose repairs and reverts write that the release is bad.
struct Branded {
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  exec::Stops stops;
  exec::RunResult result;
  bool waits = false;                                            ///< for its health, as a probe
  std::function<void(plan::Lane&)> change = [](plan::Lane&) {};  ///< of web2's lane

  HostState web1(plan::Strategy::OnFailure on_failure = plan::Strategy::OnFailure::revert_batch) {
    plan::Strategy strategy;
    strategy.on_failure = on_failure;
    auto plan = test::deploy_plan(2, strategy);
    for (auto& lane : plan.stages[1].lanes) {
      if (waits) std::get<plan::Bracket>(lane.nodes.front()).body.back().effect = plan::Probe{};
      std::get<plan::Bracket>(lane.nodes.front()).repair.push_back(brand(lane.host));
      std::get<plan::Bracket>(lane.revert.front()).body.push_back(brand(lane.host));
    }
    change(plan.stages[1].lanes[1]);
    result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
    return state_of(result, "web1");
  }
  bool is_branded() const { return effects.did("record"); }
};

}  // namespace

TEST_CASE("a release that fails on a host is bad; one that this machine failed is not") {
  const auto own_fault = GENERATE(false, true);
  INFO("own fault: " << own_fault);
  Branded deploy;
  deploy.effects.own_fault = own_fault;
  SECTION("where the host is repaired") {
    deploy.effects.fail("web1 health", 1);
    CHECK(deploy.web1() == HostState::reverted);
    CHECK(deploy.effects.did("web1 health-back"));
    CHECK(deploy.is_branded() == !own_fault);
  }
  SECTION("where it does not come back into rotation") {
    deploy.effects.fail("web1 ready", 1);
    CHECK(deploy.web1() == HostState::reverted);
    CHECK(deploy.effects.did("web1 revert-back"));
    CHECK(deploy.is_branded() == !own_fault);
  }
  SECTION("where its batch is reverted") {
    deploy.effects.fail("web1 check", 1);
    CHECK(deploy.web1() == HostState::reverted);
    CHECK(deploy.is_branded() == !own_fault);
  }
  SECTION("where what comes after the roll fails") {
    deploy.effects.fail("after", 1);
    CHECK(deploy.web1(plan::Strategy::OnFailure::revert_all) == HostState::reverted);
    CHECK(deploy.is_branded() == !own_fault);
  }
}

TEST_CASE(
    "what is refused says nothing against the release: somebody else has the server, or the key is no good "
    "any more") {
  Branded deploy;
  deploy.effects.refuse(GENERATE(as<std::string>{}, "web1 check", "web1 ready"));
  CHECK(deploy.web1() == HostState::reverted);
  CHECK_FALSE(deploy.is_branded());
}

TEST_CASE("that the release is bad is one more action of the lane whose way back failed") {
  Branded deploy;
  SECTION("in its bracket") {
    deploy.effects.fail("web1 health");
    deploy.effects.fail("web1 reload-back");
  }
  SECTION("in its revert") {
    deploy.effects.fail("web1 check");
    deploy.effects.fail("web1 revert-reload");
  }
  deploy.web1();
  REQUIRE(deploy.is_branded());
  std::uint64_t before = 0, branded = 0;
  for (const auto& event : deploy.log.events()) {
    const auto* begun = std::get_if<event::ActionStarted>(&event.payload);
    if (begun == nullptr || begun->host != "web1") continue;
    if (begun->kind == plan::kind_of(brand("web1").effect))
      branded = begun->index;
    else if (branded == 0)
      before = begun->index;
  }
  CHECK(before > 1);
  CHECK(branded == before + 1);
}

TEST_CASE("a host that could not be taken out says nothing against the release that is reverted for it") {
  Branded deploy;
  deploy.effects.fail("web2 drain");
  CHECK(deploy.web1(plan::Strategy::OnFailure::revert_all) == HostState::reverted);
  CHECK_FALSE(deploy.is_branded());
}

TEST_CASE("what another than the release has failed at is not held against it, whatever is reverted for it") {
  using To = plan::ChangeRotation::To;
  using Until = plan::AwaitRotation::Until;
  constexpr auto fails = plan::AwaitRotation::AtDeadline::fail;
  Branded deploy;
  bool is_bad = false;
  const auto gives_back = [&](plan::Effect effect) {
    deploy.effects.fail(plan::kind_of(effect), 1);
    deploy.change = [effect](plan::Lane& lane) {
      std::get<plan::Bracket>(lane.nodes.front()).release.back().effect = effect;
    };
  };
  const auto before_the_bracket = [&](plan::Effect effect) {
    deploy.effects.fail(plan::kind_of(effect), 1);
    deploy.change = [effect](plan::Lane& lane) {
      auto loose = test::action("loose", "web2 loose");
      loose.effect = effect;
      lane.nodes.insert(lane.nodes.begin(), loose);
    };
  };
  SECTION("its host is not heard of before the release is on it") {
    deploy.effects.lose("web2 prepare", 99);
  }
  SECTION("its host is not heard of behind that") {
    deploy.effects.lose("web2 health", 99);
  }
  SECTION("nothing could be sent to it") {
    deploy.effects.lose_unsent("web2 activate");
  }
  SECTION("a balancer cannot be told to let it in") {
    gives_back(plan::ChangeRotation{"web2", To::ready});
  }
  SECTION("visitors do not leave") {
    before_the_bracket(plan::AwaitRotation{"web2", Until::calm, fails, {}});
  }
  SECTION("too few servers are left") {
    before_the_bracket(plan::GuardCapacity{"web2", {1, false}});
  }
  SECTION("a step of this machine") {
    before_the_bracket(plan::RunLocal{});
  }
  SECTION("nobody confirms") {
    before_the_bracket(plan::Confirm{});
  }
  SECTION("but what the balancers do not find well is bad") {
    gives_back(plan::AwaitRotation{"web2", Until::serving, fails, {}});
    is_bad = true;
  }
  SECTION("and so is what its checks do not") {
    gives_back(plan::CheckSuite{});
    is_bad = true;
  }
  CHECK(deploy.web1(plan::Strategy::OnFailure::revert_all) == HostState::reverted);
  CHECK(deploy.is_branded() == is_bad);
}

TEST_CASE("a stop ends the wait for a health under way at once: the host is put back, and nothing is bad") {
  Branded deploy;
  deploy.waits = true;
  const auto stop_at = [&](const std::string& where) {
    deploy.effects.on_perform = [&deploy, where](const std::string& name, exec::Performance&) {
      if (name == where) deploy.stops.soft.request();
    };
  };
  SECTION("while it waits") {
    stop_at("probe");
    CHECK(deploy.web1() == HostState::reverted);
    CHECK(deploy.effects.did("web1 health-back"));
    CHECK(deploy.effects.did("web1 ready"));
    CHECK_FALSE(deploy.effects.did("record"));
    CHECK(state_of(deploy.result, "web2") == HostState::untouched);
  }
  SECTION("before it waits, the host is finished") {
    stop_at("web1 reload");
    CHECK(deploy.web1() == HostState::done);
  }
  SECTION("a failure of what was in hand is an interrupted run all the same") {
    stop_at("web1 reload");
    deploy.effects.fail("probe");
    CHECK(deploy.web1() == HostState::reverted);
  }
  CHECK(deploy.result.verdict == exec::Verdict::interrupted);
}

TEST_CASE("the last lines say that there are more findings than the first") {
  test::FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  const exec::Stops stops;
  auto plan = test::deploy_plan(3, {});
  plan.stages.front().shape = plan::Stage::Shape::gather;
  for (const auto* host : {"web1", "web2", "web3"}) effects.fail(std::string(host) + " checkout");
  const auto result = exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  CHECK(result.verdict == exec::Verdict::refused);
  CHECK(result.finished.failure == "told to fail (and 2 findings more, above)");
}
