#include "xml.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

/// JUnit as Jenkins' plugin reads it: skipped hides a failure, so never both; a failure without text or
/// message passes, so always both; names carry no times and no counts, for histories go by them.
namespace staithe::report {
namespace {

using verify::CheckResult;
using verify::Verdict;

constexpr std::size_t longest_passed_output = 900;

std::string seconds(base::Duration duration) {
  return fmt::format("{:.3f}", static_cast<double>(std::max<std::int64_t>(duration.count(), 0)) / 1000);
}

std::string message_of(const CheckResult& one) {
  auto reason = check_reason(one);
  return reason.empty() ? std::string(name_of(one.verdict)) : reason;
}

std::string attempt_element(const char* name, const verify::Attempt& attempt, std::size_t number,
                            std::size_t of) {
  const auto what = attempt.reason.empty() ? attempt.note : attempt.reason;
  const auto message = fmt::format("{} (attempt {} of {})", what, number, of);
  return xml_open(name,
                  {{"message", message}, {"type", attempt.judged.empty() ? "transport" : "assertion"}}) +
         xml_element("stackTrace", {}, base::utc_text_ms(attempt.started) + " " + what) + "</" + name + ">";
}

std::string one_case(const verify::SuiteResult& suite, const CheckResult& one) {
  std::string text = xml_open(
      "testcase",
      {{"classname", "checks." + suite.suite->name},
       {"name", one.check->part == checks::Part::cleanup ? "cleanup: " + one.check->name : one.check->name},
       {"time", seconds(one.duration)},
       {"timestamp", base::utc_text_ms(one.started)}});
  const auto ended = check_quarantine_ended(one);
  text += "<properties>" +
          xml_element("property", {{"name", "verdict"}, {"value", std::string(name_of(one.verdict))}}, "") +
          xml_element("property",
                      {{"name", "severity"}, {"value", std::string(name_of(one.check->severity))}}, "") +
          (ended.empty() ? "" : xml_element("property", {{"name", "quarantine"}, {"value", ended}}, "")) +
          "</properties>";
  const auto details = base::join(check_details(one, check_again(suite, one)), "\n");
  switch (one.verdict) {
    case Verdict::skipped:
      text += xml_element("skipped", {{"message", one.reason}}, "");
      break;
    case Verdict::tolerated:
      text += xml_element("skipped", {{"message", "tolerated: " + one.reason}}, "");
      break;
    case Verdict::fail:
      if (one.quarantined) {
        text += xml_element("skipped", {{"message", "quarantined: " + message_of(one)}}, "");
        break;
      }
      text += xml_element("failure", {{"message", message_of(one)}, {"type", "assertion"}}, details);
      for (std::size_t i = 0; i + 1 < one.attempts.size(); ++i)
        text += attempt_element("rerunFailure", one.attempts[i], i + 1, one.attempts_made);
      break;
    case Verdict::error:
    case Verdict::aborted:
      text += xml_element(
          "error", {{"message", message_of(one)}, {"type", std::string(name_of(one.verdict))}}, details);
      break;
    case Verdict::pass:
    case Verdict::degraded:
      if (one.flaky)
        for (std::size_t i = 0; i + 1 < one.attempts.size(); ++i)
          text += attempt_element("flakyFailure", one.attempts[i], i + 1, one.attempts_made);
      if (one.verdict == Verdict::degraded)
        text += xml_element("system-out", {}, ("DEGRADED  " + one.reason).substr(0, longest_passed_output));
      break;
  }
  return text + "</testcase>\n";
}

/// Of what is not over there is an error, for what passed until then would look as if that was all.
std::string unended(const std::string& class_name, const std::string& name, base::Duration duration,
                    verify::Time started) {
  return xml_open("testcase", {{"classname", class_name},
                               {"name", name},
                               {"time", seconds(duration)},
                               {"timestamp", base::utc_text_ms(started)}}) +
         xml_element("error", {{"message", "the run did not end"}, {"type", "aborted"}},
                     "it was killed, or it goes on: what it has not written down yet is not known") +
         "</testcase>\n";
}

std::string no_suite(const verify::RunResult& run) {
  return xml_open("testsuite", {{"name", "checks"},
                                {"timestamp", base::utc_text_ms(run.started)},
                                {"tests", "1"},
                                {"failures", "0"},
                                {"errors", "1"},
                                {"skipped", "0"}}) +
         "\n" + unended("checks", "the run", base::Duration{0}, run.started) + "</testsuite>\n";
}

std::string one_suite(const verify::RunResult& run, const verify::SuiteResult& suite) {
  const bool is_unended = run.interrupted && !suite.finished;
  std::size_t failures = 0, errors = is_unended ? 1 : 0, skipped = 0;
  for (const auto& one : suite.checks) {
    failures += one.verdict == Verdict::fail ? 1 : 0;
    errors += one.verdict == Verdict::error || one.verdict == Verdict::aborted ? 1 : 0;
    skipped += one.verdict == Verdict::skipped || one.verdict == Verdict::tolerated ? 1 : 0;
  }
  std::string text =
      xml_open("testsuite", {{"name", suite.suite->name},
                             {"timestamp", base::utc_text_ms(suite.started)},
                             {"time", seconds(suite.duration)},
                             {"tests", std::to_string(suite.checks.size() + (is_unended ? 1 : 0))},
                             {"failures", std::to_string(failures)},
                             {"errors", std::to_string(errors)},
                             {"skipped", std::to_string(skipped)}}) +
      "\n";
  text += "<properties>";
  const std::pair<const char*, std::string> properties[] = {
      {"verdict", std::string(name_of(suite.verdict))},
      {"coverage", fmt::format("{:.2f}", suite.confidence.coverage)},
      {"confidence",
       has_confidence(suite.verdict) ? fmt::format("{:.1f}", suite.confidence.points) : std::string()},
      {"release", run.release},
      {"environment", run.environment},
      {"run", run.run_id}};
  for (const auto& [name, value] : properties)
    if (!value.empty()) text += xml_element("property", {{"name", name}, {"value", value}}, "");
  text += "</properties>\n";
  for (const auto& one : suite.checks) text += one_case(suite, one);
  if (is_unended)
    text += unended("checks." + suite.suite->name, "the suite", suite.duration, run.started);
  else if (suite.checks.empty())
    text += xml_open("testcase", {{"classname", "checks." + suite.suite->name}, {"name", "the suite"}}) +
            xml_element("error", {{"message", suite.reason.empty() ? "nothing was run" : suite.reason}},
                        "no check was begun") +
            "</testcase>\n";
  return text + "</testsuite>\n";
}

}  // namespace

std::string check_junit(const verify::RunResult& run) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" +
                     xml_open("testsuites", {{"name", "checks"}, {"time", seconds(run.duration)}}) + "\n";
  for (const auto& suite : run.suites) text += one_suite(run, suite);
  if (run.suites.empty()) text += no_suite(run);
  return text + "</testsuites>\n";
}

}  // namespace staithe::report
