#include "wording.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/watch/alerts.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::watch {
namespace {

using nlohmann::json;

constexpr std::size_t longest_summary = 1000;  // PagerDuty takes 1024
constexpr std::size_t longest_key = 255;       // what PagerDuty takes

/// Of what is failing or degraded: how many checks are bad besides the one that is named.
std::size_t bad_beside_it(const Incident& one) {
  const auto bad = std::count_if(one.members.begin(), one.members.end(),
                                 [](const auto& member) { return member.well == 0; });
  return one.kind == Incident::Kind::unsteady || bad == 0 ? 0 : static_cast<std::size_t>(bad) - 1;
}

/// "shop production/payments fails: charge: wanted 100, got 10000".
std::string headline(const Message& message, const std::string& project) {
  const auto& one = message.incident;
  std::string where = project.empty() ? "" : project + " ";
  where += one.environment.empty() ? one.suite : one.environment + "/" + one.suite;
  const auto names = names_of(one);
  if (message.kind == Message::Kind::recovered)
    return fmt::format("{}{} recovered after {}", where,
                       names.empty()            ? " has"
                       : one.members.size() > 1 ? ": " + names + " have"
                                                : ": " + names + " has",
                       base::elapsed_text(message.time - one.since));
  const auto state = one.kind == Incident::Kind::failing    ? "fails"
                     : one.kind == Incident::Kind::unsteady ? "fails again and again"
                     : one.kind == Incident::Kind::degraded ? "is degraded"
                                                            : "is not being checked";
  const auto still = message.kind == Message::Kind::reminder ? "still " : "";
  const auto more = bad_beside_it(one);
  const auto what = one.culprit.empty()
                        ? one.reason
                        : fmt::format("{}{}: {}", one.culprit,
                                      more == 0 ? "" : fmt::format(" and {} more", more), one.reason);
  return fmt::format("{} {}{}: {}", where, still, state, what);
}

const char* pagerduty_severity(const Incident& one) {
  if (one.kind == Incident::Kind::degraded) return "warning";
  return one.severity == Severity::critical ? "critical"
         : one.severity == Severity::major  ? "error"
                                            : "warning";
}

/// The same for an incident every time, and for no other.
std::string dedup_key(const std::string& id) {
  if (id.size() <= longest_key) return id;
  const auto digest = base::sha256_hex(id);
  return id.substr(0, longest_key - digest.size()) + digest;
}

/// The three characters that Slack gives a meaning to.
std::string for_slack(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else
      escaped += c;
  }
  return escaped;
}

std::string dumped(const json& record) {
  return record.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string text_of(const Message& message, const std::string& project) {
  const auto& one = message.incident;
  std::string text = headline(message, project);
  if (message.kind == Message::Kind::recovered) {
    for (const auto& detail : one.details) text += "\n  " + detail;
    return text;
  }
  // One alone is what the headline says.
  if (one.details.size() > 1)
    for (const auto& detail : one.details) text += "\n  " + detail;
  if (!one.blocked.empty()) text += "\n  not run because of it: " + base::join(one.blocked, ", ");
  text += "\n  since " + base::utc_text_ms(one.since);
  if (one.runs > 1) text += fmt::format(", {} runs in a row", one.runs);
  if (!one.release.empty()) text += ", release " + one.release.substr(0, 12);
  if (!one.owner.empty()) text += "\n  owner " + one.owner;
  if (!one.runbook.empty()) text += "\n  runbook " + one.runbook;
  return text;
}

std::string slack_body(const Message& message, const std::string& project) {
  const auto* sign = message.kind == Message::Kind::recovered ? ":white_check_mark: " : ":rotating_light: ";
  return dumped({{"text", sign + for_slack(base::printable(text_of(message, project)))}});
}

std::string pagerduty_body(const Message& message, const std::string& project,
                           const std::string& routing_key) {
  const auto& one = message.incident;
  json event{{"routing_key", routing_key}, {"dedup_key", dedup_key(one.id)}, {"client", "staithe"}};
  if (message.kind == Message::Kind::recovered) {
    event["event_action"] = "resolve";
    return dumped(event);
  }
  event["event_action"] = "trigger";
  json details{{"since", base::utc_text_ms(one.since)}, {"runs_in_a_row", one.runs}, {"failed", one.details}};
  if (!one.blocked.empty()) details["not_run_because_of_it"] = one.blocked;
  if (!one.release.empty()) details["release"] = one.release;
  if (!one.run_id.empty()) details["run"] = one.run_id;
  if (!one.owner.empty()) details["owner"] = one.owner;
  event["payload"] = {
      {"summary", base::shortened(base::printable(headline(message, project)), longest_summary)},
      {"source", project.empty() ? "staithe" : project},
      {"severity", pagerduty_severity(one)},
      {"timestamp", base::utc_text_ms(message.time)},
      {"component", one.suite},
      {"group", one.environment},
      {"class", name_of(one.kind)},
      {"custom_details", details}};
  if (!one.runbook.empty()) event["links"] = json::array({{{"href", one.runbook}, {"text", "runbook"}}});
  return dumped(event);
}

}  // namespace staithe::watch
