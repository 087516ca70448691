#include "summary.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace staithe::report {
namespace {

using event::HostState;

struct Row {
  HostState state;
  std::string_view label;
  std::string_view remark;
};
/// What needs a person first.
constexpr std::array<Row, 6> rows{{
    {HostState::out, "OUT", "   (NOT serving, out of rotation on one balancer at least)"},
    {HostState::failed, "FAILED", "   (not out of rotation, state not as meant)"},
    {HostState::done, "changed", ""},
    {HostState::reverted, "reverted", "   (the release before serves again)"},
    {HostState::restored, "restored", "   (as it was, nothing altered)"},
    {HostState::untouched, "untouched", ""},
}};

/// Hosts in this state, by where visitors meet them.
std::map<std::string, std::vector<std::string>> hosts_by_reach(const event::RunFinished& finished,
                                                               HostState state) {
  std::map<std::string, std::vector<std::string>> hosts;
  for (const auto& host : finished.hosts)
    if (host.state == state) hosts[host.reach].push_back(host.name);
  return hosts;
}

std::string success(const Paint& paint, const event::RunStarted& started,
                    const event::RunFinished& finished) {
  const auto hosts =
      finished.hosts.empty() ? one_line(started.title) : count_text(finished.hosts.size(), "host");
  std::string what;
  if (started.kind == "recover")
    what = " put right";  // on the release before, or on the new one: each host as the journal told
  else if (!started.release.empty())
    what = " on " + one_line(started.release);
  return fmt::format("{} {}{} in {}\n", paint.good("done:"), hosts, what,
                     base::elapsed_text(finished.duration));
}

std::string headline(const Paint& paint, const event::RunFinished& finished) {
  if (finished.failed_action.empty()) return paint.bad(one_line(finished.verdict)) + "\n";
  return fmt::format(
      "{}{}: {}{}\n", paint.bad("FAILED"), finished.failed_host.empty() ? "" : " at " + finished.failed_host,
      one_line(finished.failed_action), finished.failure.empty() ? "" : ": " + one_line(finished.failure));
}

}  // namespace

std::string summary(const Paint& paint, const event::RunStarted& started,
                    const event::RunFinished& finished) {
  if (finished.exit_code == 0) return success(paint, started, finished);
  std::string text = headline(paint, finished);
  for (const auto& row : rows) {
    for (const auto& [reach, hosts] : hosts_by_reach(finished, row.state))
      text += fmt::format("  {:<10} {}{}\n", row.label, base::fold_names(hosts),
                          reach.empty() ? std::string(row.remark) : "   (" + one_line(reach) + ")");
  }
  std::string_view word = "next";
  for (const auto& next : finished.next) {
    text += fmt::format("  {:<10} {}\n", word, one_line(next));
    word = "";
  }
  return text + fmt::format("exit {} ({})\n", finished.exit_code, one_line(finished.verdict));
}

}  // namespace staithe::report
