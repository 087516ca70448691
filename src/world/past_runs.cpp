#include "staithe/world/past_runs.hpp"

#include "each_run.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/event.hpp"
#include "staithe/event/exit_codes.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::world {
namespace {

constexpr std::size_t runs_to_read = 200;

/// Under which a recovery's journal says what it is for.
constexpr const char* recovery_note = "recover";
constexpr const char* run_key = "run";

/// Under which a run's journal keeps what a person had said of it.
constexpr const char* asked_note = "asked";
constexpr std::size_t longest_asked = 256 * 1024;

std::optional<plan::Plan> plan_of_run(store::Store& store, const std::string& run_id) {
  const auto run = store.run(run_id);
  return run ? plan_of(*run) : std::nullopt;
}

bool had_a_lock(store::Store& store, const std::string& run_id) {
  const auto plan = plan_of_run(store, run_id);
  if (!plan) return false;
  const auto journal = read_journal(store, run_id);
  return std::any_of(plan->open.begin(), plan->open.end(), [&](const plan::Action& action) {
    return std::holds_alternative<plan::TakeLock>(action.effect) && journal.ended_well(action.id);
  });
}

/// What one run says of the hosts that are still looked for: those it decides are taken off `pending`.
void read_drains(store::Store& store, const store::Run& run, std::set<std::string>& pending,
                 std::map<std::string, std::string>& found) {
  const auto plan = plan_of_run(store, run.id);
  if (!plan) {
    pending.clear();  // what it did cannot be known: nothing older is believed
    return;
  }
  const auto journal = read_journal(store, run.id);
  const auto left = assess(*plan, journal);
  for (const auto& stage : plan->stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    for (const auto& lane : stage.lanes) {
      if (pending.count(lane.host) == 0) continue;
      const auto rotation = rotation_left(lane, journal);
      const auto host = std::find_if(left.begin(), left.end(),
                                     [&](const HostLeft& known) { return known.host == lane.host; });
      const std::string before = host == left.end() ? "" : host->found;
      // Who gave back a host that was out already left it out: the drain before still stands.
      if (rotation == RotationLeft::back && !was_out(before)) pending.erase(lane.host);
      if (rotation == RotationLeft::out && !before.empty()) found[lane.host] = before;
    }
  }
}

/// Whether the run may have done something to one of the hosts. One that ended names all hosts that it was
/// for.
bool may_concern(const store::Run& run, const std::set<std::string>& hosts) {
  const auto named = named_hosts(run);
  if (!run.ended || named.empty()) return true;
  return std::any_of(hosts.begin(), hosts.end(), [&](const auto& host) { return named.count(host) > 0; });
}

/// Recoveries since the run began that ended or died and are for it, newest first. One of an older build does
/// not say so: its title tells.
std::vector<store::Run> recoveries_since(store::Store& store, const store::Run& run) {
  store::HistoryFilter filter;
  filter.environment = run.environment;
  filter.service = run.service;
  filter.kind = "recover";
  filter.since = run.started;
  auto recoveries = store.history(filter, runs_to_read);
  std::erase_if(recoveries, [&](const store::Run& recovery) {
    if (!recovery.ended && !is_dead(store, recovery)) return true;
    const auto journal = read_journal(store, recovery.id);
    const auto entry = journal.actions.find(recovery_note);
    const bool known = entry != journal.actions.end() && entry->second.notes.count(run_key) != 0;
    // An older build did not write for which run it was.
    return known ? entry->second.notes.at(run_key) != run.id : recovery.title != "recover " + run.title;
  });
  return recoveries;
}

/// "" where the object has none, or another thing than a text.
std::string text_in(const nlohmann::json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) return {};
  return object[key];
}

std::set<std::string> hosts_marked(const store::Run& run, const char* key) {
  // Every run of a long history is asked, and hardly one has any.
  if (run.summary_json.find(key) == std::string::npos) return {};
  std::set<std::string> hosts;
  const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
  for (const auto& [host, state] : host_states(run))
    if (const auto& known = summary["hosts"][host]; known.value(key, nlohmann::json()) == true)
      hosts.insert(host);
  return hosts;
}

}  // namespace

std::map<std::string, std::string> named_hosts(const store::Run& run) {
  std::map<std::string, std::string> states;
  const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
  if (!summary.is_object() || !summary.contains("hosts") || !summary["hosts"].is_object()) return states;
  for (const auto& [host, known] : summary["hosts"].items()) states[host] = text_in(known, "state");
  return states;
}

base::Duration deadline_of(const store::Run& run) {
  const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
  if (!summary.is_object() || !summary.contains("deadline_ms")) return base::Duration{0};
  const auto& known = summary["deadline_ms"];
  return base::Duration{known.is_number_integer() ? known.get<std::int64_t>() : 0};
}

std::string told(const store::JournalEntry& record, const char* field) {
  return text_in(nlohmann::json::parse(record.body, nullptr, false), field);
}

std::string noted(const store::JournalEntry& record, std::string_view key) {
  return record.kind == "note" && told(record, "key") == key ? told(record, "text") : std::string();
}

std::optional<plan::Plan> plan_of(const store::Run& run) {
  try {
    return plan::from_json(run.plan_json);
  } catch (const base::Error&) {
    return std::nullopt;
  }
}

bool is_dead(store::Store& store, const store::Run& run) {
  if (run.ended) return false;
  if (run.owner != store::Owner::unknown) return run.owner == store::Owner::gone;
  for (const auto& lock : store.locks())
    if (lock.run_id == run.id && !lock.abandoned) return false;
  // It may have died waiting for its lock, or wait still: there is nothing to put right then.
  return had_a_lock(store, run.id);
}

std::map<std::string, std::string> host_states(const store::Run& run) {
  auto states = named_hosts(run);
  std::erase_if(states, [](const auto& known) {
    return known.second.empty() || known.second == event::name_of(event::HostState::untouched);
  });
  return states;
}

std::set<std::string> kept_out_by_others(const store::Run& run) {
  return hosts_marked(run, kept_out_key);
}

std::set<std::string> left_as_they_were(const store::Run& run) {
  return hosts_marked(run, as_it_was_key);
}

bool is_only_kept_out(const store::Run& run) {
  if (run.summary_json.find(but_for_others_key) == std::string::npos) return false;
  const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
  return summary.is_object() && summary.contains(but_for_others_key);
}

bool has_concluded(const store::Run& recovery) {
  if (recovery.exit_code == event::exit_done) return true;
  if (recovery.summary_json.find(concluded_key) == std::string::npos) return false;
  const auto summary = nlohmann::json::parse(recovery.summary_json, nullptr, false);
  return summary.is_object() && summary.value(concluded_key, nlohmann::json()) == true;
}

std::string why_not_recover(store::Store& store, const store::Run& run) {
  if (run.kind == "recover") return "is a recovery itself: 'staithe recover' goes on with what it was for";
  if (run.ended && run.outcome == recovered_outcome) return "is recovered already";
  if (run.ended && (run.exit_code != event::exit_needs_person || is_only_kept_out(run)))
    return base::one_line(fmt::format("ended: {}; it left nothing to put right", run.outcome));
  if (!run.ended && run.owner == store::Owner::running)
    return base::one_line("is still going on: " + run.user);
  for (const auto& lock : store.locks())
    if (lock.run_id == run.id && !lock.abandoned)
      return base::one_line(fmt::format("still holds the lock on {}: {}", lock.scope, lock.holder));
  return {};
}

void note_asked(store::Store& store, const std::string& run_id, const std::string& text) {
  if (text.size() > longest_asked) return;
  const nlohmann::json body{{"key", asked_note}, {"text", text}};
  store.enqueue(run_id, {0, {}, "", asked_note, "note", body.dump()});
}

std::string asked_for(store::Store& store, const std::string& run_id) {
  // It is always the first: a long journal is not read, nor one that cannot be.
  const auto first = store.journal(run_id, 0, 1);
  if (first.empty() || first.front().action_id != asked_note) return {};
  return noted(first.front(), asked_note);
}

void note_recovered(store::Store& store, const std::string& recovery_id, const std::string& run_id) {
  const nlohmann::json body{{"key", run_key}, {"text", run_id}};
  store.append(recovery_id, {0, {}, "", recovery_note, "note", body.dump()});
}

std::vector<LaterRecovery> recoveries_of(store::Store& store, const store::Run& run) {
  auto recoveries = recoveries_since(store, run);
  std::reverse(recoveries.begin(), recoveries.end());
  std::vector<LaterRecovery> later;
  for (const auto& recovery : recoveries) {
    auto plan = plan_of_run(store, recovery.id);
    // What it did cannot be known: a host that it gave back would be taken out again.
    if (!plan)
      throw base::Error(base::ErrorCode::conflict,
                        base::one_line(fmt::format(
                            "the recovery {} of run {} ({}) was begun by another build of staithe, "
                            "whose plan this one cannot read; recover it with that build, or by hand: see "
                            "--settled in staithe-recover(1)",
                            recovery.id, run.id, run.title)));
    later.push_back({std::move(*plan), read_journal(store, recovery.id)});
  }
  return later;
}

std::string grounds_of(store::Store& store, const store::Run& run) {
  std::string grounds;
  for (const auto& [host, later] : put_right_since(store, run))
    grounds += fmt::format("\n{} put right by {}", host, later);
  for (const auto& recovery : recoveries_since(store, run)) grounds += "\nrecovery " + recovery.id;
  return grounds;
}

std::optional<store::Run> in_the_way(store::Store& store, const std::string& environment,
                                     const std::string& service, const std::set<std::string>& hosts) {
  for (const auto& run : store.unfinished(environment)) {
    if (!takes_hosts(run) || !is_dead(store, run)) continue;
    if (!service.empty() && run.service == service) return run;
    const auto plan = plan_of_run(store, run.id);
    if (!plan) return run;
    for (const auto& host : plan::target_hosts(*plan))
      if (hosts.count(host) > 0) return run;
  }
  return std::nullopt;
}

std::string ended_runs(store::Store& store, const std::string& environment, const std::string& service) {
  auto filter = of_environment(environment);
  filter.service = service;
  // Only the last: older runs go from the history as others come.
  std::optional<store::Run> last;
  for (auto& run : store.history(filter, runs_to_read))
    if (run.ended && (!last || *run.ended > *last->ended)) last = std::move(run);
  return last ? last->id + " " + last->outcome : "";
}

std::vector<std::string> drained_by(const plan::Plan& plan) {
  std::vector<std::string> hosts;
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes)
      if (std::any_of(lane.nodes.begin(), lane.nodes.end(),
                      [](const auto& node) { return std::holds_alternative<plan::Bracket>(node); }))
        hosts.push_back(lane.host);
  return hosts;
}

Obstacle obstacle_to(store::Store& store, const plan::Plan& plan) {
  Obstacle obstacle;
  if (plan.kind == "recover" || plan.kind == "exec") return obstacle;
  const auto targets = plan::target_hosts(plan);
  obstacle.died = in_the_way(store, plan.environment, plan.service, {targets.begin(), targets.end()});
  obstacle.forgiven = plan.kind == "restore";
  if (obstacle.died || plan.kind == "drain" || plan.kind == "restore") return obstacle;
  const auto drained = drained_by(plan);
  obstacle.left_out = left_to_person(store, plan.environment, {drained.begin(), drained.end()});
  return obstacle;
}

std::map<std::string, std::string> drains_on_record(store::Store& store, const std::string& environment,
                                                    const std::set<std::string>& hosts) {
  std::set<std::string> pending = hosts;
  std::map<std::string, std::string> found;
  if (pending.empty()) return found;
  each_run(store, of_environment(environment), [&](const store::Run& run) {
    if (may_concern(run, pending)) read_drains(store, run, pending, found);
    return !pending.empty();
  });
  return found;
}

}  // namespace staithe::world
