#include "staithe/world/recovered.hpp"

#include "catch.hpp"
#include "history.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/recovery.hpp"

#include <nlohmann/json.hpp>

#include <map>

using namespace staithe;
using test::action;
using test::History;
using test::plan_of;

namespace {

/// Nobody was there since.
world::Aftermath as_left(const std::vector<world::HostLeft>& left) {
  world::Aftermath aftermath;
  for (const auto& host : left) aftermath.hosts.push_back({host});
  return aftermath;
}

}  // namespace

TEST_CASE("a recovery ends the run that it was for, with what became of each host") {
  using world::Left;
  event::RunFinished finished;
  finished.hosts = {{"web1", event::HostState::done, ""}, {"web2", event::HostState::done, ""}};
  const auto host = [](const std::string& name, Left left, bool by_hand = false) {
    world::HostLeft known;
    known.host = name;
    known.left = left;
    known.by_hand = by_hand;
    return known;
  };
  const auto mixed = world::conclude(
      as_left({host("web1", Left::out_done), host("web2", Left::out_altered), host("web3", Left::untouched)}),
      finished);
  CHECK(mixed.mixed());
  CHECK(mixed.needs_a_person());
  CHECK(mixed.on_new == 1);
  // A host that the revert of its lane brought back is not on the new release.
  event::RunFinished reverted = finished;
  reverted.hosts[0].state = event::HostState::reverted;
  CHECK_FALSE(world::conclude(as_left({host("web1", Left::out_done), host("web2", Left::out_back)}), reverted)
                  .needs_a_person());
  CHECK_FALSE(
      world::conclude(as_left({host("web1", Left::done), host("web2", Left::out_new)}), finished).mixed());
  const auto person =
      world::conclude(as_left({host("web1", Left::altered, true), host("web2", Left::done)}), finished);
  CHECK(person.by_hand == std::vector<std::string>{"web1"});
  CHECK(person.needs_a_person());
  History past;
  past.begin("run", plan_of("deploy"));
  world::end_recovered(past.store(), *past.store().run("run"), mixed);
  const auto run = *past.store().run("run");
  CHECK(run.outcome == "recovered");
  CHECK(run.exit_code == 5);
  CHECK(world::host_states(run) ==
        std::map<std::string, std::string>{{"web1", "done"}, {"web2", "reverted"}});
  world::end_recovered(past.store(), run, person);
  CHECK(past.store().run("run")->outcome == "needs a person");
}

TEST_CASE("a recovery that failed ends the run all the same where its own revert put right what failed") {
  plan::Plan recovery;
  recovery.kind = "recover";
  event::RunFinished finished;
  const auto left = [&](int code, event::HostState web1, event::HostState web2) {
    finished.exit_code = code;
    finished.hosts = {{"web1", web1, ""}, {"web2", web2, ""}};
    return !world::put_right(recovery, finished);
  };
  using enum event::HostState;
  finished.failed_host = "web2";
  // Nothing but what follows a roll.
  recovery.stages.push_back({"cleanup", plan::Stage::Shape::parallel, 16, {{"web2", {}, {}}}});
  CHECK_FALSE(left(0, done, untouched));
  CHECK_FALSE(left(1, done, untouched));
  CHECK(left(130, done, untouched));
  recovery.stages.insert(recovery.stages.begin(),
                         {"recover", plan::Stage::Shape::rolling, 1, {{"web1", {}, {}}, {"web2", {}, {}}}});
  CHECK_FALSE(left(0, done, done));
  CHECK_FALSE(left(1, done, reverted));
  CHECK(left(1, untouched, reverted));
  CHECK(left(1, failed, reverted));
  CHECK(left(5, out, reverted));
  CHECK(left(130, done, reverted));
  CHECK(left(1, done, done));  // it failed at what follows, which is still owed
}
