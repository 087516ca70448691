#include "causes.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::watch {
namespace {

/// Of what strangers wrote: who wants all of it looks at the run.
constexpr std::size_t longest_text = 1000;

bool is_unjudged(const CheckState& check) {
  return check.verdict == Verdict::skipped || check.verdict == Verdict::aborted;
}

bool fails(const CheckState& check) {
  return check.blocking && (check.verdict == Verdict::fail || check.verdict == Verdict::error);
}

/// Without a word to the pager, but it is why the suite ended with degraded.
bool colours(const CheckState& check) {
  if (check.quarantined) return false;
  return check.verdict == Verdict::degraded ||
         (!check.blocking && (check.verdict == Verdict::fail || check.verdict == Verdict::error ||
                              check.verdict == Verdict::aborted));
}

/// Where a run was cut off says where its time was over, not what took it.
const CheckState* cut_off(const SuiteState& suite) {
  const auto found = std::find_if(suite.checks.begin(), suite.checks.end(), [](const auto& one) {
    return one.blocking && one.verdict == Verdict::aborted;
  });
  return found == suite.checks.end() ? nullptr : &*found;
}

Cause cause_of(const CheckState& check, const Streak& streak) {
  Cause cause{check.key, streak, base::shortened(check.name, longest_text),
              base::shortened(check.reason, longest_text), ""};
  cause.detail =
      fmt::format("{} {}: {} ({})", name_of(check.verdict), cause.name, cause.reason, check.position);
  return cause;
}

Cause whole(const SuiteState& suite, const Streak& streak, const CheckState* at) {
  auto cause = at == nullptr ? Cause{} : cause_of(*at, {});
  cause.key.clear();
  cause.streak = streak;
  if (cause.reason.empty()) cause.reason = base::shortened(suite.reason, longest_text);
  if (cause.reason.empty())
    cause.reason = std::string("the suite ended with ") + std::string(name_of(suite.verdict));
  return cause;
}

}  // namespace

bool fails_as_a_whole(const SuiteState& suite) {
  if (suite.blocked || is_well(suite.verdict)) return false;
  return cut_off(suite) != nullptr || std::none_of(suite.checks.begin(), suite.checks.end(), fails);
}

std::vector<Cause> failing_causes(const SuiteState& suite) {
  std::vector<Cause> causes;
  if (suite.blocked || is_well(suite.verdict)) return causes;
  for (const auto& check : suite.checks)
    if (fails(check)) causes.push_back(cause_of(check, check.failing));
  if (fails_as_a_whole(suite)) causes.push_back(whole(suite, suite.as_a_whole, cut_off(suite)));
  return causes;
}

std::vector<Cause> degraded_causes(const SuiteState& suite) {
  std::vector<Cause> causes;
  if (suite.blocked) return causes;
  for (const auto& check : suite.checks)
    if (colours(check)) causes.push_back(cause_of(check, check.unwell));
  return causes;
}

std::map<std::string, Condition> conditions(const SuiteState& suite, const std::vector<Cause>& causes,
                                            bool degraded_is_well) {
  std::map<std::string, Condition> found;
  for (const auto& check : suite.checks) {
    const bool counted = !check.quarantined && (check.blocking || !degraded_is_well);
    const bool good = check.verdict == Verdict::pass || check.verdict == Verdict::tolerated ||
                      (check.verdict == Verdict::degraded && degraded_is_well);
    found[check.key] = good || (!counted && !is_unjudged(check)) ? Condition::well : Condition::unknown;
  }
  for (const auto& cause : causes) found[cause.key] = Condition::bad;
  return found;
}

std::string name_in(const std::string& suite, const std::string& key) {
  return key.compare(0, suite.size() + 1, suite + "/") == 0 ? key.substr(suite.size() + 1) : key;
}

}  // namespace staithe::watch
