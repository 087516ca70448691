#include "golden.hpp"

#include "staithe/plan/each_action.hpp"

using namespace staithe;

namespace {

/// The lane of web1, of a playbook with these steps under 'each'.
plan::Lane lane_of(const std::string& steps, const std::string& on_failure = "revert_batch") {
  diag::Diagnostics diagnostics;
  const auto project =
      playbook::load_project("staithe.yml", golden::read(golden::data() / "good.yml"), diagnostics);
  const auto book = playbook::load_playbook("p.yml",
                                            "playbook: x\nservice: payments\nhosts: web1\nstrategy: "
                                            "{on_failure: " +
                                                on_failure + "}\neach:\n" + steps,
                                            diagnostics);
  REQUIRE(project);
  REQUIRE(book);
  const auto plan = playbook::make_plan(*project, *book, {}, {"main", golden::sha, ""},
                                        playbook::disk_files(), diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(plan);
  for (const auto& stage : plan->stages)
    if (stage.name == "roll") return stage.lanes.at(0);
  FAIL("nothing is rolled");
  return {};
}

/// What each of them runs or is.
std::vector<std::string> told(const std::vector<plan::Action>& actions) {
  std::vector<std::string> all;
  for (const auto& action : actions) {
    const auto* run = std::get_if<plan::RunRemote>(&action.effect);
    all.push_back(run == nullptr || action.step == "activate" ? action.step : run->script);
  }
  return all;
}

const plan::Bracket* bracket_of(const std::vector<plan::Node>& nodes) {
  for (const auto& node : nodes)
    if (const auto* bracket = std::get_if<plan::Bracket>(&node)) return bracket;
  return nullptr;
}

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("a revert takes back what stands behind 'restore' too, while the host is out") {
  const auto lane = lane_of(
      "  - run: {command: flag on, undo: flag off}\n"
      "  - drain\n"
      "  - activate\n"
      "  - reload: app\n"
      "  - wait: {tcp: \"127.0.0.1:1\"}\n"
      "  - restore\n"
      "  - run: {command: queue on, undo: queue off}\n"
      "  - run: {command: cron on, undo: cron off}\n"
      "  - reload: worker\n"
      "  - wait: {tcp: \"127.0.0.1:2\"}\n"
      "  - check: {command: \"true\"}\n");
  const auto* bracket = bracket_of(lane.nodes);
  REQUIRE(bracket != nullptr);
  // A host that fails before it is back has done none of that.
  CHECK(told(bracket->repair) == Told{"flag off", "activate", "app", "wait", "verify", "record"});
  REQUIRE(lane.revert.size() == 1);
  const auto& again = std::get<plan::Bracket>(lane.revert.front());
  CHECK(told(again.body) ==
        Told{"cron off", "queue off", "flag off", "activate", "app", "wait", "verify", "worker", "record"});
  CHECK(told(again.acquire) == told(bracket->acquire));
  CHECK(told(again.release) == told(bracket->release));
}

TEST_CASE("'current' is put back before anything is reloaded, wherever it was changed") {
  const auto lane = lane_of("  - drain\n  - reload: app\n  - restore\n  - activate\n  - reload: worker\n");
  const auto* again = bracket_of(lane.revert);
  REQUIRE(again != nullptr);
  CHECK(told(again->body) == Told{"activate", "app", "worker", "record"});
}

TEST_CASE("what a bracket did that has no way back is taken back by no worker's reload, only by an undo") {
  const std::string body = "  - drain\n  - run: install\n  - restore\n";
  CHECK(lane_of(body + "  - reload: worker\n").revert.empty());
  CHECK(lane_of(body + "  - wait: {tcp: \"127.0.0.1:2\"}\n").revert.empty());
  const auto lane = lane_of(body + "  - reload: worker\n  - run: {command: cron on, undo: cron off}\n");
  CHECK(bracket_of(lane.nodes)->on_failure == plan::Bracket::OnFailure::keep);
  const auto* again = bracket_of(lane.revert);
  REQUIRE(again != nullptr);
  CHECK(told(again->body) == Told{"cron off", "worker"});
}

TEST_CASE("a task without a drain takes back all of its steps") {
  const auto lane = lane_of(
      "  - run: {command: one on, undo: one off}\n"
      "  - reload: app\n"
      "  - run: {command: two on, undo: two off}\n");
  std::vector<plan::Action> revert;
  for (const auto& node : lane.revert) revert.push_back(std::get<plan::Action>(node));
  CHECK(told(revert) == Told{"two off", "one off", "app"});
}
