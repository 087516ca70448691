/// The words of a record that rooms below report read without knowing the enums they are of.
#include "staithe/event/check_record.hpp"

#include "catch.hpp"

#include "staithe/report/checks.hpp"

#include <optional>

using namespace staithe;
using checks::Judged;
using checks::Verdict;

namespace {

// A switch, so that the compiler asks for a new one here.
std::optional<Verdict> after(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return Verdict::skipped;
    case Verdict::skipped:
      return Verdict::tolerated;
    case Verdict::tolerated:
      return Verdict::degraded;
    case Verdict::degraded:
      return Verdict::aborted;
    case Verdict::aborted:
      return Verdict::error;
    case Verdict::error:
      return Verdict::fail;
    case Verdict::fail:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Judged::Outcome> after(Judged::Outcome outcome) {
  switch (outcome) {
    case Judged::Outcome::held:
      return Judged::Outcome::differs;
    case Judged::Outcome::differs:
      return Judged::Outcome::unjudged;
    case Judged::Outcome::unjudged:
      return std::nullopt;
  }
  return std::nullopt;
}

event::CheckRecord read_back(const event::CheckRecord& record) {
  const auto read = event::read_check_record(R"({"type":"check",)" + event::to_json(record).substr(1));
  REQUIRE(read);
  return *read;
}

}  // namespace

TEST_CASE("a record of a check is read back whatever its verdict and the outcomes in it") {
  checks::Check check;
  check.name = "up";
  checks::Suite suite;
  suite.name = "smoke";
  verify::SuiteResult around;
  around.suite = &suite;
  verify::CheckResult result;
  result.check = &check;
  for (std::optional outcome{Judged::Outcome::held}; outcome; outcome = after(*outcome)) {
    Judged judged;
    judged.outcome = *outcome;
    judged.subject = "status";
    result.judged.push_back(judged);
  }
  int verdicts = 0;
  for (std::optional verdict{Verdict::pass}; verdict; verdict = after(*verdict), ++verdicts) {
    result.verdict = *verdict;
    const auto record = report::check_record(around, result);
    INFO(record.verdict);
    CHECK(record.verdict == name_of(*verdict));
    CHECK(read_back(record) == record);
  }
  CHECK(verdicts == 7);
}
