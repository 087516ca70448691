#include "flow.hpp"
#include "past.hpp"
#include "support/directory.hpp"

#include "staithe/checks/confidence.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <thread>

using namespace flow;

namespace {

/// A store in a directory of its own.
struct Kept {
  test::Directory directory;
  std::unique_ptr<store::Store> store = store::Store::open_sqlite(directory / "state.db");
};

}  // namespace

TEST_CASE("history: flips are counted on one release and one text, where nothing else was amiss") {
  const auto record = [](const char* verdict, const char* release = "r1", const char* text = "t",
                         bool flaky = false, const char* excused_by = "") {
    store::CheckRecord one;
    one.verdict = verdict;
    one.release = release;
    one.text_id = text;
    one.flaky = flaky;
    one.excused_by = excused_by;
    return one;
  };
  using Records = std::vector<store::CheckRecord>;  // newest first
  CHECK(verify::past_of(Records{record("pass"), record("fail"), record("pass")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("pass"), record("fail"), record("fail")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("degraded"), record("fail")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("pass", ""), record("fail", "")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("pass", ""), record("fail")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("pass"), record("fail", "")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("pass"), record("fail")}, "t").runs == 2);
  CHECK(verify::past_of(Records{record("pass", "r2"), record("fail", "r1")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("fail"), record("pass")}, "t").flips == 0);
  // Where nothing was asked nothing was amiss; an error, a neighbour that is down or a deploy may be the
  // reason.
  CHECK(verify::past_of(Records{record("pass"), record("skipped"), record("fail")}, "t").flips == 1);
  for (const auto& between : {record("error"), record("tolerated", "r1", "t", false, "geo"),
                              record("degraded", "r1", "t", false, "geo"), record("skipped", "r2"),
                              record("error", "r2"), record("pass", "r2")})
    CHECK(verify::past_of(Records{record("pass"), between, record("fail")}, "t").flips == 0);
  const auto excused_pass = record("degraded", "r1", "t", false, "geo");
  CHECK(verify::past_of(Records{excused_pass, record("fail")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("pass"), record("fail", "r1", "t", false, "geo")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("pass"), record("error")}, "t").runs == 1);
  CHECK(verify::past_of(Records{record("pass", "r1", "t", true)}, "t").flips == 1);
  const auto changed = verify::past_of(
      Records{record("pass"), record("pass", "r1", "before"), record("fail", "r1", "before")}, "t");
  CHECK(changed.runs == 1);
  CHECK(changed.flips == 0);
}

TEST_CASE("history: a check that wavers is trusted less and less, also where nobody knows the release") {
  for (const char* release : {"r1", ""}) {
    double before = 0;
    for (const std::size_t runs : {0U, 20U, 100U, 400U}) {
      std::vector<store::CheckRecord> records(runs);
      for (std::size_t i = 0; i < runs; ++i) {
        records[i].verdict = i % 2 == 0 ? "pass" : "fail";
        records[i].release = release;
        records[i].text_id = "t";
      }
      const auto past = verify::past_of(records, "t");
      CHECK(past.flips == runs / 2);
      const auto rate = checks::flake_rate(past.flips, past.runs).upper90;
      CHECK(rate > before);
      before = rate;
    }
    CHECK(before > 0.4);
  }
}

TEST_CASE("history: a flip of this run is known where nobody knows the release") {
  verify::CheckResult one;
  one.verdict = Verdict::pass;
  store::CheckRecord failed;
  failed.verdict = "fail";
  failed.text_id = "t";
  one.past = verify::past_of(std::vector<store::CheckRecord>{failed}, "t");
  CHECK(verify::flips_of(one, "") == 1);
  CHECK(verify::flips_of(one, "r1") == 0);
}

TEST_CASE("history: how often a flaky failure repeats at once is measured") {
  const auto record = [](const char* verdict, std::uint32_t attempts, bool flaky = false) {
    store::CheckRecord one;
    one.verdict = verdict;
    one.release = "r1";
    one.text_id = "t";
    one.attempts = attempts;
    one.flaky = flaky;
    return one;
  };
  using Records = std::vector<store::CheckRecord>;  // newest first
  // Passed on the third attempt: of two attempts after the failure one failed again.
  auto past = verify::past_of(Records{record("pass", 3, true)}, "t");
  CHECK(past.retried == 2);
  CHECK(past.failed_again == 1);
  // Failed three times, and the next run passed: both repetitions failed again.
  past = verify::past_of(Records{record("pass", 1), record("fail", 3)}, "t");
  CHECK(past.retried == 2);
  CHECK(past.failed_again == 2);
  // A failure that stayed was real: it says nothing about flaky ones.
  past = verify::past_of(Records{record("fail", 3), record("fail", 3)}, "t");
  CHECK(past.retried == 0);
}

TEST_CASE("runs: an id says when the run began") {
  const auto now = store::now();
  const auto id = verify::new_run_id(now);
  CHECK(std::chrono::abs(now - verify::began(id)) < std::chrono::seconds(2));
  CHECK(verify::began("something") == store::Time{});
}

TEST_CASE("flow: a check that is not critical goes to quarantine by itself where its suite says so") {
  const Kept kept;
  const auto& store = kept.store;
  int asked = 0;
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    // Bad, good, and good five times more.
    return {asked++ % 7 == 0 ? 500 : 200, "{}"};
  });
  const std::string text =
      "suite: s\nseverity: major\ntarget: http://h\nflaky: {suspect: 2 flips, quarantine: auto}\nsteps:\n"
      "  - name: q\n    get: /q\n    retry: 1 after 1ms\n    expect: 200\n";
  for (int run = 0; run < 2; ++run) {
    const Ran ran({text}, fake, store.get());
    CHECK(ran.of("q").flaky);
    CHECK_FALSE(ran.of("q").quarantined);
    CHECK(ran.result.proposals.size() == (run == 0 ? 0U : 1U));
  }
  const Ran third({text}, fake, store.get());
  CHECK(third.of("q").quarantined);
  CHECK_THAT(third.of("q").quarantine, ContainsSubstring("2 flips in 2 runs"));
}

TEST_CASE("history: it is kept, read again, and patience with a neighbour runs out") {
  const Kept kept;
  const auto& store = kept.store;
  Fake fake([](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"miles":500,"fallbacks":["geo"]})"};
  });
  CHECK(Ran({tolerant}, fake, store.get()).of("decide").verdict == Verdict::tolerated);
  auto records = store->check_history("", "s");
  REQUIRE(records.size() == 1);
  CHECK(records[0].verdict == "tolerated");
  CHECK(records[0].release == "r1");
  // As if it had been so for a while already.
  for (const auto& [hours, verdict] : {std::pair{2, Verdict::degraded}, std::pair{4, Verdict::fail}}) {
    records[0].run_id = "earlier-" + std::to_string(hours);
    records[0].time = store::now() - std::chrono::hours(hours);
    store->record_checks(records);
    CHECK(Ran({tolerant}, fake, store.get()).of("decide").verdict == verdict);
    // A fail ends the row of tolerated runs: start it anew.
  }
}

TEST_CASE("history: of several undos of one step the worst is kept") {
  const Kept kept;
  int number = 0;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title == "POST http://h/a") return {201, fmt::format(R"({{"id":{}}})", ++number)};
    return {title == "DELETE http://h/a/2" ? 500 : 200, "{}"};
  });
  const Ran ran(
      {head("steps: [{name: make, post: /a, safe: true, sample: 3, expect: 201, save: {id: json.id}, "
            "undo: {delete: /a/$(id), expect: 200}}]\n")},
      fake, kept.store.get());
  REQUIRE(ran.verdicts() == "make=pass undo: make=pass undo: make=fail undo: make=pass");
  std::map<std::string, std::string> verdicts;
  for (const auto& one : verify::records_of(ran.result)) CHECK(verdicts.emplace(one.key, one.verdict).second);
  CHECK(verdicts.size() == 2);
  CHECK(verdicts[ran.of("undo: make").check->key] == "fail");
  for (const auto& one : kept.store->check_history("", "s")) CHECK(verdicts[one.key] == one.verdict);
}

TEST_CASE("history: patience runs out however often is looked, and after a restart too") {
  const Kept kept;
  const auto& store = kept.store;
  std::string miles = "500";
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"ok":true,"fallbacks":["geo"],"miles":)" + miles + "}"};
  });
  const std::string text = tolerant + "flaky: {window: 3}\n";
  const auto verdict = [&](verify::Memory* memory) {
    return Ran({text}, fake, store.get(), nullptr, memory).of("decide").verdict;
  };
  CHECK(verdict(nullptr) == Verdict::tolerated);
  // As if it had begun two hours ago; more runs than the window has were tolerated since then.
  auto record = store->check_history("", "s").at(0);
  for (int run = 0; run < 10; ++run) {
    record.run_id = "earlier-" + std::to_string(run);
    record.time = store::now() - std::chrono::minutes(120 - run);
    store->record_checks({record});
  }
  // Neither a run that could not be judged nor another failure begins the patience anew.
  record.run_id = "error";
  record.verdict = "error";
  record.excused_by.clear();
  record.time = store::now() - std::chrono::minutes(10);
  store->record_checks({record});
  verify::Memory memory;
  memory.load(*store, Ran({text}, fake).plan);
  for (int run = 0; run < 5; ++run) {
    CHECK(verdict(nullptr) == Verdict::degraded);
    CHECK(verdict(&memory) == Verdict::degraded);
  }
  CHECK(memory.of("s/decide").size() == 3);
  miles = "2";
  CHECK(verdict(&memory) == Verdict::pass);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  miles = "500";
  CHECK(verdict(&memory) == Verdict::tolerated);
  CHECK(verdict(nullptr) == Verdict::tolerated);
}

TEST_CASE("history: a clock that was set back makes no neighbour's absence invisible") {
  const Kept kept;
  const auto& store = kept.store;
  Fake fake([](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"miles":500,"fallbacks":["geo"]})"};
  });
  CHECK(Ran({tolerant}, fake, store.get()).of("decide").verdict == Verdict::tolerated);
  auto record = store->check_history("", "s").at(0);
  // A few minutes are a clock that is being put right: the patience is that much longer.
  for (const auto& [minutes, verdict] :
       {std::pair{10, Verdict::tolerated}, std::pair{365 * 24 * 60, Verdict::degraded}}) {
    const Kept other;
    record.time = store::now() + std::chrono::minutes(minutes);
    other.store->record_checks({record});
    const Ran ran({tolerant}, fake, other.store.get());
    INFO(minutes);
    CHECK(ran.of("decide").verdict == verdict);
    CHECK((ran.of("decide").reason.find("the clock was set back") != std::string::npos) ==
          (verdict == Verdict::degraded));
  }
}

// Preset tsan sees what they share.
TEST_CASE("history: rates of flakes are worked out by several runs at once") {
  std::vector<std::thread> runs;
  std::vector<double> found(4);
  for (auto& one : found) runs.emplace_back([&one] { one = checks::flake_rate(2, 400).upper90; });
  for (auto& run : runs) run.join();
  for (const auto one : found) CHECK(one == checks::flake_rate(2, 400).upper90);
}
