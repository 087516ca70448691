#include "catch.hpp"
#include "recording.hpp"
#include "support/directory.hpp"

#include "staithe/base/text.hpp"

#include <nlohmann/json.hpp>

using namespace staithe;
using namespace staithe::test;

namespace {

CheckRecord check(const std::string& name, const std::string& verdict) {
  CheckRecord record;
  record.suite = "smoke.eu";
  record.name = name;
  record.part = "steps";
  record.severity = "critical";
  record.verdict = verdict;
  record.file = "checks/smoke.yml";
  record.line = 7;
  record.request = "GET http://h/" + name;
  record.release = "9d1f3c2aa";
  record.started = "2026-03-04T12:04:01.250Z";
  record.duration = milliseconds(12);
  record.attempts = 1;
  if (verdict == "fail") record.judged = {{"status", "200", "503", "differs", "", false}};
  if (verdict != "fail" && verdict != "pass") record.reason = "because of " + name;
  return record;
}

constexpr const char* action = "roll/web1/4";

ActionStarted begun() {
  return {"web1", action, "suite", "check", "check suite smoke on web1", 1, 1, seconds(600)};
}
ActionFinished ended(Outcome outcome) {
  return {"web1", action, "suite",          "check", "check suite smoke on web1", 1, 1, outcome,
          "",     {},     milliseconds(90), {}};
}

Recording asked(const std::vector<CheckRecord>& checks, const ActionFinished& end) {
  Recording run;
  run.send(deploy_started());
  run.send(begun());
  for (const auto& one : checks) run.send(ChecksEnded{"web1", action, "check", {one}});
  run.send(end);
  return run;
}

std::string junit_with(const Recording& run) {
  const Directory directory;
  const auto sink = report::make_junit(directory / "report.xml");
  run.play(*sink);
  return directory.text("report.xml");
}

/// From "<testcase" to its end.
std::string case_of(const std::string& text, const std::string& name) {
  const auto at = text.find("name=\"" + name + "\"");
  REQUIRE(at != std::string::npos);
  REQUIRE(text.find("name=\"" + name + "\"", at + 1) == std::string::npos);
  const auto from = text.rfind("<testcase", at);
  return text.substr(from, text.find("</testcase>", at) - from);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("junit: each check of a suite is a case, below its host and as `staithe check` writes it") {
  auto quarantined = check("apart", "fail");
  quarantined.quarantined = true;
  quarantined.quarantine = "until 2999-01-01, ann: it leaks";
  auto cleanup = check("tidy", "pass");
  cleanup.part = "cleanup";
  auto flaky = check("flaky", "pass");
  flaky.flaky = true;
  flaky.attempts = 2;
  flaky.tries = {{"2026-03-04T12:04:01.250Z", "503 in 1 ms", "", true},
                 {"2026-03-04T12:04:01.260Z", "200 in 1 ms", "", true}};
  const auto text =
      junit_with(asked({check("good", "pass"), check("wrong", "fail"), check("slow", "degraded"),
                        check("bank", "tolerated"), check("later", "skipped"), check("silent", "error"),
                        check("cut", "aborted"), quarantined, cleanup, flaky},
                       ended(Outcome::failed)));
  CHECK(case_of(text, "good") ==
        "<testcase classname=\"deploy-web-production.roll.web1.smoke_eu\" name=\"good\" time=\"0.012\" "
        "timestamp=\"2026-03-04T12:04:01.250Z\"><properties><property name=\"verdict\" value=\"pass\"/>"
        "<property name=\"severity\" value=\"critical\"/><property name=\"release\" value=\"9d1f3c2aa\"/>"
        "</properties>");
  const auto wrong = case_of(text, "wrong");
  CHECK(holds(wrong,
              "<failure message=\"status: wanted 200, got 503\" type=\"assertion\">checks/smoke.yml:7  GET"));
  CHECK(holds(wrong, "status  wanted 200   got 503\n"));
  CHECK(holds(case_of(text, "slow"), "<system-out>DEGRADED  because of slow</system-out>"));
  CHECK(holds(case_of(text, "bank"), "<skipped message=\"tolerated: because of bank\"/>"));
  CHECK(holds(case_of(text, "later"), "<skipped message=\"because of later\"/>"));
  CHECK(holds(case_of(text, "silent"), "<error message=\"because of silent\" type=\"error\">"));
  CHECK(holds(case_of(text, "cut"), "<error message=\"because of cut\" type=\"aborted\">"));
  CHECK(holds(case_of(text, "apart"),
              "<property name=\"quarantine\" value=\"until 2999-01-01, ann: it leaks\"/>"));
  CHECK(holds(
      case_of(text, "apart"),
      "<skipped message=\"quarantined: status: wanted 200, got 503; until 2999-01-01, ann: it leaks\"/>"));
  CHECK_FALSE(holds(case_of(text, "apart"), "<failure"));
  CHECK_FALSE(holds(case_of(text, "cleanup: tidy"), "<failure"));
  CHECK(holds(case_of(text, "flaky"), "<flakyFailure message=\"503 in 1 ms (attempt 1 of 2)\""));
  // The action itself, and what its checks came to; their time is a part of its.
  CHECK_THAT(text,
             ContainsSubstring("tests=\"11\" failures=\"2\" errors=\"2\" skipped=\"3\" time=\"0.090\""));
}

TEST_CASE("junit: a suite that is asked again counts as it was last") {
  const bool well = GENERATE(true, false);
  Recording run;
  run.send(deploy_started());
  run.send(begun());
  run.send(ChecksEnded{"web1", action, "check", {check("first", "fail")}});
  run.send(ChecksEnded{"web1", action, "check", {check("second", "pass")}});
  run.send(Retried{"web1", action, "fail: first", 1, 2});
  run.send(ChecksEnded{"web1", action, "check", {check("first", well ? "pass" : "fail")}});
  run.send(ChecksEnded{"web1", action, "check", {check("second", "pass")}});
  run.send(ended(well ? Outcome::ok : Outcome::failed));
  const auto text = junit_with(run);
  const auto first = case_of(text, "first");
  CHECK(holds(first, "<flakyFailure message=\"status: wanted 200, got 503\"") == well);
  CHECK(holds(first, "<rerunFailure message=\"status: wanted 200, got 503\"") == !well);
  CHECK(holds(first, "<failure ") == !well);
  CHECK_FALSE(holds(case_of(text, "second"), "Failure"));
}

TEST_CASE(
    "junit: a check fails no job where its step was let pass; two suites of a name keep their histories "
    "apart") {
  auto end = ended(Outcome::failed);
  end.let_pass = true;
  const auto text =
      junit_with(asked({check("wrong", "fail"), check("wrong", "pass"), check("silent", "error")}, end));
  CHECK(holds(case_of(text, "wrong"), "<skipped message=\"status: wanted 200, got 503\"/>"));
  CHECK(holds(case_of(text, "silent"), "<skipped message=\"because of silent\"/>"));
  CHECK_THAT(text, ContainsSubstring("name=\"wrong #2\""));
  CHECK_THAT(text, ContainsSubstring("failures=\"0\" errors=\"0\""));
}

TEST_CASE("jsonl: a check of a suite is a record with its place in the run") {
  Capture capture;
  const auto sink = report::make_jsonl(capture.output(), "0.1.0");
  auto wrong = check("wrong", "fail");
  wrong.note = "503\n\"in\" 1 ms";
  asked({wrong}, ended(Outcome::failed)).play(*sink);
  std::vector<nlohmann::json> found;
  std::uint64_t seq = 0;
  for (const auto& line : base::split(capture.text(), '\n')) {
    if (line.empty()) continue;
    const auto record = nlohmann::json::parse(line);
    CHECK(record["seq"] == ++seq);
    if (record["type"] == "check") found.push_back(record);
  }
  REQUIRE(found.size() == 1);
  const auto& record = found.front();
  CHECK(record["run_id"] == "20260304-120401-3f9c");
  CHECK(record["ts"] == "2026-03-04T12:04:01.000Z");
  CHECK(record["host"] == "web1");
  CHECK(record["action_id"] == action);
  CHECK(record["step"] == "check");
  CHECK(record["suite"] == "smoke.eu");
  CHECK(record["verdict"] == "fail");
  CHECK(record["release"] == "9d1f3c2aa");
  CHECK(record["duration_ms"] == 12);
  CHECK(record["note"] == wrong.note);
  CHECK(record["judged"][0] ==
        nlohmann::json{{"subject", "status"}, {"wanted", "200"}, {"got", "503"}, {"outcome", "differs"}});
  CHECK_FALSE(record.contains("flaky"));
}
