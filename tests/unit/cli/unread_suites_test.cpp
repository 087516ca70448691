#include "unread_suites.hpp"

#include "catch.hpp"
#include "support/directory.hpp"

#include <fstream>

using namespace staithe;

namespace stand_ins {

/// What stands for a file of this text beside a good suite.
checks::Suite of(const std::string& text, bool all_are_wanted = false) {
  const test::Directory directory;
  const auto file = directory / "payments.yml";
  std::ofstream(file) << text;
  checks::SuitePlan plan;
  plan.suites.emplace_back().name = "front";
  std::vector<cli::UnreadSuite> unread(1);
  unread[0].file = file;
  cli::put_stand_ins(
      plan, unread, [](const std::string&) { return true; }, all_are_wanted);
  REQUIRE(plan.suites.size() == 2);
  CHECK_FALSE(plan.suites[1].unread.empty());
  return plan.suites[1];
}

}  // namespace stand_ins

TEST_CASE("stand-ins: the name is what the file says, though it is no YAML as a whole") {
  for (const char* text :
       {"suite: pay-smoke\nsteps: [\n", "\xEF\xBB\xBFsuite: \"pay-smoke\" # x\r\nsteps: [\n",
        "about: x\nsuite: pay-smoke\nsteps: ]\n", "suite: pay-smoke\nsetps: []\n"}) {
    CAPTURE(text);
    const auto suite = stand_ins::of(text);
    CHECK(suite.name == "pay-smoke");
    CHECK_FALSE(suite.name_guessed);
  }
}

TEST_CASE("stand-ins: where nothing says its name, that of the file is a guess") {
  for (const char* text :
       {"", "steps: [\n", "siute: pay-smoke\n", "suite: [\n", "suite:\nsteps: [\n", "- suite: x\n"}) {
    CAPTURE(text);
    const auto suite = stand_ins::of(text);
    CHECK(suite.name == "payments");
    CHECK(suite.name_guessed);
  }
}

TEST_CASE("stand-ins: what would not be watched if it were right is not either when it is wrong") {
  CHECK(stand_ins::of("suite: pay\nsetps: []\n").schedule.count() == 0);
  CHECK(stand_ins::of("suite: pay\nsetps: []\n", true).schedule == std::chrono::minutes(1));
  for (const char* text :
       {"suite: pay\nschedule: every 5m\n", "suite: pay\nshedule: every 5m\n", "suite: pay\n- [\n", ""}) {
    CAPTURE(text);
    CHECK(stand_ins::of(text).schedule == std::chrono::minutes(1));
  }
}

TEST_CASE(
    "stand-ins: one that is wanted and needs what is not there is wrong, and not for what is stood in for") {
  const auto verdict = [](const std::string& needed, bool all_are_wanted) {
    checks::SuitePlan plan;
    auto& front = plan.suites.emplace_back();
    front.name = "front";
    front.file = "front.yml";
    front.depends_on = {needed};
    std::vector<cli::UnreadSuite> unread(1);
    unread[0].file = "payments.yml";
    cli::put_stand_ins(
        plan, unread, [](const std::string&) { return true; }, all_are_wanted);
    for (const auto& one : plan.suites)
      if (one.file == "front.yml") return one.unread;
    return std::string("gone");
  };
  CHECK(verdict("payments", true).empty());
  CHECK(verdict("nowhere", false).empty());
  CHECK(verdict("nowhere", true).find("suite 'front' needs 'nowhere'") != std::string::npos);
}

TEST_CASE("stand-ins: what is said of a wrong file holds no password of it") {
  checks::SuitePlan plan;
  std::vector<cli::UnreadSuite> unread(1);
  unread[0].file = "payments.yml";
  unread[0].found.error({"payments.yml", 3, 1}, "'http://jo:hunter99@x' is not HOST:PORT");
  cli::put_stand_ins(
      plan, unread, [](const std::string&) { return true; }, true);
  REQUIRE(plan.suites.size() == 1);
  CHECK(plan.suites[0].unread.find("http://jo:********@x") != std::string::npos);
}
