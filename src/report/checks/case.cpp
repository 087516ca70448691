#include "case.hpp"

#include "xml.hpp"

#include "staithe/base/text.hpp"
#include "staithe/checks/verdict.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

namespace staithe::report {
namespace {

using checks::Verdict;
using event::CheckRecord;

/// Of the output of a case that passed Jenkins keeps 1000 characters.
constexpr std::size_t longest_passed_output = 900;

Verdict verdict_of(const CheckRecord& check) {
  auto verdict = Verdict::error;
  checks::parse_verdict(check.verdict, verdict);
  return verdict;
}

std::string message_of(const CheckRecord& check) {
  auto reason = check_reason(check);
  return reason.empty() ? check.verdict : reason;
}

std::string try_element(const char* name, const CheckRecord::Try& one, std::size_t number, std::size_t of) {
  const auto what = one.reason.empty() ? one.note : one.reason;
  const auto message = fmt::format("{} (attempt {} of {})", what, number, of);
  return xml_open(name, {{"message", message}, {"type", one.judged ? "assertion" : "transport"}}) +
         xml_element("stackTrace", {}, one.started + " " + what) + "</" + name + ">";
}

/// All that did not pass before the last time.
std::string earlier_elements(const char* name, const CheckCase& one) {
  std::string text;
  for (const auto& reason : one.before)
    text += xml_element(name, {{"message", reason}, {"type", "assertion"}}, {});
  for (std::size_t i = 0; i + 1 < one.check.tries.size(); ++i)
    text += try_element(name, one.check.tries[i], i + 1, one.check.attempts);
  return text;
}

std::string properties_of(const CheckRecord& check) {
  std::string text = "<properties>";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += xml_element("property", {{"name", name}, {"value", value}}, "");
  };
  add("verdict", check.verdict);
  add("severity", check.severity);
  add("release", check.release);
  add("quarantine", check.quarantined ? check.quarantine : check.quarantine_ended);
  return text + "</properties>";
}

std::string skipped_text(const CheckCase& one) {
  const auto& check = one.check;
  switch (verdict_of(check)) {
    case Verdict::skipped:
      return check.reason;
    case Verdict::tolerated:
      return "tolerated: " + check.reason;
    default:
      if (!check.quarantined) return message_of(check);
      // Jenkins shows no properties.
      return fmt::format("quarantined: {}{}{}", message_of(check), check.quarantine.empty() ? "" : "; ",
                         check.quarantine);
  }
}

}  // namespace

std::string case_name(const CheckRecord& check) {
  // An undo and a sweep are called so in their names already.
  return check.part == "setup" || check.part == "cleanup" ? check.part + ": " + check.name : check.name;
}

CaseOutcome outcome_of(const CheckCase& one) {
  switch (verdict_of(one.check)) {
    case Verdict::pass:
    case Verdict::degraded:
      return CaseOutcome::passed;
    case Verdict::skipped:
    case Verdict::tolerated:
      return CaseOutcome::skipped;
    case Verdict::fail:
      return one.check.quarantined || one.let_pass ? CaseOutcome::skipped : CaseOutcome::failed;
    case Verdict::error:
    case Verdict::aborted:
      return one.let_pass ? CaseOutcome::skipped : CaseOutcome::error;
  }
  return CaseOutcome::error;
}

std::string case_xml(const CheckCase& one) {
  const auto& check = one.check;
  std::string text =
      xml_open("testcase",
               {{"classname", one.class_name},
                {"name", one.name},
                {"time", fmt::format("{:.3f}", static_cast<double>(check.duration.count()) / 1000)},
                {"timestamp", check.started}}) +
      properties_of(check);
  const bool failed = check.verdict == "fail";
  switch (outcome_of(one)) {
    case CaseOutcome::skipped:
      text += xml_element("skipped", {{"message", skipped_text(one)}}, "");
      break;
    case CaseOutcome::failed:
    case CaseOutcome::error:
      text += xml_element(failed ? "failure" : "error",
                          {{"message", message_of(check)}, {"type", failed ? "assertion" : check.verdict}},
                          base::join(check_details(check), "\n"));
      if (failed) text += earlier_elements("rerunFailure", one);
      break;
    case CaseOutcome::passed:
      if (check.flaky || !one.before.empty()) text += earlier_elements("flakyFailure", one);
      if (check.verdict == "degraded")
        text += xml_element("system-out", {},
                            base::shortened("DEGRADED  " + check.reason, longest_passed_output));
      break;
  }
  return text + "</testcase>\n";
}

}  // namespace staithe::report
