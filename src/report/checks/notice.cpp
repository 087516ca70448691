#include "notice.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/checks/confidence.hpp"
#include "staithe/checks/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace staithe::report {
namespace {

using checks::Judged;
using verify::CheckResult;
using verify::Verdict;

constexpr std::size_t most_notices = 4;

/// How many requests a check made, and how many good ones are enough for it to hold.
struct Asked {
  std::uint32_t samples = 1, enough = 1;
  bool operator<(const Asked& other) const {
    return std::pair(samples, enough) < std::pair(other.samples, other.enough);
  }
};

/// The fewest with which everything that is said of `success` holds; without a word about it all must be
/// good. What cannot be known here, for a value was filled in, is taken for the weakest.
std::uint32_t enough_of(const CheckResult& one) {
  std::vector<const checks::Expectation*> said;
  for (const auto& expectation : one.check->expect)
    if (expectation.subject == "success") said.push_back(&expectation);
  if (said.empty()) return one.samples;
  for (std::uint32_t good = 0; good <= one.samples; ++good) {
    checks::Reply reply;
    reply.facts["success"] = checks::Value::count(good);
    const checks::Judge judge(reply, 0);
    const bool holds = std::all_of(said.begin(), said.end(), [&](const auto* expectation) {
      return judge.judge(*expectation).outcome != Judged::Outcome::differs;
    });
    if (holds) return good;
  }
  return one.samples;
}

bool counts(const CheckResult& one) {
  const bool judged = one.verdict == Verdict::pass || one.verdict == Verdict::degraded ||
                      one.verdict == Verdict::tolerated || one.verdict == Verdict::fail;
  return judged && one.blocking && !one.check->asks_nothing();
}

std::string requests_text(const Asked& asked, const std::vector<std::string>& names, bool all) {
  const auto of = all                 ? std::string("each check")
                  : names.size() == 1 ? "'" + names.front() + "'"
                                      : fmt::format("each of {} checks", names.size());
  auto text = fmt::format("{} of {}", base::count_text(asked.samples, "request"), of);
  if (asked.enough < asked.samples) text += fmt::format(", of which {} must be good", asked.enough);
  return text;
}

}  // namespace

std::vector<std::string> would_notice_lines(const verify::RunResult& run) {
  std::map<Asked, std::vector<std::string>> groups;
  for (const auto& suite : run.suites)
    for (const auto& one : suite.checks)
      if (counts(one)) groups[{one.samples, enough_of(one)}].push_back(one.check->name);
  std::vector<std::pair<double, Asked>> order;
  for (const auto& [asked, names] : groups)
    order.emplace_back(checks::would_notice_below(asked.enough, asked.samples), asked);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> lines;
  for (const auto& [share, asked] : order) {
    const auto text = requests_text(asked, groups[asked], groups.size() == 1);
    const auto* const lead = lines.empty() ? "would notice  " : "              ";
    if (lines.size() == most_notices && order.size() > most_notices + 1) {
      lines.push_back(fmt::format("{}and more of {} others", lead, order.size() - most_notices));
      break;
    }
    lines.push_back(asked.enough == 0 ? fmt::format("{}nothing, for all may fail: {}", lead, text)
                                      : fmt::format("{}a fault in {:.0f} % or more of requests (95 %): {}",
                                                    lead, 100 * share, text));
  }
  return lines;
}

}  // namespace staithe::report
