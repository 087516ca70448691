#include "catch.hpp"
#include "past.hpp"

#include "staithe/verify/runner.hpp"

using namespace staithe;
using checks::Verdict;

TEST_CASE("history: flips are counted on one release and one text, and failures of our own are none") {
  const auto record = [](const char* verdict, const char* release = "r1", const char* text = "t",
                         bool flaky = false) {
    store::CheckRecord one;
    one.verdict = verdict;
    one.release = release;
    one.text_id = text;
    one.flaky = flaky;
    return one;
  };
  using Records = std::vector<store::CheckRecord>;  // newest first
  CHECK(verify::past_of(Records{record("pass"), record("fail"), record("pass")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("pass"), record("fail")}, "t").runs == 2);
  CHECK(verify::past_of(Records{record("pass", "r2"), record("fail", "r1")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("fail"), record("pass")}, "t").flips == 0);
  CHECK(verify::past_of(Records{record("pass"), record("error"), record("fail")}, "t").flips == 1);
  CHECK(verify::past_of(Records{record("pass"), record("error")}, "t").runs == 1);
  CHECK(verify::past_of(Records{record("pass", "r1", "t", true)}, "t").flips == 1);
  const auto changed = verify::past_of(
      Records{record("pass"), record("pass", "r1", "before"), record("fail", "r1", "before")}, "t");
  CHECK(changed.runs == 1);
  CHECK(changed.flips == 0);
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
