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
  if (host.by_hand)
    return host.left == Left::altered || host.given_back ? event::HostState::failed : event::HostState::out;
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

/// Where a host stands once the recovery is over.
struct HostEnd {
  std::string state;  ///< for the run's summary
  bool on_new = false;
};

/// No recovery came to the host, for a later run had been there: it keeps the state that it had, and is out
/// by this run no more.
std::string kept_state(const HostSince& host) {
  auto state = host.state.empty() ? event::name_of(state_of(host.left)) : host.state;
  return state == event::name_of(event::HostState::out) ? event::name_of(event::HostState::restored) : state;
}

HostEnd end_of(const HostSince& host, const event::RunFinished& finished) {
  auto left = host.left;
  switch (host.seen_to) {
    case SeenTo::unknown:
      return {event::name_of(event::HostState::failed), false};
    case SeenTo::brought:
      return {event::name_of(event::HostState::done), true};
    case SeenTo::replaced:
    case SeenTo::vouched:
      return {kept_state(host), false};
    case SeenTo::given_back:
      left.left = once_let_in(left.left);
      break;
    case SeenTo::no:
      break;
  }
  const bool on_new = on_new_release(left, finished);
  return {event::name_of(state_of(left, on_new)), on_new};
}

std::string detail_of(const HostSince& host) {
  if (host.seen_to == SeenTo::unknown) return "given back while the app was being changed";
  return host.by.empty() ? "after recovery" : "after recovery, seen to by run " + host.by;
}

/// It is in rotation, by whomever let it in.
bool is_given_back(const HostSince& host) {
  return host.seen_to == SeenTo::given_back || host.seen_to == SeenTo::unknown ||
         (host.left.given_back && host.left.by_hand);
}

void count(const HostSince& host, const HostEnd& end, Recovered& recovered) {
  if (host.seen_to == SeenTo::vouched) return;  // what it runs is that person's to know
  const auto& name = host.left.host;
  ++recovered.hosts;
  recovered.release_failed = recovered.release_failed || host.left.release_failed;
  recovered.on_new += end.on_new ? 1 : 0;
  if (!end.on_new) recovered.behind.push_back(name);
  if (host.seen_to == SeenTo::unknown) recovered.unknown.push_back(name);
  if (host.seen_to == SeenTo::no && host.left.by_hand) recovered.by_hand.push_back(name);
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

Recovered conclude(const Aftermath& aftermath, const event::RunFinished& finished) {
  Recovered recovered;
  auto summary = nlohmann::json::object();
  for (const auto& host : aftermath.hosts) {
    if (host.left.brought_along) continue;  // by another run, whose it is to say so
    const auto end = end_of(host, finished);
    count(host, end, recovered);
    auto& told = summary[host.left.host] = {{"state", end.state}, {"detail", detail_of(host)}};
    if (is_given_back(host)) told[given_back_key] = aftermath.recoveries;
  }
  recovered.release_failed = recovered.release_failed && !aftermath.went_on;
  recovered.summary_json = nlohmann::json{{"hosts", summary}}.dump();
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
  store.end_run(run.id, recovered.is_open() ? "needs a person" : recovered_outcome,
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
