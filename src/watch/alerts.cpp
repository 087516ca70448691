#include "staithe/watch/alerts.hpp"

#include "incident_json.hpp"
#include "kept.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::watch {
namespace {

using nlohmann::json;
using Kind = Incident::Kind;
using Policies = std::map<std::string, const checks::Suite*>;

constexpr std::size_t most_details = 10, most_blocked = 50;
/// Of what strangers wrote: who wants all of it looks at the run.
constexpr std::size_t longest_text = 1000, shortest_text = 200;

bool is_cause(const CheckState& check) {
  return check.blocking && (check.verdict == Verdict::fail || check.verdict == Verdict::error ||
                            check.verdict == Verdict::aborted);
}

/// What failed, the culprit first: checks that were not run because of it are no causes.
void describe(const SuiteState& suite, Verdict least, Incident& incident) {
  incident.details.clear();
  incident.culprit.clear();
  incident.reason = base::shortened(suite.reason, longest_text);
  std::size_t left = 0;
  for (const auto& check : suite.checks) {
    const bool wanted = least == Verdict::degraded ? check.verdict == Verdict::degraded : is_cause(check);
    if (!wanted) continue;
    if (incident.culprit.empty()) {
      incident.culprit = base::shortened(check.name, longest_text);
      incident.reason = base::shortened(check.reason, longest_text);
    }
    if (incident.details.size() < most_details)
      incident.details.push_back(fmt::format("{} {}: {} ({})", name_of(check.verdict),
                                             base::shortened(check.name, longest_text),
                                             base::shortened(check.reason, longest_text), check.position));
    else
      ++left;
  }
  if (left > 0) incident.details.push_back(fmt::format("and {} more", left));
  if (incident.reason.empty())
    incident.reason = std::string("the suite ended with ") + std::string(name_of(suite.verdict));
}

void keep_some(std::vector<std::string>& names) {
  if (names.size() <= most_blocked) return;
  const auto left = names.size() - most_blocked;
  names.resize(most_blocked);
  names.push_back(fmt::format("and {} more", left));
}

/// Without what fills a page: that it goes on, since when, and who was told.
Incident in_short(Incident one) {
  one.details.clear();
  one.blocked.clear();
  one.culprit = base::shortened(one.culprit, shortest_text);
  one.reason = base::shortened(one.reason, shortest_text);
  return one;
}

}  // namespace

std::string_view name_of(Message::Kind kind) noexcept {
  return kind == Message::Kind::fired ? "fired" : kind == Message::Kind::reminder ? "reminder" : "recovered";
}
std::string_view name_of(Incident::Kind kind) noexcept {
  return kind == Kind::failing ? "failing" : kind == Kind::degraded ? "degraded" : "silent";
}

std::string Alerts::id_of(Kind kind, const std::string& suite) const {
  return fmt::format("staithe/{}/{}/{}", rules_.environment, suite, name_of(kind));
}

Incident& Alerts::incident(Kind kind, const SuiteState& suite, Time now) {
  auto& found = open_[id_of(kind, suite.name)];
  if (found.id.empty()) found.since = now;
  found.kind = kind;
  found.id = id_of(kind, suite.name);
  found.environment = rules_.environment;
  found.suite = suite.name;
  found.owner = suite.owner;
  found.runbook = suite.runbook;
  found.severity = suite.severity;
  found.release = suite.release;
  found.run_id = suite.run_id;
  return found;
}

void Alerts::tell(Message::Kind kind, Incident& incident, const checks::Alert& alert, Time now,
                  std::vector<Message>& messages) const {
  incident.told = true;
  incident.last_told = now;
  auto to = alert.to;
  if (kind != Message::Kind::recovered) {
    for (const auto& name : alert.to.empty() ? everybody_ : alert.to)
      if (std::find(incident.told_to.begin(), incident.told_to.end(), name) == incident.told_to.end())
        incident.told_to.push_back(name);
  } else if (!incident.told_to.empty()) {
    to = incident.told_to;
  }
  messages.push_back({kind, incident, now, to, kind != Message::Kind::recovered || alert.recovered});
}

void Alerts::end(Kind kind, const std::string& suite, const checks::Alert& alert, Time now,
                 std::vector<Message>& messages) {
  const auto found = open_.find(id_of(kind, suite));
  if (found == open_.end()) return;
  if (found->second.told) tell(Message::Kind::recovered, found->second, alert, now, messages);
  open_.erase(found);
}

void Alerts::failing(const SuiteState& suite, const std::vector<const SuiteState*>& suites,
                     const checks::Suite& policy, Time now, std::vector<Message>& messages) {
  auto& found = incident(Kind::failing, suite, now);
  found.runs = suite.failed_in_a_row;
  describe(suite, Verdict::fail, found);
  found.blocked.clear();
  for (const auto* other : suites)
    if (other->blocked && other->reason.find("needs suite '" + suite.name + "'") != std::string::npos)
      found.blocked.push_back(other->name);
  keep_some(found.blocked);
  if (!found.told && found.runs >= policy.alert.after)
    tell(Message::Kind::fired, found, policy.alert, now, messages);
}

void Alerts::degraded(const SuiteState& suite, const checks::Suite& policy, Time now,
                      std::vector<Message>& messages) {
  if (policy.alert.degraded_for.count() <= 0) return;
  auto& found = incident(Kind::degraded, suite, now);
  ++found.runs;
  describe(suite, Verdict::degraded, found);
  if (!found.told && now - found.since >= policy.alert.degraded_for)
    tell(Message::Kind::fired, found, policy.alert, now, messages);
}

std::vector<Message> Alerts::after_run(const std::vector<const SuiteState*>& suites, const Policies& policies,
                                       Time now) {
  std::vector<Message> messages;
  for (const auto* suite : suites) {
    const auto policy = policies.find(suite->name);
    if (policy == policies.end()) continue;
    const auto& alert = policy->second->alert;
    end(Kind::silent, suite->name, alert, now, messages);
    if (suite->blocked) continue;  // the one that it needs is told of
    if (!is_well(suite->verdict)) {
      failing(*suite, suites, *policy->second, now, messages);
      continue;
    }
    end(Kind::failing, suite->name, alert, now, messages);
    if (suite->verdict == Verdict::degraded)
      degraded(*suite, *policy->second, now, messages);
    else
      end(Kind::degraded, suite->name, alert, now, messages);
  }
  return messages;
}

std::vector<Message> Alerts::between_runs(const std::vector<Silence>& silent, const Policies& policies,
                                          Time now) {
  std::vector<Message> messages;
  for (const auto& one : silent) {
    const auto policy = policies.find(one.suite->name);
    if (policy == policies.end()) continue;
    auto& found = incident(Kind::silent, *one.suite, now);
    found.reason = one.why;
    found.blocked = one.waiting;
    keep_some(found.blocked);
    if (!found.told) tell(Message::Kind::fired, found, policy->second->alert, now, messages);
  }
  if (rules_.remind.count() <= 0) return messages;
  for (auto& [id, one] : open_) {
    const auto policy = policies.find(one.suite);
    if (policy == policies.end() || !one.told) continue;
    // A wall clock that was set back must not silence it.
    one.last_told = std::min(one.last_told, now);
    if (now - one.last_told >= rules_.remind)
      tell(Message::Kind::reminder, one, policy->second->alert, now, messages);
  }
  return messages;
}

std::vector<Message> Alerts::forget_others(const Policies& policies, Time now) {
  std::vector<Message> messages;
  for (auto one = open_.begin(); one != open_.end();) {
    if (policies.count(one->second.suite) > 0) {
      ++one;
      continue;
    }
    if (one->second.told) {
      tell(Message::Kind::recovered, one->second, {}, now, messages);
      messages.back().notice = false;
    }
    one = open_.erase(one);
  }
  return messages;
}

std::string Alerts::to_json() const {
  std::size_t room = most_kept;
  std::string list;
  const auto put = [&](const Incident& one) {
    const auto record = json_of(one).dump(-1, ' ', false, json::error_handler_t::replace);
    if (record.size() + 1 > room) return false;
    room -= record.size() + 1;
    list += (list.empty() ? "" : ",") + record;
    return true;
  };
  // With details while half of the room is left, and those that somebody was told of first: of one that there
  // is no room for it is told once more after a restart.
  for (const bool told : {true, false})
    for (const auto& [id, one] : open_)
      if (one.told == told && (room < most_kept / 2 || !put(one))) put(in_short(one));
  return "[" + list + "]";
}

void Alerts::restore(const std::string& text) {
  try {
    std::map<std::string, Incident> read;
    for (const auto& record : json::parse(text)) {
      auto one = incident_of(record);
      read.emplace(one.id, std::move(one));
    }
    open_ = std::move(read);
  } catch (const json::exception&) {
    // Written by another version, or damaged: an incident that goes on is told once more.
  }
}

}  // namespace staithe::watch
