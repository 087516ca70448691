#include "rotation_detail.hpp"

#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <optional>

/// The way back: what was found is given back, and what cannot be is told.
namespace staithe::haproxy {

using base::Error;
using base::ErrorCode;
using base::Scope;

namespace {

/// What somebody else took out may have been let in again since. Where nobody says, it has not.
Own taken_state(const FoundServer& found, const std::optional<std::vector<ServerState>>& states) {
  if (!states) return own_state(found.admin);
  const auto now =
      std::find_if(states->begin(), states->end(), [&](const auto& state) { return state.ref == found.ref; });
  return now == states->end() ? Own::ready : own_state(now->admin);
}

}  // namespace

std::vector<std::string> Rotation::ready(const Scope& scope) {
  return give_back(scope, false);
}

std::vector<std::string> Rotation::undo(const Scope& scope) {
  return give_back(scope, true);
}

std::vector<std::string> Rotation::give_back(const Scope& scope, bool app_untouched) {
  if (!have_found_ || phase_ == Phase::found) return {};
  begin(Phase::restoring);
  agents_back_ = true;
  std::vector<std::string> left;
  const auto at = [&](Place& place) {
    try {
      give_back_at(place, scope, app_untouched, left);
    } catch (const Error& error) {
      place.lost = error.what();
      tell_left(place, error, scope, left);
    }
  };
  // The way back mirrors the way out.
  if (app_untouched) std::for_each(places_.rbegin(), places_.rend(), at);
  if (!app_untouched) std::for_each(places_.begin(), places_.end(), at);
  return left;
}

/// A refused command does not mean that the others were: what is really out is looked up where that is
/// possible.
void Rotation::tell_left(const Place& place, const Error& error, const Scope& scope,
                         std::vector<std::string>& left) const {
  std::optional<Snapshot> snapshot;
  try {
    if (place.socket != nullptr && !detail::transient(error))
      snapshot = place.socket->snapshot(place.backends, scope);
  } catch (const Error&) {
    // Then nobody knows, and that is what is said below.
  }
  const auto before = left.size();
  for (const auto& entry : place.entries) {
    const auto where = detail::at(place.name, entry.found.ref);
    const auto* state = snapshot ? snapshot->state(entry.found.ref) : nullptr;
    if (!snapshot) {
      left.push_back(where + " may still be out: " + error.what());
    } else if (state != nullptr && !entry.found.follows &&
               own_state(state->admin) != target(entry, Phase::restoring)) {
      left.push_back(where + " is still in " + std::string(name_of(own_state(state->admin))) + ": " +
                     error.what());
    }
  }
  if (left.size() == before) left.emplace_back(error.what());
}

void Rotation::give_back_at(Place& place, const Scope& scope, bool app_untouched,
                            std::vector<std::string>& left) {
  if (place.socket == nullptr) throw Error(ErrorCode::not_found, place.lost);
  // A balancer that was lost, and has not answered since, is tried once more, without patience.
  const bool is_there = place.lost.empty() || place.socket->answered();
  const auto snapshot = is_there ? look_patiently(place, scope) : look_once(place, scope);
  meet(place, snapshot);
  // What another process than before says comes from its files, not from a person, also when this is tried
  // again.
  const bool reloaded = !snapshot.info.same_process(place.process);
  if (reloaded) {
    heed_others(place, snapshot);
    judge_weights(place, snapshot);
    if (!place.lost.empty())
      note(detail::reload_text(place.name, place.process, snapshot.info) + " while nobody could look");
    for (auto& entry : place.entries) entry.ours = detail::any_state;
  }
  place.process = snapshot.info;
  place.lost.clear();
  std::vector<std::string> lines, kicks;
  for (std::size_t k = 0; k < place.entries.size(); ++k) {
    auto& entry = place.entries[k];
    const auto& found = entry.found;
    const auto* state = snapshot.state(found.ref);
    entry.gone = state == nullptr;
    if (entry.gone) {
      note(place.name + ": " + to_text(found.ref) + " does not exist any more");
      continue;
    }
    const Own now = own_state(state->admin);
    const Own to = target(entry, Phase::restoring);
    if (!found.follows) {
      if (now != to && (entry.ours & detail::bit(now)) == 0) {
        const auto text = detail::at(place.name, found.ref) + " was set to " + std::string(name_of(now)) +
                          " by somebody else, and is left so";
        // Whoever had it in maintenance may end that; it was never ours.
        if (to == Own::maint) note(text);
        if (to != Own::maint) left.push_back(text);
        continue;
      }
      // An agent sets weights as well, and will again.
      if (state->weight != found.weight && (found.agent || entry.reset_to == state->weight))
        lines.push_back(command::weight(found.ref, found.weight));
      else if (state->weight != found.weight)
        leave_weight(place, entry, found_at(place).servers[k], *state);
      // Leaving maintenance declares a server UP before any check. That is right only for an app that ran on.
      const bool trusted = app_untouched && (found.op == Op::running || found.op == Op::starting);
      if (now == Own::maint && to == Own::ready && found.checked && !found.tracks && !trusted)
        lines.push_back(command::prove(found.ref));
      if (now != to) lines.push_back(detail::state_command(to, found.ref));
    }
    // A server that leaves a drain takes nothing from its backend's queue, and while visitors wait there no
    // new one goes past them: it would stand idle for as long as the queue lasts. What it is allowed, said
    // again, wakes it.
    const auto* stat = snapshot.stat(found.ref);
    if (to == Own::ready && stat != nullptr && stat->limit > 0)
      kicks.push_back(command::maxconn(found.ref, stat->limit));
    if (found.agent && !state->agent_on()) lines.push_back(command::enable_agent(found.ref));
    entry.ours = static_cast<std::uint8_t>(entry.ours | detail::bit(to));
  }
  patiently(scope, [&] { send(place, lines, scope); });
  for (auto& entry : place.entries) {
    entry.ours = detail::bit(target(entry, Phase::restoring));
    entry.reset_to.reset();
  }
  wake(place, kicks, scope);  // behind the server that another one follows
}

/// What was taken on the balancer, as it is now; none where there is nobody to say it. The host is back all
/// the same.
std::optional<std::vector<ServerState>> Rotation::states_of_taken(Place& place, const Scope& scope) {
  const bool any =
      std::any_of(place.entries.begin(), place.entries.end(), [](const auto& entry) { return entry.theirs; });
  if (!any || place.socket == nullptr) return std::nullopt;
  try {
    return patiently(scope, [&] { return place.socket->servers(scope); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return std::nullopt;
  }
}

TakenByOthers Rotation::taken_by_others(const Scope& scope) {
  TakenByOthers taken;
  taken.everywhere = true;
  for (auto& place : places_) {
    const auto states = states_of_taken(place, scope);
    for (const auto& entry : place.entries) {
      if (entry.found.follows || entry.gone) continue;  // it lets in whom the others let in, or nobody
      const auto now = entry.theirs ? taken_state(entry.found, states) : own_state(entry.found.admin);
      if (now == Own::ready) taken.everywhere = false;
      if (entry.theirs && now != Own::ready)
        taken.servers.push_back(detail::at(place.name, entry.found.ref) + " is " +
                                std::string(detail::out_text(now)));
    }
  }
  taken.everywhere = taken.everywhere && !taken.servers.empty();
  return taken;
}

std::vector<std::string> Rotation::still_out(const Scope& scope) {
  std::vector<std::string> out;
  for (auto& place : places_) {
    if (place.socket == nullptr) continue;
    const auto states = patiently(scope, [&] { return place.socket->servers(scope); });
    for (const auto& state : states)
      for (const auto& entry : place.entries)
        if (state.ref == entry.found.ref && (state.in_maint() || state.in_drain()))
          out.push_back(detail::at(place.name, state.ref));
  }
  return out;
}

/// What a queue does not give a server at once it gives it later: the host is back all the same.
void Rotation::wake(Place& place, const std::vector<std::string>& kicks, const Scope& scope) {
  try {
    patiently(scope, [&] { send(place, kicks, scope); });
  } catch (const Error& error) {
    note(place.name + ": visitors that wait in a queue may not come to it at once: " + error.what());
  }
}

}  // namespace staithe::haproxy
