#include "notice.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/report/checks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {
namespace {

using checks::Judged;
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

std::string history_of(const CheckResult& one) {
  if (!one.past.known || one.past.runs == 0) return "no history of this check as it is now";
  const auto rate = checks::flake_rate(one.past.flips, one.past.runs);
  std::string text = fmt::format("{} in the last {}", base::count_text(one.past.flips, "flip"),
                                 base::count_text(one.past.runs, "run"));
  if (failed(one))
    text += fmt::format(
        "; chance that this is noise {:.1f} %",
        100 * (1 - checks::chance_real(std::max(one.attempts_made, 1U), rate.upper90, repeats_of(one))));
  return text;
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

std::vector<std::string> check_details(const CheckResult& one, const std::string& run_again) {
  std::vector<std::string> lines;
  const auto& at = one.check->position;
  const std::string note = one.attempts.empty() ? "" : one.attempts.back().note;
  const auto said_below = [&](const std::string& text) { return !text.empty() && text == check_reason(one); };
  lines.push_back(fmt::format("{}:{}  {}{}", at.file.text(), at.line, one.title,
                              note.empty() || said_below(note) ? "" : " -> " + note));
  // Of what is degraded, and of what did not answer, a line below says the same.
  const bool silent = std::any_of(one.judged.begin(), one.judged.end(), [&](const Judged& judged) {
    return judged.is_silence() && judged.got == one.reason;
  });
  if (!one.reason.empty() && !silent && (one.verdict != Verdict::degraded || !one.tolerated.empty()))
    lines.push_back(one.reason);
  std::size_t width = 0;
  for (const auto& judged : one.judged) width = std::max(width, judged.subject.size());
  for (const auto& judged : one.judged) {
    if (judged.outcome == Judged::Outcome::held) continue;
    lines.push_back(
        judged.is_silence() ? "no answer  " + judged.got
        : judged.outcome == Judged::Outcome::unjudged
            ? fmt::format("{:<{}}  cannot be judged: {}", judged.subject, width, judged.why)
            : fmt::format("{:<{}}  wanted {}   got {}", judged.subject, width, judged.wanted, judged.got));
  }
  if (one.attempts_made > 1) {
    std::uint32_t number = 1;
    const bool all_silent = std::all_of(one.attempts.begin(), one.attempts.end(),
                                        [&](const auto& attempt) { return said_below(attempt.reason); });
    if (all_silent) lines.push_back(fmt::format("attempts {}, with the same reason", one.attempts_made));
    for (const auto& attempt : all_silent ? std::vector<verify::Attempt>() : one.attempts)
      lines.push_back(fmt::format("attempt {} of {}  {}", number++, one.attempts_made,
                                  attempt.reason.empty() ? attempt.note : attempt.reason));
  }
  lines.push_back("history  " + history_of(one));
  if (one.quarantined) lines.push_back("in quarantine " + one.quarantine);
  if (const auto ended = check_quarantine_ended(one); !ended.empty()) lines.push_back(ended);
  if (!run_again.empty()) lines.push_back("again    " + run_again);
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
