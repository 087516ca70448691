#include "suite_run.hpp"

#include "staithe/base/duration.hpp"

#include <fmt/format.h>

#include <algorithm>

/// What is excused while a neighbour is down, and what must be seen of that.
namespace staithe::verify {

using checks::Judged;

namespace {

/// Why a probe that did not hold tells nothing of the neighbour; "" where it does. What a shell says of a
/// command that is not there, or is none, is not about whom it would have asked.
std::string tells_nothing(const checks::Check& probe, const Asked& asked) {
  if (asked.attempt.held || asked.attempt.unjudged) return {};
  if (std::holds_alternative<checks::RunRequest>(probe.request) && checks::says_no_command(asked.reply))
    return "its command cannot be run here";
  return asked.reply.cut.empty() ? "" : "its reply is larger than what is read of it";
}

/// Why the probe of a neighbour did not hold.
std::string what_failed(const Attempt& probed) {
  if (!probed.reason.empty()) return probed.reason;
  const auto first = std::find_if(probed.judged.begin(), probed.judged.end(),
                                  [](const Judged& one) { return one.outcome != Judged::Outcome::held; });
  if (first == probed.judged.end()) return probed.note;
  return fmt::format("{}: {} {}, wanted {}", probed.note, first->subject, first->got, first->wanted);
}

}  // namespace

bool SuiteRun::tolerate(const checks::Check& check, const Asked& last, CheckResult& result) {
  // Where nothing answered, nothing less holds either, and what is absent from no reply is no evidence.
  if (last.silent) return true;
  bool known = true;
  for (const auto& tolerance : check.tolerate) {
    std::string against;
    bool cut = false;
    const auto found = evidence(tolerance, last, against, cut);
    known = known && !cut;
    if (found.empty()) {
      result.reason =
          fmt::format("not tolerated, {} is not known to be down: {}", tolerance.neighbour, against);
      continue;
    }
    const auto relaxed = judge_all(filled(tolerance.expect, values_), last, redactor_);
    if (!all_held(relaxed)) {
      result.reason =
          fmt::format("{} is down ({}), but less did not hold either", tolerance.neighbour, found);
      result.judged.insert(result.judged.end(), relaxed.begin(), relaxed.end());
      continue;
    }
    result.tolerated = tolerance.neighbour;
    result.evaluated = std::min(result.declared, relaxed.size());
    result.reason = fmt::format("{} is down ({}); {} of {} expectations judged", tolerance.neighbour, found,
                                result.evaluated, result.declared);
    const auto neighbour = std::find_if(suite_.neighbours.begin(), suite_.neighbours.end(),
                                        [&](const auto& one) { return one.name == tolerance.neighbour; });
    const auto since = result.past.tolerated_since;
    const auto lasted = since == Time{} ? base::Duration{0} : result.started - since;
    const auto patience = neighbour == suite_.neighbours.end() ? base::Duration{0} : neighbour->patience;
    // In the future by more than all the patience: the clock was set back. Until it is there again nobody
    // would hear of a neighbour that is down.
    const bool unknown = -lasted > patience;
    result.verdict = lasted > 3 * patience          ? Verdict::fail
                     : lasted > patience || unknown ? Verdict::degraded
                                                    : Verdict::tolerated;
    if (unknown)
      result.reason += fmt::format("; since when is not known, for the clock was set back; patience is {}",
                                   base::to_text(patience));
    else if (lasted > patience)
      result.reason += fmt::format("; for {} already, patience is {}", base::elapsed_text(lasted),
                                   base::to_text(patience));
    return true;
  }
  return known;
}

std::string SuiteRun::evidence(const checks::Tolerance& tolerance, const Asked& last, std::string& against,
                               bool& cut) {
  const auto add = [&](const std::string& text) { against += (against.empty() ? "" : "; ") + text; };
  for (const auto& judged : judge_all(filled(tolerance.evidence, values_), last, redactor_)) {
    if (judged.outcome == Judged::Outcome::held && !judged.nothing)
      return judged.subject + " " + judged.wanted;
    add(fmt::format("{} is {}", judged.subject, judged.got));
  }
  if (!tolerance.probe) return {};
  for (const auto& neighbour : suite_.neighbours) {
    if (neighbour.name != tolerance.neighbour || !neighbour.probe) continue;
    const auto probed = probe_neighbour(neighbour);
    if (!probed) {
      cut = true;
      add("its probe was cut short");
    } else if (probed->unjudged) {
      add("its probe could not be judged: " + probed->reason);
    } else if (!probed->held) {
      return "probe: " + what_failed(*probed);
    } else {
      add("its probe: " + probed->note);
    }
  }
  return {};
}

std::optional<Attempt> SuiteRun::probe_neighbour(const checks::Neighbour& neighbour) {
  const auto known = neighbours_.find(neighbour.name);
  if (known != neighbours_.end()) return known->second;
  auto asked = ask(*neighbour.probe, values_, probes_, secrecy_, scope_);
  if (const auto why = tells_nothing(*neighbour.probe, asked); !why.empty()) {
    asked.attempt.unjudged = true;
    asked.attempt.reason = why;
  }
  // What a stop or the suite's own budget has cut tells nothing of the neighbour.
  if (!asked.attempt.held && (asked.cancelled || asked.cut_short || scope_.cancelled() || scope_.expired()))
    return {};
  return neighbours_.emplace(neighbour.name, std::move(asked.attempt)).first->second;
}

}  // namespace staithe::verify
