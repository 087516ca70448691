#include "case.hpp"
#include "xml.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

/// JUnit as Jenkins' plugin reads it: skipped hides a failure, so never both; a failure without text or
/// message passes, so always both; names carry no times and no counts, for histories go by them.
namespace staithe::report {
namespace {

using verify::Verdict;

std::string seconds(base::Duration duration) {
  return fmt::format("{:.3f}", static_cast<double>(std::max<std::int64_t>(duration.count(), 0)) / 1000);
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
  std::string cases;
  std::map<std::string, int> uses;
  for (const auto& one : suite.checks) {
    const auto check = check_record(suite, one, run.release);
    auto name = case_name(check);
    // Each request of a sample has an undo.
    if (const int nth = ++uses[name]; nth > 1) name += fmt::format(" #{}", nth);
    const CheckCase of_it{check, "checks." + suite.suite->name, std::move(name)};
    const auto outcome = outcome_of(of_it);
    failures += outcome == CaseOutcome::failed ? 1 : 0;
    errors += outcome == CaseOutcome::error ? 1 : 0;
    skipped += outcome == CaseOutcome::skipped ? 1 : 0;
    cases += case_xml(of_it);
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
  text += "</properties>\n" + cases;
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
