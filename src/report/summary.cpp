#include "summary.hpp"

#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"

#include <fmt/format.h>

#include <algorithm>
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
    {HostState::out, "OUT", "NOT serving, out of rotation on one balancer at least"},
    {HostState::failed, "FAILED", "not out of rotation, state not as meant"},
    {HostState::done, "changed", ""},
    {HostState::reverted, "reverted", "the release before serves again"},
    {HostState::restored, "restored", "as it was, nothing altered"},
    {HostState::untouched, "untouched", ""},
}};

/// Of a run that brings a release: which one the host is on.
std::string release_of(const event::RunStarted& started, const event::RunFinished::Host& host) {
  if (started.release.empty() || started.kind == "recover") return {};
  switch (host.state) {
    case HostState::done:
      return "on " + one_line(started.release);
    case HostState::untouched:
      return "on what ran before";
    case HostState::out:
    case HostState::failed:
      return host.altered ? "release being changed" : "on what ran before";
    default:
      return {};  // said by the remark
  }
}

/// Hosts in this state, by where visitors meet them and what they run.
std::map<std::string, std::vector<std::string>> hosts_by_remark(const event::RunStarted& started,
                                                                const event::RunFinished& finished,
                                                                const Row& row) {
  std::map<std::string, std::vector<std::string>> hosts;
  for (const auto& host : finished.hosts) {
    if (host.state != row.state) continue;
    std::string remark = host.reach.empty() ? std::string(row.remark) : one_line(host.reach);
    const auto release = release_of(started, host);
    if (!remark.empty() && !release.empty()) remark += "; ";
    hosts[remark + release].push_back(host.name);
  }
  return hosts;
}

/// "" when nothing is to be run.
std::string next_text(const event::RunFinished& finished) {
  std::string text;
  std::string_view word = "next";
  for (const auto& next : finished.next) {
    text += fmt::format("  {:<10} {}\n", word, one_line(next));
    word = "";
  }
  return text;
}

std::string success(const Paint& paint, const event::RunStarted& started,
                    const event::RunFinished& finished) {
  const auto hosts =
      finished.hosts.empty() ? one_line(started.title) : count_text(finished.hosts.size(), "host");
  std::string what;
  if (started.kind == "recover")
    what = " put right";  // on what ran before, or on the new one: each host as the journal told
  else if (!started.release.empty())
    what = " on " + one_line(started.release);
  return fmt::format("{} {}{} in {}\n", paint.good("done:"), hosts, what,
                     base::elapsed_text(finished.duration)) +
         next_text(finished);
}

/// A recovery that did all there was to do, whatever that left for a person.
bool put_all_right(const event::RunStarted& started, const event::RunFinished& finished) {
  return started.kind == "recover" && finished.exit_code == event::exit_needs_person &&
         finished.failed_action.empty() &&
         std::all_of(finished.hosts.begin(), finished.hosts.end(),
                     [](const auto& host) { return host.state == HostState::done; });
}

std::string exit_line(const event::RunFinished& finished) {
  return fmt::format("exit {} ({})\n", finished.exit_code, one_line(finished.verdict));
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
  if (put_all_right(started, finished)) return success(paint, started, finished) + exit_line(finished);
  std::string text = headline(paint, finished);
  for (const auto& row : rows) {
    const bool mended = row.state == HostState::done && started.kind == "recover";
    for (const auto& [remark, hosts] : hosts_by_remark(started, finished, row))
      text += fmt::format("  {:<10} {}{}\n", mended ? "put right" : row.label, base::fold_names(hosts),
                          remark.empty() ? "" : "   (" + remark + ")");
  }
  if (!finished.stays.empty())
    text += fmt::format("  {:<10} {}   (what its steps did is not taken back)\n", "stays",
                        one_line(base::join(finished.stays, ", ")));
  if (finished.deadline.count() > 0)
    text +=
        fmt::format("  {:<10} {} for the whole run, passed\n", "deadline", base::to_text(finished.deadline));
  return text + next_text(finished) + exit_line(finished);
}

}  // namespace staithe::report
