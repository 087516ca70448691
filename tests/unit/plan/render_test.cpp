#include "catch.hpp"

#include "staithe/plan/each_action.hpp"

#include <algorithm>

using namespace staithe::plan;

namespace {

/// `id` is what no text shows.
Action doing(const std::string& script, const std::string& id = {}) {
  Action action;
  action.id = id;
  action.step = "run";
  RunRemote run;
  run.host = "web1";
  run.script = script;
  action.effect = run;
  return action;
}

Lane bracketed(std::vector<Action> repair) {
  Bracket bracket;
  bracket.acquire = {doing("drain")};
  bracket.body = {doing("forward")};
  bracket.repair = std::move(repair);
  bracket.release = {doing("let in")};
  bracket.on_failure = Bracket::OnFailure::repair;
  Lane lane{"web1", {bracket}, {}};
  bracket.body = std::move(bracket.repair);
  bracket.repair.clear();
  bracket.on_failure = Bracket::OnFailure::keep;
  for (auto& action : bracket.body) action.id = "revert";
  lane.revert = {bracket};
  return lane;
}

Bracket& taken_back(Lane& lane) {
  return std::get<Bracket>(lane.revert.back());
}

/// The text of a plan that is this lane, with one blank for many, from where its revert is told.
std::string revert_of(const Lane& lane) {
  Plan plan;
  plan.stages = {{"roll", Stage::Shape::rolling, 1, {lane}}};
  auto text = render(plan, Detail::full);
  text.erase(std::unique(text.begin(), text.end(), [](char a, char b) { return a == ' ' && b == ' '; }),
             text.end());
  const auto from = text.find(" to revert");
  return from == std::string::npos ? "" : text.substr(from, text.find("\n\n", from) + 1 - from);
}

}  // namespace

TEST_CASE(
    "what reverts a host stands in the plan's text to the last command, and what is above is not repeated") {
  Lane bare{"web1", {doing("forward")}, {doing("back"), doing("reload")}};
  CHECK(revert_of(bare) == " to revert:\n - run ssh back at most 1m\n - run ssh reload at most 1m\n");
  bare.revert.clear();
  CHECK(revert_of(bare).empty());

  auto lane = bracketed({doing("back"), doing("reload"), doing("is bad")});
  CHECK(revert_of(lane) == " to revert after it was done: the same bracket around the repair above\n");

  SECTION("a look comes first") {
    lane.revert.insert(lane.revert.begin(), doing("look"));
    CHECK(revert_of(lane) ==
          " to revert after it was done:\n - run ssh look at most 1m\n"
          " then: the same bracket around the repair above\n");
  }
  SECTION("more than the repair is taken back") {
    auto& body = taken_back(lane).body;
    body.insert(body.begin(), doing("undo"));
    body.insert(body.end() - 1, doing("restart"));
    lane.revert.push_back(doing("tell"));
    CHECK(revert_of(lane) ==
          " to revert after it was done: the same bracket around\n - run ssh undo at most 1m\n"
          " - the repair above\n - run ssh restart at most 1m\n then:\n - run ssh tell at most 1m\n");
  }
  SECTION("no repair stands above") {
    std::get<Bracket>(lane.nodes.front()).on_failure = Bracket::OnFailure::keep;
    taken_back(lane).body.pop_back();
    CHECK(revert_of(lane) ==
          " to revert after it was done: the same bracket around\n - run ssh back at most 1m\n"
          " - run ssh reload at most 1m\n");
  }
  SECTION("only a part of the repair is made again") {
    taken_back(lane).body.pop_back();
    CHECK(revert_of(lane) ==
          " to revert after it was done: the same bracket around\n - run ssh back at most 1m\n"
          " - run ssh reload at most 1m\n");
  }
  SECTION("it is another bracket") {
    taken_back(lane).acquire.push_back(doing("wait"));
    CHECK_THAT(
        revert_of(lane),
        ContainsSubstring("after it was done:\n 1 run ssh drain at most 1m\n 2 run ssh wait at most 1m\n"));
    CHECK_THAT(revert_of(lane), ContainsSubstring("\n 3 run ssh back at most 1m\n"));
  }
}

TEST_CASE("what is done once says on which host") {
  Plan plan;
  plan.stages = {{"prepare", Stage::Shape::once, 1, {{"", {doing("migrate")}, {}}}}};
  CHECK_THAT(render(plan, Detail::folded), ContainsSubstring("migrate   on web1   at most 1m\n"));
}
