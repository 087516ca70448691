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

TEST_CASE("an app that surely nothing was sent to is as it was: the drain is undone, nothing is repaired") {
  Deploy deploy;
  deploy.attempts = 2;
  deploy.effects.lose_unsent("web1 activate");
  CHECK(deploy.web1() == HostState::restored);
  CHECK_FALSE(deploy.effects.did("web1 back"));
  CHECK(deploy.effects.did("web1 undo"));
  CHECK(deploy.wrote("not begun roll/web1/activate unreachable"));
}

TEST_CASE("a later action that was not sent leaves an app half changed all the same") {
  Deploy deploy;
  deploy.effects.lose_unsent("web1 reload");
  CHECK(deploy.web1() == HostState::reverted);
  CHECK(deploy.wrote("outcome roll/web1/activate ok"));
  CHECK(deploy.wrote("not begun roll/web1/reload unreachable"));
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
