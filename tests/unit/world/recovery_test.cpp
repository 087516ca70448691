#include "catch.hpp"
#include "died.hpp"

#include <algorithm>

using namespace staithe;
using namespace test::died;
using test::action;
using world::Left;

namespace {

const plan::Bracket& bracket_of(const plan::Plan& plan) {
  return std::get<plan::Bracket>(plan.stages.at(0).lanes.at(0).nodes.at(0));
}

}  // namespace

TEST_CASE("where a host was left follows from what the journal begun and ended") {
  CHECK(Story().left() == Left::untouched);
  CHECK(Story().begun("guard").left() == Left::untouched);
  // A drain changes nothing before it has noted what it found.
  CHECK(Story().ok({"guard"}).begun("drain").left() == Left::untouched);
  CHECK(Story().ok({"guard"}).begun("drain").found("drain", "ready").left() == Left::out_unaltered);
  CHECK(Story().ok({"guard", "drain"}).begun("prepare").left() == Left::out_unaltered);
  CHECK(Story().ok({"guard", "drain", "prepare"}).begun("activate").left() == Left::out_altered);
  CHECK(Story().ok({"guard", "drain", "prepare", "activate", "reload"}).begun("health").left() ==
        Left::out_altered);
  const std::vector<std::string> body{"guard", "drain", "prepare", "activate", "reload", "health"};
  CHECK(Story().ok(body).left() == Left::out_done);
  CHECK(Story().ok(body).ok({"prove"}).begun("ready").left() == Left::out_done);
  CHECK(Story().ok(body).ok({"prove", "ready"}).left() == Left::done);
}

TEST_CASE("a drain that was undone leaves nothing, one whose undo died is still out") {
  CHECK(Story().ok({"guard", "drain", "undo"}).left() == Left::untouched);
  CHECK(Story().ok({"guard", "drain"}).begun("undo").left() == Left::out_unaltered);
}

TEST_CASE("a repair that died is done again, one that ended is settled") {
  const std::vector<std::string> touched{"guard", "drain", "prepare", "activate"};
  CHECK(Story().ok(touched).begun("back").left() == Left::out_altered);
  CHECK(Story().ok(touched).ok({"back", "reload-back"}).begun("prove").left() == Left::out_back);
  CHECK(Story().ok(touched).ok({"back", "reload-back", "prove", "ready"}).left() == Left::reverted);
}

TEST_CASE("where a revert had begun, its end decides") {
  Story story;
  story.ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove", "ready"});
  CHECK(Story(story).begun("revert-guard").left() == Left::done);
  CHECK(Story(story).ok({"revert-guard"}).begun("revert-drain").left() == Left::done);
  // The new release had served: the host may simply be given back with it.
  CHECK(Story(story).begun("revert-drain").found("revert-drain", "ready").left() == Left::out_new);
  CHECK(Story(story).ok({"revert-guard", "revert-drain"}).begun("revert-back").left() == Left::out_altered);
  CHECK(Story(story)
            .ok({"revert-guard", "revert-drain", "revert-back", "revert-prove", "revert-ready"})
            .left() == Left::reverted);
}

TEST_CASE("an untouched app is only given back") {
  const auto recovery = Story().ok({"guard"}).begun("drain").found("drain", "as it was").recovery();
  REQUIRE(recovery.stages.size() == 1);
  const auto& nodes = recovery.stages[0].lanes[0].nodes;
  REQUIRE(nodes.size() == 1);
  CHECK(std::get<plan::Action>(nodes[0]).id == "recover/undo");
}

TEST_CASE("a half-changed app goes back to the release before, inside the bracket") {
  const auto recovery = Story().ok({"guard", "drain", "prepare"}).begun("activate").recovery();
  const auto& bracket = bracket_of(recovery);
  // A host that is out costs no capacity, one that serves after all is taken out only when there is some.
  CHECK(ids(bracket.acquire) == std::vector<std::string>{"recover/guard", "recover/drain"});
  CHECK(ids(bracket.body) == std::vector<std::string>{"recover/back", "recover/reload-back"});
  CHECK(ids(bracket.release) == std::vector<std::string>{"recover/prove", "recover/ready"});
  CHECK(bracket.on_failure == plan::Bracket::OnFailure::keep);
  // Should even that fail, what is half changed must not be given back to visitors.
  CHECK(bracket.undo.empty());
}

TEST_CASE("a healthy new release is let in, and what would have followed is done") {
  const auto recovery =
      Story().ok({"guard", "drain", "prepare", "activate", "reload", "health"}).begun("prove").recovery();
  const auto& lane = recovery.stages[0].lanes[0];
  // After a reload of HAProxy it serves, and the proof takes it out: that must be to spare.
  CHECK(ids(bracket_of(recovery).acquire) == std::vector<std::string>{"recover/guard"});
  CHECK(bracket_of(recovery).undo.empty());
  CHECK(bracket_of(recovery).body.empty());
  CHECK(std::get<plan::Action>(lane.nodes.at(1)).id == "recover/check");
  CHECK(lane.revert.size() == 1);
}

TEST_CASE("a recovery is a plan of its own: it locks, it has an id, and it is empty when all is settled") {
  const auto recovery = Story().ok({"guard"}).begun("drain").found("drain", "ready").recovery();
  CHECK(recovery.kind == "recover");
  CHECK(recovery.open.size() == 1);
  CHECK(recovery.close.size() == 1);
  CHECK(plan::id_of(recovery) != plan::id_of(deploy()));
  CHECK(plan::from_json(plan::to_json(recovery)) == recovery);
  CHECK(Story().recovery().stages.empty());
}

TEST_CASE("the state found before the drain is handed on, a revert's own first") {
  Story story;
  story.ok({"guard"}).begun("drain").found("drain", "first");
  CHECK(world::assess(deploy(), story.journal).front().found == "first");
  story.begun("revert-drain").found("revert-drain", "second");
  CHECK(world::assess(deploy(), story.journal).front().found == "second");
}

TEST_CASE("a revert that died in its own drain ends with the new release given back") {
  Story story;
  story.ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove", "ready", "check"});
  const auto recovery =
      story.ok({"revert-guard"}).begun("revert-drain").found("revert-drain", "ready").recovery();
  const auto& nodes = recovery.stages.at(0).lanes.at(0).nodes;
  REQUIRE(nodes.size() == 1);
  CHECK(std::get<plan::Action>(nodes[0]).id == "recover/revert-undo");
}

TEST_CASE("a revert that died in its drain is not given back where the new release had not come back") {
  Story story;
  story.ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove"}).begun("ready");
  CHECK(story.begun("revert-guard").left() == Left::out_altered);
  CHECK(story.ok({"revert-guard"}).begun("revert-drain").found("revert-drain", "").left() ==
        Left::out_altered);
}

TEST_CASE("without a way back a half-changed host is left to a person") {
  auto plan = deploy();
  auto& lane = plan.stages[0].lanes[0];
  std::get<plan::Bracket>(lane.nodes[0]).repair.clear();
  lane.revert.clear();
  Story story;
  story.ok({"guard", "drain", "prepare"}).begun("activate");
  auto left = world::assess(plan, story.journal);
  CHECK(left[0].by_hand);
  CHECK(world::recovery_plan(plan, left).stages.empty());
  lane.nodes = {remote("restart", true)};
  left = world::assess(plan, Story().begun("restart").journal);
  CHECK(left[0].left == Left::altered);
  CHECK(left[0].by_hand);
  // Before anything was changed the host is only given back.
  CHECK_FALSE(world::assess(deploy(), Story().ok({"guard", "drain"}).journal)[0].by_hand);
}

TEST_CASE("a recovery has no deadline, whatever the run had that it is for") {
  auto plan = deploy();
  plan.strategy.deadline = base::Duration(60'000);
  const auto left = world::assess(plan, Story().ok({"guard", "drain"}).journal);
  CHECK(world::recovery_plan(plan, left).strategy.deadline == base::Duration::zero());
}

TEST_CASE("a host that is in rotation is taken out for its revert only with capacity to spare") {
  auto plan = deploy();
  plan.stages[0].lanes[0].nodes.emplace_back(remote("warm", true));
  Story story;
  story.ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove", "ready"}).begun("warm");
  const auto left = world::assess(plan, story.journal);
  CHECK(left[0].left == Left::altered);
  CHECK(ids(bracket_of(world::recovery_plan(plan, left)).acquire) ==
        std::vector<std::string>{"recover/revert-guard", "recover/revert-drain"});
}

namespace {

/// A deploy that reloads a worker behind its restore, with an undo.
plan::Plan with_worker() {
  auto plan = deploy();
  auto& lane = plan.stages[0].lanes[0];
  lane.nodes.emplace_back(remote("worker", true));
  std::get<plan::Bracket>(lane.revert[0]).body = {remote("revert-worker-undo"), remote("revert-back", true),
                                                  remote("revert-worker", true)};
  return plan;
}

std::vector<std::string> mending(const plan::Plan& plan, const Story& story,
                                 const std::vector<world::LaterRecovery>& since = {}) {
  const auto left = world::assess(plan, story.journal, since);
  CHECK_FALSE(left[0].by_hand);
  return ids(bracket_of(world::recovery_plan(plan, left)).body);
}

const std::vector<std::string> of_the_whole{"recover/revert-worker-undo", "recover/revert-back",
                                            "recover/revert-worker"};
const std::vector<std::string> served{"guard",  "drain", "prepare", "activate", "reload",
                                      "health", "prove", "ready",   "check"};

}  // namespace

TEST_CASE("a recovery takes back what stands behind the restore where that had begun, and nowhere else") {
  const auto plan = with_worker();
  CHECK(mending(plan, Story().ok(served).begun("worker")) == of_the_whole);
  // The revert itself died: before it changed anything back, in between, and with all done but to let it in.
  const Story going_back = Story().ok(served).begun("worker").ok({"revert-guard", "revert-drain"});
  CHECK(mending(plan, going_back) == of_the_whole);
  CHECK(mending(plan, Story(going_back).begun("revert-worker-undo")) == of_the_whole);
  CHECK(mending(plan, Story(going_back).ok({"revert-worker-undo", "revert-back"}).begun("revert-worker")) ==
        of_the_whole);
  CHECK(mending(plan, Story(going_back)
                          .ok({"revert-worker-undo", "revert-back", "revert-worker"})
                          .begun("revert-prove")) == of_the_whole);
  // It never came to the worker.
  const std::vector<std::string> back{"recover/back", "recover/reload-back"};
  CHECK(mending(plan, Story().ok({"guard", "drain", "prepare"}).begun("activate")) == back);
  // Without a way back of its own the bracket has one as soon as what stands behind it has.
  auto bare = plan;
  std::get<plan::Bracket>(bare.stages[0].lanes[0].nodes[0]).repair.clear();
  CHECK(mending(bare, Story(going_back).ok({"revert-worker-undo"}).begun("revert-back")) == of_the_whole);
}

TEST_CASE("what a recovery did behind the restore the next one takes back") {
  const auto plan = with_worker();
  const auto died = Story().ok({"guard", "drain", "prepare", "activate", "reload", "health"}).begun("prove");
  std::vector<world::LaterRecovery> since;
  const auto then = [&](const Story& story) {
    const auto left = world::assess(plan, died.journal, since);
    since.push_back({world::recovery_plan(plan, left), story.journal});
  };
  then(Story()
           .ok({"recover/guard", "recover/prove", "recover/ready", "recover/check"})
           .begun("recover/worker"));
  CHECK(mending(plan, died, since) == of_the_whole);
  then(Story().ok({"recover/revert-guard", "recover/revert-drain"}).begun("recover/revert-back"));
  CHECK(mending(plan, died, since) == of_the_whole);
}

namespace {

plan::Plan restore() {
  const auto serving = [](plan::AwaitRotation::Until until) {
    return plan::AwaitRotation{"web1", until, plan::AwaitRotation::AtDeadline::fail, {}, true};
  };
  plan::Plan plan;
  plan.kind = "restore";
  plan.stages.push_back({"roll",
                         plan::Stage::Shape::rolling,
                         1,
                         {{"web1",
                           {action("guard", plan::GuardCapacity{"web1", {2, false}}),
                            action("prove", plan::ChangeRotation{"web1", plan::ChangeRotation::To::prove}),
                            action("proven", serving(plan::AwaitRotation::Until::proven)),
                            action("ready", plan::ChangeRotation{"web1", plan::ChangeRotation::To::ready}),
                            action("serves", serving(plan::AwaitRotation::Until::serving))},
                           {}}}});
  return plan;
}

}  // namespace

TEST_CASE("a restore that died on its way is done again, and asks for capacity before its proof as it did") {
  const auto plan = restore();
  const auto left = world::assess(plan, Story().ok({"guard", "prove"}).begun("proven").journal);
  CHECK(left[0].left == Left::out_unaltered);
  const auto nodes = world::recovery_plan(plan, left).stages.at(0).lanes.at(0).nodes;
  REQUIRE(nodes.size() == 5);
  CHECK(std::get<plan::Action>(nodes[0]).id == "recover/guard");
  // Of what was found out of rotation it is done all the same.
  CHECK_FALSE(std::get<plan::AwaitRotation>(std::get<plan::Action>(nodes[4]).effect).in_service);
  CHECK(world::assess(plan, Story().begun("guard").journal)[0].left == Left::untouched);
  const auto ended = Story().ok({"guard", "prove", "proven", "ready", "serves"}).journal;
  CHECK(world::assess(plan, ended)[0].left == Left::untouched);
  CHECK(world::rotation_left(plan.stages[0].lanes[0], ended) == world::RotationLeft::back);
}

TEST_CASE("a host that was proven and may serve by now is not proven again") {
  const std::vector<std::string> body{"guard", "drain", "prepare", "activate", "reload", "health"};
  const auto release = [](const Story& story) { return ids(bracket_of(story.recovery()).release); };
  CHECK(release(Story().ok(body).begun("prove")) ==
        std::vector<std::string>{"recover/prove", "recover/ready"});
  CHECK(release(Story().ok(body).ok({"prove"}).begun("ready")) == std::vector<std::string>{"recover/ready"});
  const auto back = Story().ok({"guard", "drain", "prepare"}).begun("activate").ok({"back", "reload-back"});
  const auto recovery = Story(back).ok({"prove"}).begun("ready").recovery();
  CHECK(ids(bracket_of(recovery).release) == std::vector<std::string>{"recover/ready"});
  CHECK(bracket_of(recovery).acquire.empty());
  CHECK(bracket_of(recovery).body.empty());
  CHECK(bracket_of(recovery).on_failure == plan::Bracket::OnFailure::keep);
  // What the proof refused is repaired anew.
  Story refused(back);
  refused.journal.actions["prove"] = {true, true, "failed", false, {}};
  CHECK(refused.left() == Left::out_altered);
}

TEST_CASE("what nobody has proven is to stay out until its turn comes, what may serve is not") {
  const auto stays = [](const plan::Plan& plan, const Story& story) {
    return world::must_stay_out(plan, world::assess(plan, story.journal).front());
  };
  const std::vector<std::string> body{"guard", "drain", "prepare", "activate", "reload", "health"};
  CHECK_FALSE(stays(deploy(), Story().ok({"guard", "drain"})));
  CHECK(stays(deploy(), Story().ok({"guard", "drain", "prepare"}).begun("activate")));
  CHECK(stays(deploy(), Story().ok(body).begun("prove")));
  CHECK_FALSE(stays(deploy(), Story().ok(body).ok({"prove"}).begun("ready")));
  CHECK_FALSE(stays(deploy(), Story().ok(body).ok({"prove", "ready"})));
  CHECK_FALSE(stays(deploy(), Story().ok(body).ok({"prove", "ready", "revert-drain"})));
  CHECK(stays(restore(), Story().ok({"guard", "prove"}).begun("proven")));
  CHECK_FALSE(stays(restore(), Story().ok({"guard", "prove", "proven"}).begun("ready")));
}

TEST_CASE("a balancer that could not be told to let visitors in says nothing against a proven host") {
  const Story back = Story().ok({"guard", "drain", "prepare"}).begun("activate").ok({"back", "reload-back"});
  Story away = Story(back).ok({"prove"});
  away.journal.actions["ready"] = {true, true, "failed", false, {}};
  CHECK(away.left() == Left::out_back);
  const auto let_in = [](const plan::Plan& recovery) {
    CHECK(bracket_of(recovery).acquire.empty());
    CHECK(bracket_of(recovery).body.empty());
    CHECK(ids(bracket_of(recovery).release) == std::vector<std::string>{"recover/ready"});
  };
  let_in(away.recovery());
  // And the same where it was a recovery that could not tell it.
  Story again = Story().ok({"recover/guard", "recover/drain", "recover/back", "recover/reload-back"});
  again.ok({"recover/prove"}).journal.actions["recover/ready"] = {true, true, "failed", false, {}};
  const auto altered = Story().ok({"guard", "drain", "prepare"}).begun("activate");
  const world::LaterRecovery first{altered.recovery(), again.journal};
  let_in(world::recovery_plan(deploy(), world::assess(deploy(), altered.journal, {first})));
}

namespace {

/// A deploy that died, and recoveries of it that each did a part of their plan.
struct Recoveries {
  Story deploy;
  std::vector<world::LaterRecovery> since{};

  plan::Plan next() const { return world::recovery_plan(test::died::deploy(), look()); }
  std::vector<world::HostLeft> look() const {
    return world::assess(test::died::deploy(), deploy.journal, since);
  }
  world::HostLeft host() const { return look().front(); }
  Recoveries& died(const Story& story) {
    since.push_back({next(), story.journal});
    return *this;
  }
};

}  // namespace

TEST_CASE("a host that a recovery gave back is settled, however the recovery ended") {
  const Story altered = Story().ok({"guard", "drain", "prepare"}).begun("activate");
  const std::vector<std::string> mended{"recover/guard",       "recover/drain", "recover/back",
                                        "recover/reload-back", "recover/prove", "recover/ready"};
  Recoveries reverted{altered};
  CHECK(reverted.died(Story().ok(mended)).host().left == Left::reverted);
  CHECK(reverted.next().stages.empty());
  Recoveries untouched{Story().ok({"guard"}).begun("drain").found("drain", "ready")};
  CHECK(untouched.died(Story().ok({"recover/undo"})).host().left == Left::untouched);
  Recoveries let_in{Story().ok({"guard", "drain", "prepare", "activate", "reload", "health"})};
  let_in.died(Story().ok({"recover/guard", "recover/prove", "recover/ready"}).begun("recover/check"));
  CHECK(let_in.host().left == Left::done);
  // The revert of a release that had served died in its drain, and a recovery let it in again.
  Recoveries kept{Story()
                      .ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove", "ready"})
                      .begun("revert-drain")
                      .found("revert-drain", "ready")};
  CHECK(kept.died(Story().ok({"recover/revert-undo"})).host().left == Left::done);
}

TEST_CASE(
    "a release is bad for what failed, not for the death of its run, and a host is right without the word") {
  auto plan = deploy();
  auto& lane = plan.stages[0].lanes[0];
  const auto bad =
      action("bad", plan::RecordRelease{"web1", "payments", "r1", "r1", plan::RecordRelease::State::bad});
  std::get<plan::Bracket>(lane.nodes[0]).repair.push_back(bad);
  const auto mending = [&](const Story& story) {
    return ids(bracket_of(world::recovery_plan(plan, world::assess(plan, story.journal))).body);
  };
  const Story died = Story().ok({"guard", "drain", "prepare", "activate"}).begun("reload");
  CHECK(mending(died) == std::vector<std::string>{"recover/back", "recover/reload-back"});
  Story failed = Story(died);
  failed.journal.actions["reload"] = {true, true, "failed", false, {}};
  CHECK(mending(failed) == std::vector<std::string>{"recover/back", "recover/reload-back", "recover/bad"});
  // What the run itself would not have called it bad for: its deadline, a fault of this machine.
  failed.journal.actions["reload"] = {true, true, "timed_out", true, {}};
  CHECK(mending(failed) == mending(died));
  Story stopped = Story(died);
  stopped.journal.actions["reload"] = {true, true, "cancelled", false, {}};
  CHECK(mending(stopped) == mending(died));
  // Proven, and only to be let in when the process died: what has become of it since is not the release's
  // fault.
  lane.revert = {bad};
  const auto reverting = world::recovery_plan(
      plan,
      world::assess(
          plan, Story().ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove"}).journal));
  for (const auto& node : reverting.stages.at(0).lanes.at(0).revert)
    if (const auto* one = std::get_if<plan::Action>(&node)) CHECK_FALSE(plan::brands(one->effect));
  // The runner passed the word over, for nothing spoke against the release.
  stopped.ok({"back", "reload-back"}).begun("prove");
  CHECK(world::assess(plan, stopped.journal)[0].left == Left::out_back);
}

TEST_CASE("a release is not bad for what let the one before in, nor for what says nothing of it") {
  auto plan = deploy();
  auto& bracket = std::get<plan::Bracket>(plan.stages[0].lanes[0].nodes[0]);
  bracket.release[0].effect = plan::AwaitRotation{
      "web1", plan::AwaitRotation::Until::proven, plan::AwaitRotation::AtDeadline::fail, {}};
  const auto is_bad = [&](Story story, const std::string& id, const std::string& outcome) {
    story.journal.actions[id] = {true, true, outcome, false, {}};
    return world::assess(plan, story.journal)[0].release_failed;
  };
  const Story healthy = Story().ok({"guard", "drain", "prepare", "activate", "reload", "health"});
  CHECK(is_bad(healthy, "prove", "failed"));
  CHECK_FALSE(is_bad(healthy, "ready", "failed"));
  // A person stopped the wait for its health, and the release before was not found well.
  Story stopped = Story().ok({"guard", "drain", "prepare", "activate", "reload", "back", "reload-back"});
  stopped.journal.actions["health"] = {true, true, "cancelled", true, {}};
  CHECK_FALSE(is_bad(stopped, "prove", "failed"));
  // A host that was lost before the release came to it is proven, and not well.
  Story lost = Story().ok({"guard", "drain"});
  lost.journal.actions["prepare"] = {true, true, "unreachable", true, {}};
  CHECK_FALSE(is_bad(lost, "prove", "failed"));
  const Story begun = Story().ok({"guard", "drain"});
  CHECK(is_bad(begun, "prepare", "failed"));
  CHECK_FALSE(is_bad(begun, "prepare", "unreachable"));  // of an older build, which did not say so
}

TEST_CASE("what a recovery had begun before it died is gone on with") {
  const Story altered = Story().ok({"guard", "drain", "prepare"}).begun("activate").found("drain", "before");
  Recoveries twice{altered};
  CHECK(twice.died(Story()).host().left == Left::out_altered);
  CHECK(twice.died(Story().ok({"recover/guard", "recover/drain"}).begun("recover/back")).host().left ==
        Left::out_altered);
  twice.died(Story()
                 .ok({"recover/guard", "recover/drain", "recover/back", "recover/reload-back"})
                 .begun("recover/prove"));
  CHECK(twice.host().left == Left::out_back);
  CHECK_FALSE(twice.host().let_in);
  twice.died(Story().ok({"recover/prove"}).begun("recover/ready"));
  CHECK(twice.host().left == Left::out_back);
  CHECK(twice.host().let_in);
  CHECK(twice.host().found == "before");
  // From there the host was given back, by the fourth.
  CHECK(twice.died(Story().ok({"recover/ready"})).host().left == Left::reverted);
}

TEST_CASE("a revert that a recovery had begun decides, also over what the deploy had come to") {
  Recoveries story{Story().ok({"guard", "drain", "prepare", "activate", "reload", "health"}).begun("prove")};
  CHECK(story.host().left == Left::out_done);
  story.died(
      Story().ok({"recover/guard", "recover/prove", "recover/revert-drain"}).begun("recover/revert-back"));
  CHECK(story.host().left == Left::out_altered);
  // And where the deploy's own revert had died, the recovery that repaired the host has the last word.
  Recoveries reverting{Story()
                           .ok({"guard", "drain", "prepare", "activate", "reload", "health", "prove", "ready",
                                "revert-guard", "revert-drain"})
                           .begun("revert-back")};
  reverting.died(Story().ok({"recover/guard", "recover/drain", "recover/back", "recover/reload-back",
                             "recover/prove", "recover/ready"}));
  CHECK(reverting.host().left == Left::reverted);
}
