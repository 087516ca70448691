#include "summary.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <vector>

namespace staithe::report {
namespace {

using event::HostState;

std::string names(const event::RunFinished& finished, HostState state) {
  std::vector<std::string> hosts;
  for (const auto& host : finished.hosts)
    if (host.state == state) hosts.push_back(host.name);
  return base::fold_names(hosts);
}

std::string row(std::string_view label, const std::string& text) {
  return text.empty() ? std::string() : fmt::format("  {:<11} {}\n", label, text);
}

std::string success(const event::RunStarted& started, const event::RunFinished& finished) {
  const auto on = started.release.empty() ? std::string() : " on " + started.release;
  return fmt::format("done: {} host{}{} in {}\n", finished.hosts.size(),
                     finished.hosts.size() == 1 ? "" : "s", on, base::elapsed_text(finished.duration));
}

}  // namespace

std::string summary(const event::RunStarted& started, const event::RunFinished& finished) {
  if (finished.exit_code == 0) return success(started, finished);
  std::string text;
  if (!finished.failed_action.empty())
    text +=
        fmt::format("FAILED{}: {}: {}\n", finished.failed_host.empty() ? "" : " at " + finished.failed_host,
                    finished.failed_action, finished.failure);
  else
    text += fmt::format("{}\n", finished.verdict);
  text +=
      row("OUT", names(finished, HostState::out) +
                     (names(finished, HostState::out).empty() ? "" : "   (out of rotation, NOT serving)"));
  text += row("failed", names(finished, HostState::failed));
  text += row("changed", names(finished, HostState::done));
  text += row("reverted", names(finished, HostState::reverted));
  text += row("restored", names(finished, HostState::restored));
  text += row("untouched", names(finished, HostState::untouched));
  bool first = true;
  for (const auto& next : finished.next) {
    text += fmt::format("  {:<11} {}\n", first ? "next" : "", next);
    first = false;
  }
  return text + fmt::format("exit {} ({})\n", finished.exit_code, finished.verdict);
}

}  // namespace staithe::report
