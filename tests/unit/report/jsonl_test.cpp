#include "catch.hpp"
#include "recording.hpp"

#include <nlohmann/json.hpp>

#include <regex>
#include <sstream>

using namespace staithe;
using namespace staithe::test;
using nlohmann::json;

namespace {

std::vector<json> records_of(const Capture& capture) {
  std::vector<json> records;
  std::istringstream text(capture.text());
  for (std::string line; std::getline(text, line);) records.push_back(json::parse(line));
  return records;
}

std::vector<json> play(const Recording& run, const std::string& plan = {}) {
  Capture capture;
  run.play(*report::make_jsonl(capture.output(), "0.1.0", plan));
  return records_of(capture);
}

std::vector<json> of_type(const std::vector<json>& records, const std::string& type) {
  std::vector<json> found;
  for (const auto& record : records)
    if (record["type"] == type) found.push_back(record);
  return found;
}

}  // namespace

TEST_CASE("jsonl: every record is numbered, timed and of the run") {
  for (const auto& run : {success(), failure(), interrupted()}) {
    const auto records = play(run, R"({"kind":"deploy"})");
    REQUIRE(records.size() == run.events().size() + 2);
    const std::regex stamp(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
    for (std::size_t i = 0; i < records.size(); ++i) {
      CHECK(records[i]["seq"] == i + 1);
      CHECK(std::regex_match(records[i]["ts"].get<std::string>(), stamp));
      if (i > 0) CHECK(records[i]["run_id"] == "20260304-120401-3f9c");
    }
    CHECK(records[0]["type"] == "version");
    CHECK(records[0]["tool"] == "staithe");
    CHECK(records[0]["version"] == "0.1.0");
    CHECK(records[0]["schema"] == "1.0");
    CHECK(records[1]["type"] == "plan");
    CHECK(records[1]["plan"]["kind"] == "deploy");
    CHECK(records[2]["type"] == "run_started");
    CHECK(records.back()["type"] == "summary");
  }
}

TEST_CASE("jsonl: the version comes before any event, the plan only when there is one") {
  Capture capture;
  const auto sink = report::make_jsonl(capture.output(), "0.1.0");
  REQUIRE(records_of(capture).size() == 1);
  CHECK(play(success())[1]["type"] == "run_started");
}

TEST_CASE("jsonl: a failed action, in full") {
  const auto finished = of_type(play(failure()), "action_finished");
  REQUIRE(finished.size() == 3);
  json expected = json::parse(R"({"type": "action_finished", "ts": "2026-03-04T12:05:02.000Z", "seq": 9,
    "run_id": "20260304-120401-3f9c", "host": "web1", "action_id": "roll/web1/2", "kind": "ssh",
    "step": "reload", "title": "systemctl reload web", "index": 2, "of": 2, "outcome": "failed",
    "detail": "exit status 1", "exit_status": 1, "duration_ms": 47000,
    "output_tail": ["Job for web.service failed."]})");
  CHECK(finished[1] == expected);
  CHECK(finished[0].count("exit_status") == 0);
  CHECK(finished[2]["outcome"] == "timed_out");
}

TEST_CASE("jsonl: what belongs to no host names none") {
  const auto started = of_type(play(success()), "action_started");
  REQUIRE(started[0]["action_id"] == "open/1");
  CHECK(started[0].count("host") == 0);
  CHECK(started[1]["host"] == "web1");
}

TEST_CASE("jsonl: summary, output and hostile bytes") {
  const auto summary = of_type(play(failure()), "summary").at(0);
  CHECK(summary["exit_code"] == 5);
  CHECK(summary["hosts"][0] == json({{"host", "web1"}, {"state", "out"}, {"detail", "exit status 1"}}));
  CHECK(summary["next"].size() == 2);
  CHECK(summary["duration_ms"] == 61200);
  const auto output = of_type(play(interrupted()), "action_output").at(0);
  CHECK(output["stream"] == "stdout");
  CHECK(output["line"].get<std::string>().find("\xEF\xBF\xBD") != std::string::npos);
}

TEST_CASE("jsonl: lines that came together are a record each, empty ones as well") {
  Recording run;
  run.send(event::Output{"web1", "a", "one\n\nthree", true});
  run.send(event::Output{"web1", "a", "", false});
  std::vector<std::string> lines;
  for (const auto& record : of_type(play(run), "action_output"))
    lines.push_back(record["stream"].get<std::string>() + ":" + record["line"].get<std::string>());
  CHECK(lines == std::vector<std::string>{"stderr:one", "stderr:", "stderr:three", "stdout:"});
}

TEST_CASE("jsonl: progress is not told more than once a second, its end always") {
  Recording run;
  run.send(deploy_started());
  run.send(ActionStarted{"web1", "a", "upload", "upload", "x to y", 1, 1, seconds(60)});
  for (std::uint64_t done = 0; done <= 100; ++done) run.send(Progress{"web1", "a", "", done, 100, "bytes"});
  const auto progress = of_type(play(run), "progress");
  REQUIRE(progress.size() == 2);
  CHECK(progress[0]["done"] == 0);
  CHECK(progress[1]["done"] == 100);
}

TEST_CASE("jsonl: silence is broken by a heartbeat that tells what runs") {
  Capture capture;
  const auto sink = report::make_jsonl(capture.output(), "0.1.0");
  Recording run;
  run.send(deploy_started());
  run.send(ActionStarted{"web1", "roll/web1/1", "ssh", "run", "sleep 60", 1, 1, seconds(60)});
  for (const auto& event : run.events()) sink->on_event(event);
  const auto now = std::chrono::steady_clock::now();
  sink->on_tick(now + seconds(5));
  CHECK(of_type(records_of(capture), "heartbeat").empty());
  sink->on_tick(now + seconds(31));
  const auto beats = of_type(records_of(capture), "heartbeat");
  REQUIRE(beats.size() == 1);
  CHECK(beats[0]["running"][0]["host"] == "web1");
  CHECK(beats[0]["running"][0]["duration_ms"].get<int>() >= 30'000);
}

TEST_CASE("jsonl: the deadline of a run, and that it has passed") {
  const auto records = play(late());
  CHECK(of_type(records, "run_started").front()["deadline_ms"] == 1'800'000);
  CHECK(of_type(records, "summary").front()["deadline_ms"] == 1'800'000);
  const auto other = play(success());
  CHECK_FALSE(of_type(other, "run_started").front().contains("deadline_ms"));
  CHECK_FALSE(of_type(other, "summary").front().contains("deadline_ms"));
}

TEST_CASE("jsonl: what a run that did not end well leaves done") {
  Recording run;
  run.send(event::RunFinished{1, "failed", "", "", "", {}, {}, {}, milliseconds(640), {}, {"before"}});
  CHECK(of_type(play(run), "summary").front()["stays"] == nlohmann::json{"before"});
  CHECK_FALSE(of_type(play(success()), "summary").front().contains("stays"));
}
