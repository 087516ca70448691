#include "staithe/watch/alerts.hpp"

#include "causes.hpp"
#include "incident_json.hpp"
#include "kept.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace staithe::watch {
namespace {

using nlohmann::json;
using Kind = Incident::Kind;
using Policies = std::map<std::string, const checks::Suite*>;

constexpr std::size_t most_details = 10, most_blocked = 50, most_names = 3, shortest_text = 200;

/// Runs in a row of which each fails for another reason, against those of one that is always the same.
constexpr std::uint32_t unsteady_times = 3;
/// A check that has been well for so many runs and is bad again is news, though the incident goes on.
constexpr std::uint32_t forgotten_after = 10;

/// What is bad now; nothing of it is known to be bad after a run that did not come to it.
void describe(const std::vector<Cause>& causes, Incident& incident) {
  std::set<std::string> members;
  for (const auto& one : incident.members) members.insert(one.key);
  std::size_t left = 0;
  bool first = true;
  for (const auto& cause : causes) {
    if (members.count(cause.key) == 0) continue;
    if (std::exchange(first, false)) {
      incident.details.clear();
      incident.runs = 0;
      incident.culprit = cause.name;
      incident.reason = cause.reason;
    }
    incident.runs = std::max(incident.runs, cause.streak.runs);
    if (cause.detail.empty()) continue;
    if (incident.details.size() < most_details)
      incident.details.push_back(cause.detail);
    else
      ++left;
  }
  if (left > 0) incident.details.push_back(fmt::format("and {} more", left));
}

/// Takes over what a run says of its members; false when it is over.
bool goes_on(Incident& incident, const SuiteState& suite, const std::map<std::string, Condition>& now) {
  const bool came_to_any = std::any_of(suite.checks.begin(), suite.checks.end(),
                                       [](const auto& one) { return one.verdict != Verdict::skipped; });
  bool bad = false;
  for (auto& one : incident.members) {
    const auto known = now.find(one.key);
    // A check that is gone is over, but not one of a run that came to no check.
    const auto condition = known != now.end()               ? known->second
                           : one.key.empty() || came_to_any ? Condition::well
                                                            : Condition::unknown;
    if (condition == Condition::bad)
      one.well = 0;
    else if (condition == Condition::well)
      ++one.well;
    bad = bad || one.well == 0;
  }
  return bad;
}

/// One that was bad just then, and another one that was long ago: when they are bad again, that is news.
void forget_well_ones(Incident& incident) {
  auto& all = incident.members;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const auto& one) { return one.well >= (one.due ? forgotten_after : 1); }),
            all.end());
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
  one.members.clear();
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
  switch (kind) {
    case Kind::failing:
      return "failing";
    case Kind::unsteady:
      return "unsteady";
    case Kind::degraded:
      return "degraded";
    case Kind::silent:
      return "silent";
  }
  return "";
}

std::string names_of(const Incident& incident) {
  std::vector<std::string> names;
  for (const auto& one : incident.members)
    if (!one.key.empty()) names.push_back(base::shortened(name_in(incident.suite, one.key), shortest_text));
  if (names.empty()) return incident.culprit;
  const auto more = names.size() - std::min(names.size(), most_names);
  names.resize(names.size() - more);
  return base::join(names, ", ") + (more == 0 ? "" : fmt::format(" and {} more", more));
}

struct Alerts::Ended {
  SuiteState& suite;
  const std::vector<SuiteState*>& suites;  ///< of the same run
  const checks::Alert& alert;
  Time now;
  std::vector<Message>& messages;

  std::vector<std::string> blocked() const {
    std::vector<std::string> names;
    for (const auto* other : suites)
      if (other->blocked && other->reason.find("needs suite '" + suite.name + "'") != std::string::npos)
        names.push_back(other->name);
    keep_some(names);
    return names;
  }
};

std::string Alerts::id_of(Kind kind, const std::string& suite, const std::string& cause) const {
  return fmt::format("staithe/{}/{}/{}/{}{}{}", rules_.project, rules_.environment, suite, name_of(kind),
                     cause.empty() ? "" : "/", cause);
}

bool Alerts::is_open(Kind kind, const std::string& suite) const {
  return std::any_of(open_.begin(), open_.end(),
                     [&](const auto& one) { return one.second.kind == kind && one.second.suite == suite; });
}

/// A new one. One that began with the same cause may still go on: then it has an id of its own.
Incident& Alerts::opened(Kind kind, const std::string& cause, const SuiteState& suite, Time since) {
  const auto plain = id_of(kind, suite.name, cause);
  auto id = plain;
  for (std::size_t number = 2; open_.count(id) > 0; ++number) id = fmt::format("{}#{}", plain, number);
  auto& made = open_[id];
  made.since = since;
  made.kind = kind;
  made.id = id;
  made.environment = rules_.environment;
  made.suite = suite.name;
  return made;
}

/// The one that goes on, or a new one, of a kind of which a suite has one. Not found by its id: that holds
/// the project's name, which may have been another one when it began.
Incident& Alerts::only(Kind kind, const SuiteState& suite, Time since) {
  for (auto& [id, one] : open_)
    if (one.kind == kind && one.suite == suite.name) return one;
  return opened(kind, "", suite, since);
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

void Alerts::end(const std::string& id, const checks::Alert& alert, Time now,
                 std::vector<Message>& messages) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  auto incident = std::move(found->second);
  open_.erase(found);
  if (!incident.told) return;
  incident.details.clear();
  for (const auto& [other_id, other] : open_)
    if (other.told && other.suite == incident.suite && incident.details.size() < most_details)
      incident.details.push_back(fmt::format("still {}: {}", name_of(other.kind),
                                             other.culprit.empty() ? other.reason : other.culprit));
  tell(Message::Kind::recovered, incident, alert, now, messages);
}

void Alerts::end(Kind kind, const Ended& ended) {
  std::vector<std::string> ids;
  for (const auto& [id, one] : open_)
    if (one.kind == kind && one.suite == ended.suite.name) ids.push_back(id);
  for (const auto& id : ids) end(id, ended.alert, ended.now, ended.messages);
}

bool Alerts::is_due(Kind kind, const Cause& cause, const Ended& ended) const {
  if (kind == Kind::degraded)
    return ended.alert.degraded_for.count() > 0 && ended.now - cause.streak.since >= ended.alert.degraded_for;
  // Somebody knows already that nothing gets through, and that it is not always the same that fails.
  const bool known = is_open(Kind::unsteady, ended.suite.name);
  return cause.streak.runs >= ended.alert.after * (known ? unsteady_times : 1);
}

/// What was open before this run: those that it has shown to be over.
std::set<std::string> Alerts::over(Kind kind, const std::vector<Cause>& causes, const SuiteState& suite) {
  const bool all_well = kind == Kind::failing
                            ? is_well(suite.verdict)
                            : suite.verdict == Verdict::pass || suite.verdict == Verdict::tolerated;
  const auto now = conditions(suite, causes, kind == Kind::failing);
  std::set<std::string> ids;
  for (auto& [id, one] : open_) {
    if (one.kind != kind || one.suite != suite.name) continue;
    // Too many to be kept, or of an older version: those that are bad now.
    if (one.members.empty())
      for (const auto& cause : causes) one.members.push_back({cause.key, true, 0});
    if (all_well || (!one.members.empty() && !goes_on(one, suite, now)))
      ids.insert(id);
    else if (!one.members.empty())
      forget_well_ones(one);
  }
  return ids;
}

/// What no incident has is a new one when somebody is to be told of any of it.
void Alerts::begin(Kind kind, const std::vector<Cause>& causes, const Ended& ended) {
  std::set<std::string> known;
  for (const auto& [id, one] : open_)
    if (one.kind == kind && one.suite == ended.suite.name)
      for (const auto& member : one.members) known.insert(member.key);
  std::vector<const Cause*> others;
  for (const auto& cause : causes)
    if (known.count(cause.key) == 0) others.push_back(&cause);
  const auto lead =
      std::find_if(others.begin(), others.end(), [&](const auto* one) { return is_due(kind, *one, ended); });
  if (lead == others.end()) return;
  auto& found = opened(kind, name_in(ended.suite.name, (*lead)->key), ended.suite, (*lead)->streak.since);
  found.members = {{(*lead)->key, true, 0}};
  for (const auto* one : others)
    if (one != *lead) found.members.push_back({one->key, false, 0});
}

void Alerts::follow(Kind kind, const std::vector<Cause>& causes, const Ended& ended) {
  const auto ids = over(kind, causes, ended.suite);
  begin(kind, causes, ended);
  std::set<std::string> due;
  for (const auto& cause : causes)
    if (is_due(kind, cause, ended)) due.insert(cause.key);
  for (auto& [id, one] : open_) {
    if (one.kind != kind || one.suite != ended.suite.name || ids.count(id) > 0) continue;
    for (auto& member : one.members) member.due = member.due || due.count(member.key) > 0;
    describe(causes, one);
    update(one, ended);
  }
  for (const auto& id : ids) end(id, ended.alert, ended.now, ended.messages);
}

/// Nobody gets through, and no cause would be told of: a host of several that is ill, for example. What an
/// alert explains is no part of that, whenever it was.
void Alerts::unsteady(const std::vector<Cause>& causes, const Ended& ended) {
  auto& suite = ended.suite;
  const bool well = is_well(suite.verdict);
  suite.unexplained =
      extended(suite.unexplained, !well && !is_open(Kind::failing, suite.name), suite.started);
  if (well) return end(Kind::unsteady, ended);
  const bool open = is_open(Kind::unsteady, suite.name);
  if (!open && suite.unexplained.runs < ended.alert.after * unsteady_times) return;
  auto& found = only(Kind::unsteady, suite, suite.unexplained.since);
  found.runs = open ? found.runs + 1 : suite.unexplained.runs;
  found.details.clear();
  for (const auto& cause : causes)
    if (!cause.detail.empty() && found.details.size() < most_details) found.details.push_back(cause.detail);
  found.reason =
      fmt::format("no run has ended well {} times, not always for the same reason; now {}{}", found.runs,
                  causes.front().name.empty() ? "" : causes.front().name + ": ", causes.front().reason);
  update(found, ended);
}

/// As it is now; whoever was not told of it is told.
void Alerts::update(Incident& incident, const Ended& ended) {
  const auto& suite = ended.suite;
  incident.owner = suite.owner;
  incident.runbook = suite.runbook;
  incident.severity = suite.severity;
  incident.release = suite.release;
  incident.run_id = suite.run_id;
  incident.blocked = ended.blocked();
  if (!incident.told) tell(Message::Kind::fired, incident, ended.alert, ended.now, ended.messages);
}

std::vector<Message> Alerts::after_run(const std::vector<SuiteState*>& suites, const Policies& policies,
                                       Time now) {
  std::vector<Message> messages;
  for (auto* suite : suites) {
    const auto policy = policies.find(suite->name);
    if (policy == policies.end()) continue;
    const Ended ended{*suite, suites, policy->second->alert, now, messages};
    end(Kind::silent, ended);
    if (suite->blocked) continue;  // the one that it needs is told of
    const auto causes = failing_causes(*suite);
    follow(Kind::failing, causes, ended);
    unsteady(causes, ended);
    follow(Kind::degraded, degraded_causes(*suite), ended);
  }
  return messages;
}

std::vector<Message> Alerts::between_runs(const std::vector<Silence>& silent, const Policies& policies,
                                          Time now) {
  std::vector<Message> messages;
  for (const auto& one : silent) {
    const auto policy = policies.find(one.suite->name);
    if (policy == policies.end()) continue;
    auto& found = only(Kind::silent, *one.suite, now);
    found.owner = one.suite->owner;
    found.runbook = one.suite->runbook;
    found.severity = one.suite->severity;
    found.release = one.suite->release;
    found.run_id = one.suite->run_id;
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
  // Any of the others may be of the suite that nobody knows the name of; it goes on until that is known.
  if (std::any_of(policies.begin(), policies.end(), [](const auto& one) { return one.second->name_guessed; }))
    return {};
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
