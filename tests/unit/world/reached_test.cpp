#include "catch.hpp"
#include "died.hpp"

/// How far a host had been taken out, and which way back is right from there.
using namespace staithe;
using namespace test::died;
using test::action;
using world::Left;
using world::Reached;

namespace {

using To = plan::ChangeRotation::To;
using Await = plan::AwaitRotation;
using Ids = std::vector<std::string>;

plan::Action change(const std::string& id, To to) {
  return action(id, plan::ChangeRotation{"web1", to});
}
plan::Action await(const std::string& id, Await::Until until) {
  return action(id, Await{"web1", until, Await::AtDeadline::fail, {}});
}

/// guard, drain, maint | activate | prove, proven, ready, serving; undo, undone. As a deploy has it.
plan::Bracket rotation(const std::string& before) {
  plan::Bracket bracket;
  bracket.acquire = {action(before + "guard", plan::GuardCapacity{"web1", {1, false}}),
                     change(before + "drain", To::drain), change(before + "maint", To::maint)};
  bracket.undo = {change(before + "undo", To::undo), await(before + "undone", Await::Until::serving)};
  bracket.release = {change(before + "prove", To::prove), await(before + "proven", Await::Until::proven),
                     change(before + "ready", To::ready), await(before + "serving", Await::Until::serving)};
  return bracket;
}

plan::Plan deploy_with_maintenance() {
  auto plan = deploy();
  auto& lane = plan.stages[0].lanes[0];
  auto bracket = rotation("");
  bracket.body = {remote("activate", true)};
  bracket.repair = {remote("back", true)};
  bracket.on_failure = plan::Bracket::OnFailure::repair;
  auto revert = rotation("revert-");
  revert.body = {remote("revert-back", true)};
  lane.nodes = {bracket};
  lane.revert = {revert};
  return plan;
}

plan::Plan drain() {
  auto plan = deploy();
  plan.kind = "drain";
  auto bracket = rotation("");
  bracket.release.clear();
  plan.stages[0].lanes = {{"web1", {bracket}, {}}};
  return plan;
}

/// The run that died, and recoveries of it that each did a part of their plan.
struct Run {
  plan::Plan plan;
  Story story{};
  std::vector<world::LaterRecovery> since{};

  world::HostLeft host() const { return world::assess(plan, story.journal, since).front(); }
  Reached reached() const { return host().reached; }
  plan::Plan recovery() const { return world::recovery_plan(plan, {host()}); }
  plan::Bracket bracket() const {
    return std::get<plan::Bracket>(recovery().stages.at(0).lanes.at(0).nodes.at(0));
  }
  Ids actions() const {
    Ids all;
    const auto mend = recovery();
    for (const auto& node : mend.stages.at(0).lanes.at(0).nodes)
      all.push_back(std::get<plan::Action>(node).id);
    return all;
  }
  Run& died(const Story& did) {
    since.push_back({recovery(), did.journal});
    return *this;
  }
};

Run deployed(const Story& story) {
  return {deploy_with_maintenance(), story};
}

const Ids taken{"guard", "drain", "maint"};
const Ids whole_way_in{"recover/prove", "recover/proven", "recover/ready", "recover/serving"};

Story drained() {
  return Story().ok({"guard"}).begun("drain").found("drain", "before");
}

}  // namespace

TEST_CASE("maintenance may be a dead run's own from its command to the end of the proof's, and not else") {
  CHECK(deployed(drained()).reached() == Reached::drained);
  CHECK(deployed(Story().ok({"guard", "drain"})).reached() == Reached::drained);
  CHECK(deployed(Story().ok({"guard", "drain"}).begun("maint")).reached() == Reached::in_maint);
  CHECK(deployed(Story().ok(taken).begun("activate")).reached() == Reached::in_maint);
  const auto healthy = Story().ok(taken).ok({"activate"});
  CHECK(deployed(Story(healthy).begun("prove")).reached() == Reached::in_maint);
  CHECK(deployed(Story(healthy).ok({"prove"})).reached() == Reached::proving);
  CHECK(deployed(Story(healthy).ok({"prove", "proven"}).begun("ready")).reached() == Reached::proving);
  CHECK(deployed(Story(healthy).ok({"prove", "proven", "ready"})).reached() == Reached::let_in);
  // Going out once more means maintenance at once.
  CHECK(
      deployed(
          Story(healthy).ok({"prove"}).ok({"revert-guard"}).begun("revert-drain").found("revert-drain", "x"))
          .reached() == Reached::in_maint);
  // Once it was back it is drained first.
  CHECK(deployed(Story(healthy)
                     .ok({"prove", "proven", "ready", "serving", "revert-guard"})
                     .begun("revert-drain")
                     .found("revert-drain", "x"))
            .reached() == Reached::drained);
}

TEST_CASE("a balancer that the proof left behind may have the host in maintenance by the run yet") {
  auto story = Story().ok(taken).ok({"activate", "prove"});
  story.journal.actions["prove"].notes[world::left_behind_key] = "lb2";
  CHECK(deployed(story).reached() == Reached::in_maint);
  CHECK(deployed(story.begun("ready")).reached() == Reached::in_maint);
  CHECK(deployed(story.ok({"ready"})).reached() ==
        Reached::proving);  // and is not proven, for it was not asked
}

TEST_CASE("what was only drained is put back as it was found, what was in maintenance is proven first") {
  CHECK(deployed(drained()).actions() == Ids{"recover/undo", "recover/undone"});
  for (const auto& story :
       {Story().ok({"guard", "drain"}).begun("maint"), Story().ok(taken), Story().ok(taken).begun("undo")}) {
    const auto run = deployed(story);
    CHECK(run.host().left == Left::out_unaltered);
    CHECK(ids(run.bracket().acquire) == Ids{"recover/guard"});
    CHECK(ids(run.bracket().release) == whole_way_in);
    CHECK((run.bracket().body.empty() && run.bracket().undo.empty()));
    CHECK(run.bracket().on_failure == plan::Bracket::OnFailure::keep);
  }
  // The checks went on since its undo.
  CHECK(deployed(Story().ok(taken).ok({"undo"})).actions() == Ids{"recover/undo", "recover/undone"});
}

TEST_CASE("a release that had served and was in maintenance to go back is proven as well") {
  const auto served = Story().ok(taken).ok(
      {"activate", "prove", "proven", "ready", "serving", "revert-guard", "revert-drain"});
  CHECK(deployed(served).actions() == Ids{"recover/revert-undo", "recover/revert-undone"});
  auto run = deployed(Story(served).begun("revert-maint"));
  CHECK(run.host().left == Left::out_new);
  CHECK(ids(run.bracket().acquire) == Ids{"recover/revert-guard"});
  CHECK(ids(run.bracket().release) == Ids{"recover/revert-prove", "recover/revert-proven",
                                          "recover/revert-ready", "recover/revert-serving"});
  run.died(Story()
               .ok({"recover/revert-guard", "recover/revert-prove", "recover/revert-proven"})
               .begun("recover/revert-ready"));
  CHECK(run.host().left == Left::out_new);
  CHECK(ids(run.bracket().release) == Ids{"recover/revert-ready", "recover/revert-serving"});
  run.died(Story().ok({"recover/revert-ready", "recover/revert-serving"}));
  CHECK(run.host().left == Left::done);
}

TEST_CASE("what a drain had in maintenance is proven by the way in that its undo has") {
  Run run{drain(), Story().ok(taken)};
  const auto release = run.bracket().release;
  CHECK(ids(release) == Ids{"recover/undo/prove", "recover/undo/proven", "recover/undo", "recover/undone"});
  CHECK(std::get<plan::ChangeRotation>(release[0].effect).to == To::prove);
  CHECK(std::get<Await>(release[1].effect).until == Await::Until::proven);
  CHECK(std::get<plan::ChangeRotation>(release[2].effect).to == To::ready);
  CHECK(Run{drain(), drained()}.actions() == Ids{"recover/undo", "recover/undone"});
  run.died(Story().ok({"recover/guard", "recover/undo/prove", "recover/undo/proven"}).begun("recover/undo"));
  CHECK(ids(run.bracket().release) == Ids{"recover/undo", "recover/undone"});
  CHECK(run.died(Story().ok({"recover/undo", "recover/undone"})).host().left == Left::untouched);
}

TEST_CASE("a recovery's own steps count for the next one") {
  auto run = deployed(Story().ok(taken));
  run.died(Story().ok({"recover/guard"}).begun("recover/prove"));
  CHECK(run.reached() == Reached::in_maint);
  run.died(Story().ok({"recover/guard", "recover/prove"}).begun("recover/proven"));
  CHECK(run.host().left == Left::out_unaltered);
  CHECK(run.reached() == Reached::proving);
  CHECK(ids(run.bracket().release) == whole_way_in);
  run.died(Story().ok({"recover/guard", "recover/prove", "recover/proven", "recover/ready"}));
  CHECK(run.host().let_in);
  CHECK(run.reached() == Reached::let_in);
  CHECK(ids(run.bracket().release) == Ids{"recover/ready", "recover/serving"});
  CHECK(run.bracket().acquire.empty());
  CHECK(run.died(Story().ok({"recover/ready", "recover/serving"})).host().left == Left::untouched);
}

TEST_CASE("what a recovery met when it took a host out again, or proved it, is what is given back") {
  auto altered = deployed(Story().ok(taken).begun("activate").found("drain", "before"));
  altered.died(Story().ok({"recover/guard", "recover/drain"}).found("recover/drain", "since"));
  CHECK(altered.host().found == "since");
  CHECK(altered.reached() == Reached::in_maint);
  auto proven = deployed(Story().ok(taken).found("drain", "before"));
  proven.died(Story().ok({"recover/guard", "recover/prove"}).found("recover/prove", "since"));
  CHECK(proven.host().found == "since");
}

TEST_CASE("every process of HAProxy that a run or a recovery of it has told anew is known") {
  const auto tells = [](Story story, const std::string& text) {
    story.journal.actions[world::told_action("web1")].notes[world::told_key] = text;
    return story;
  };
  CHECK(deployed(Story().ok(taken)).host().told.empty());
  auto run = deployed(tells(Story().ok(taken), "by the run"));
  run.died(Story().ok({"recover/guard"}).begun("recover/prove"));
  run.died(tells(Story().ok({"recover/guard"}).begun("recover/prove"), "by its recovery"));
  CHECK(run.host().told == Ids{"by the run", "by its recovery"});
}
