#include "staithe/world/recovered.hpp"

#include "staithe/base/error.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/world/past_runs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::world {
namespace {

/// What the recovery says of the host. That somebody else keeps it out is none of its doing.
event::HostState state_of(const std::string& host, const event::RunFinished& finished) {
  const auto known = std::find_if(finished.hosts.begin(), finished.hosts.end(),
                                  [&](const auto& mended) { return mended.name == host; });
  return known == finished.hosts.end() ? event::HostState::untouched : known->kept_out.value_or(known->state);
}

/// Where the host stands after the recovery.
bool on_new_release(const HostLeft& host, const event::RunFinished& finished) {
  if (host.left == Left::done) return true;
  if (host.left != Left::out_done && host.left != Left::out_new) return false;
  return state_of(host.host, finished) == event::HostState::done;
}

event::HostState state_of(const HostLeft& host, bool on_new) {
  if (host.by_hand) return host.left == Left::altered ? event::HostState::failed : event::HostState::out;
  if (on_new) return event::HostState::done;
  return host.left == Left::untouched ? event::HostState::untouched : event::HostState::reverted;
}

/// What is known of a host that no recovery went to.
event::HostState state_of(const HostLeft& host) {
  switch (host.left) {
    case Left::untouched:
      return event::HostState::untouched;
    case Left::done:
    case Left::condemned:
      return event::HostState::done;
    case Left::reverted:
      return event::HostState::reverted;
    case Left::altered:
      return event::HostState::failed;
    default:
      return event::HostState::out;
  }
}

/// What the run itself and its recoveries wrote down of a run that died.
std::string summary_of_dead(store::Store& store, const store::Run& run) {
  const auto plan = plan_of(run);
  if (!plan) return "{}";
  std::vector<LaterRecovery> since;
  try {
    since = recoveries_of(store, run);
  } catch (const base::Error& error) {
    if (error.code() != base::ErrorCode::conflict) throw;
    return "{}";  // one of them cannot be read: where the hosts are is not known
  }
  auto hosts = nlohmann::json::object();
  for (const auto& host : assess(*plan, read_journal(store, run.id), since))
    if (!host.brought_along)
      hosts[host.host] = {{"state", event::name_of(state_of(host))}, {"detail", text_of(host.left)}};
  return nlohmann::json{{"hosts", hosts}}.dump();
}

/// A lock that somebody else took over meanwhile is theirs: only one whose holder is gone is had here, and
/// given back.
void free_locks_of(store::Store& store, const std::string& run_id) {
  for (const auto& lock : store.locks())
    if (lock.run_id == run_id && lock.abandoned)
      store.try_lock({lock.scope, "run " + run_id + " is recovered", run_id, ""});
}

}  // namespace

Recovered conclude(const std::vector<HostLeft>& left, const event::RunFinished& finished) {
  Recovered recovered;
  auto hosts = nlohmann::json::object();
  for (const auto& host : left) {
    if (host.brought_along) continue;  // by another run, whose it is to say so
    ++recovered.hosts;
    recovered.release_failed = recovered.release_failed || host.release_failed;
    const bool on_new = on_new_release(host, finished);
    recovered.on_new += on_new ? 1 : 0;
    if (!on_new) recovered.behind.push_back(host.host);
    if (host.by_hand) recovered.by_hand.push_back(host.host);
    hosts[host.host] = {{"state", event::name_of(state_of(host, on_new))}, {"detail", "after recovery"}};
  }
  recovered.summary_json = nlohmann::json{{"hosts", hosts}}.dump();
  return recovered;
}

bool put_right(const plan::Plan& recovery, const event::RunFinished& finished) {
  const int code = finished.but_for_others.value_or(finished.exit_code);
  if (code != event::exit_failed) return code == event::exit_done;
  bool mends = false;
  for (const auto& stage : recovery.stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    mends = true;
    for (const auto& lane : stage.lanes)
      if (const auto state = state_of(lane.host, finished);
          state != event::HostState::done && state != event::HostState::reverted)
        return false;
  }
  // Once a host is reverted, nothing that was to follow the roll is owed on any.
  return !mends || state_of(finished.failed_host, finished) == event::HostState::reverted;
}

void end_recovered(store::Store& store, const store::Run& run, const Recovered& recovered) {
  free_locks_of(store, run.id);
  store.end_run(run.id, recovered.by_hand.empty() ? recovered_outcome : "needs a person",
                recovered.needs_a_person() ? event::exit_needs_person : event::exit_done,
                recovered.summary_json);
  end_dead_recoveries(store, run.environment, run.service);
}

void settle(store::Store& store, const store::Run& run, const std::string& who, const std::string& reason) {
  const nlohmann::json note{{"key", "settled"}, {"text", who + ": " + reason}};
  store.append(run.id, {0, {}, "", "settled", "note", note.dump()});
  const auto summary = run.ended ? run.summary_json : summary_of_dead(store, run);
  free_locks_of(store, run.id);
  store.end_run(run.id, settled_outcome, event::exit_done, summary);
  end_dead_recoveries(store, run.environment, run.service);
}

void end_dead_recoveries(store::Store& store, const std::string& environment, const std::string& service) {
  for (const auto& run : store.unfinished(environment, service)) {
    if (run.kind != "recover" || !is_dead(store, run)) continue;
    free_locks_of(store, run.id);
    store.end_run(run.id, "superseded", event::exit_failed, "{}");
  }
}

}  // namespace staithe::world
