#include "staithe/base/text.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

/// TAP 14 (https://testanything.org/tap-version-14-specification.html).
namespace staithe::report {
namespace {

using verify::CheckResult;
using verify::Verdict;

std::string description(std::string_view text) {
  std::string escaped;
  for (const char c : base::printable(text)) {
    if (c == '#' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string directive(std::string_view text) {
  std::string line = base::printable(text);
  for (auto& c : line)
    if (c == '\n') c = ' ';
  return line;
}

/// A YAML scalar in double quotes.
std::string yaml_text(std::string_view text) {
  std::string escaped = "\"";
  for (const char c : base::printable(text)) {
    if (c == '"' || c == '\\') escaped += '\\';
    if (c == '\n')
      escaped += "\\n";
    else if (c == '\t')
      escaped += "\\t";
    else
      escaped += c;
  }
  return escaped + "\"";
}

/// One line of a list. Readers of TAP take one whose first word ends with a colon for a mapping, also within
/// quotes: there it is escaped, which is the same text in YAML.
std::string yaml_item(std::string_view text) {
  std::string item;
  bool in_first = true, was_blank = false;
  const auto whole = yaml_text(text);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const bool ends = whole[i] == ':' && i + 1 < whole.size() && whole[i + 1] == ' ';
    in_first = in_first && (!was_blank || whole[i] == ' ' || ends);
    was_blank = whole[i] == ' ';
    if (in_first && ends)
      item += "\\x3a";
    else
      item += whole[i];
  }
  return item;
}

std::string diagnostics(const verify::SuiteResult& suite, const CheckResult& one) {
  std::string text = "  ---\n";
  text += fmt::format("  verdict: {}\n  severity: {}\n  duration_ms: {}\n", name_of(one.verdict),
                      name_of(one.check->severity), one.duration.count());
  text += "  details:\n";
  for (const auto& line : check_details(check_record(suite, one))) text += "    - " + yaml_item(line) + "\n";
  return text + "  ...\n";
}

}  // namespace

std::string check_tap(const verify::RunResult& run) {
  std::size_t count = 0;
  for (const auto& suite : run.suites) count += suite.checks.size();
  std::string text = fmt::format("TAP version 14\n1..{}\n", count);
  if (!run.release.empty()) text += "# release " + directive(run.release) + "\n";
  std::size_t number = 0;
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks) {
      const auto name = description(suite.suite->name + ": " + one.check->name);
      ++number;
      const bool bad =
          one.verdict == Verdict::fail || one.verdict == Verdict::error || one.verdict == Verdict::aborted;
      text += fmt::format("{} {} - {}", bad ? "not ok" : "ok", number, name);
      if (one.verdict == Verdict::skipped) text += " # SKIP " + directive(one.reason);
      if (one.verdict == Verdict::tolerated) text += " # SKIP tolerated: " + directive(one.reason);
      // TAP 14's directive for a failure that is known and does not count.
      if (bad && one.quarantined) text += " # TODO quarantined " + directive(one.quarantine);
      text += "\n";
      if (bad) text += diagnostics(suite, one);
    }
  if (run.suites.empty())
    text += "Bail out! The run did not end\n";
  else if (run.interrupted)
    text += "Bail out! The run was stopped\n";
  return text;
}

}  // namespace staithe::report
