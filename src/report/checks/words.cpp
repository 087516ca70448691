#include "notice.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {
namespace {

using event::CheckRecord;
using verify::CheckResult;
using verify::Verdict;

constexpr std::size_t most_lost = 8, most_ended = 8;

bool failed(const CheckResult& one) {
  return one.verdict == Verdict::fail;
}

/// What chance_real() takes for the repetition of flaky failures.
double repeats_of(const CheckResult& one) {
  return checks::repeat_chance(one.past.failed_again, one.past.retried);
}

/// Retries prove little when flaky failures repeat: with more than one attempt it is said how often they do.
std::string repeats_text(const CheckResult& one) {
  if (one.attempts_made < 2) return {};
  return one.past.retried == 0
             ? "; that a flaky failure repeats at once is assumed of 30 %"
             : fmt::format("; a flaky failure repeats at once in {:.0f} %, measured in {} attempts",
                           100 * repeats_of(one), one.past.retried);
}

std::string history_text(const std::optional<CheckRecord::History>& history) {
  if (!history || history->runs == 0) return "no history of this check as it is now";
  std::string text = fmt::format("{} in the last {}", base::count_text(history->flips, "flip"),
                                 base::count_text(history->runs, "run"));
  if (history->noise) text += fmt::format("; chance that this is noise {:.1f} %", 100 * *history->noise);
  return text;
}

bool is_silence(const CheckRecord::Judged& judged) {
  return judged.outcome == "differs" && judged.subject == checks::Judged::answer;
}

std::string line_of(const CheckRecord::Judged& judged, std::size_t width) {
  if (is_silence(judged)) return "no answer  " + judged.got;
  if (judged.outcome == "unjudged")
    return fmt::format("{:<{}}  cannot be judged: {}", judged.subject, width, judged.why);
  return fmt::format("{:<{}}  wanted {}   got {}", judged.subject, width, judged.wanted, judged.got);
}

void add_tries(const CheckRecord& one, std::vector<std::string>& lines) {
  const auto reason = check_reason(one);
  const bool same = !reason.empty() && std::all_of(one.tries.begin(), one.tries.end(),
                                                   [&](const auto& each) { return each.reason == reason; });
  if (same) {
    lines.push_back(fmt::format("attempts {}, with the same reason", one.attempts));
    return;
  }
  std::size_t number = 1;
  for (const auto& each : one.tries)
    lines.push_back(fmt::format("attempt {} of {}  {}", number++, one.attempts,
                                each.reason.empty() ? each.note : each.reason));
}

std::string points_text(double points) {
  return points >= 0.05 ? fmt::format("{:.1f}", points) : fmt::format("{:.2g}", points);
}

void add_lost(const std::vector<checks::Lost>& all, Itemised itemised, std::vector<std::string>& lines) {
  double rest = 0;
  std::size_t others = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& lost = all[i];
    if (itemised == Itemised::all || (i < most_lost && lost.points >= 0.05)) {
      lines.push_back(
          fmt::format("              -{}  '{}' {}", points_text(lost.points), lost.name, lost.cause));
      continue;
    }
    rest += lost.points;
    ++others;
  }
  if (rest >= 0.05)
    lines.push_back(fmt::format("              -{:.1f}  in {} (-v and the html report name each)", rest,
                                base::count_text(others, "other place")));
}

void add_ended(const verify::RunResult& run, std::vector<std::string>& lines) {
  std::size_t others = 0;
  std::vector<std::string> ended;
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks) {
      const auto text = check_quarantine_ended(one);
      if (text.empty()) continue;
      if (ended.size() < most_ended)
        ended.push_back(
            fmt::format("quarantine    '{}' of {}: {}", one.check->name, suite.suite->name, text));
      else
        ++others;
    }
  lines.insert(lines.end(), ended.begin(), ended.end());
  if (others > 0) lines.push_back(fmt::format("quarantine    of {} others has ended too", others));
}

}  // namespace

bool has_confidence(Verdict verdict) {
  return verdict != Verdict::fail;
}

std::string check_quarantine_ended(const CheckResult& check) {
  const auto& quarantine = check.check->quarantine;
  if (!quarantine || check.quarantined) return {};
  return fmt::format("its quarantine ended {} ({}: {}), it counts again", quarantine->until,
                     quarantine->owner, quarantine->reason);
}

std::string check_again(const verify::SuiteResult& suite, const CheckResult& check) {
  const auto command =
      fmt::format("staithe check{} {}", suite.arguments, base::shell_quote(suite.suite->file));
  // What sets up and what puts right is done for steps, and never alone.
  const bool alone = check.check->part == checks::Part::steps;
  return alone ? command + " --only " + base::shell_quote(check.check->name) : command;
}

std::string check_reason(const verify::CheckResult& check) {
  if (check.verdict == Verdict::fail || check.verdict == Verdict::error)
    for (const auto& judged : check.judged)
      if (judged.outcome == checks::Judged::Outcome::differs && !judged.warns) return judged.in_words();
  return check.reason;
}

std::string check_reason(const CheckRecord& check) {
  if (check.verdict == "fail" || check.verdict == "error")
    for (const auto& judged : check.judged)
      if (judged.outcome == "differs" && !judged.warns)
        return is_silence(judged)
                   ? judged.got
                   : fmt::format("{}: wanted {}, got {}", judged.subject, judged.wanted, judged.got);
  return check.reason;
}

std::vector<std::string> check_details(const CheckRecord& one) {
  std::vector<std::string> lines;
  const bool told_below = one.note.empty() || one.note == check_reason(one);
  lines.push_back(
      fmt::format("{}:{}  {}{}", one.file, one.line, one.request, told_below ? "" : " -> " + one.note));
  // Of what is degraded, and of what did not answer, a line below says the same.
  const bool silent = std::any_of(one.judged.begin(), one.judged.end(), [&](const auto& judged) {
    return is_silence(judged) && judged.got == one.reason;
  });
  if (!one.reason.empty() && !silent && (one.verdict != "degraded" || !one.tolerated.empty()))
    lines.push_back(one.reason);
  std::size_t width = 0;
  for (const auto& judged : one.judged) width = std::max(width, judged.subject.size());
  for (const auto& judged : one.judged)
    if (judged.outcome != "held") lines.push_back(line_of(judged, width));
  if (one.attempts > 1) add_tries(one, lines);
  lines.push_back("history  " + history_text(one.history));
  if (one.quarantined) lines.push_back("in quarantine " + one.quarantine);
  if (!one.quarantine_ended.empty()) lines.push_back(one.quarantine_ended);
  if (!one.owner.empty()) lines.push_back("owner    " + one.owner);
  if (!one.runbook.empty()) lines.push_back("runbook  " + one.runbook);
  if (!one.again.empty()) lines.push_back("again    " + one.again);
  if (!one.curl.empty()) lines.push_back("curl     " + one.curl);
  for (auto& line : lines) std::replace(line.begin(), line.end(), '\n', ' ');
  return lines;
}

std::vector<std::string> check_worth(const verify::RunResult& run, Itemised itemised) {
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("coverage      {:.0f} % of what is declared was judged", 100 * run.confidence.coverage));
  for (auto& line : would_notice_lines(run)) lines.push_back(std::move(line));
  if (run.verdict == Verdict::fail) {
    for (const auto& suite : run.suites)
      for (const auto& one : suite.checks) {
        if (!failed(one) || !one.blocking) continue;
        const auto rate = checks::flake_rate(one.past.flips, one.past.runs).upper90;
        lines.push_back(fmt::format(
            "trust         '{}' is a real fault: {:.1f} % ({}{})", one.check->name,
            100 * checks::chance_real(std::max(one.attempts_made, 1U), rate, repeats_of(one)),
            one.past.runs == 0 ? "no history; 5 % of deploys are assumed to break it" : "from its history",
            repeats_text(one)));
      }
    add_ended(run, lines);
    return lines;
  }
  lines.push_back(fmt::format("trust         {:.1f} of 100", run.confidence.points));
  add_lost(run.confidence.lost, itemised, lines);
  add_ended(run, lines);
  return lines;
}

}  // namespace staithe::report
