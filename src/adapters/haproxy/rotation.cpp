#include "staithe/haproxy/rotation.hpp"

#include "rotation_detail.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <set>
#include <utility>

/// The phases on the way out, and the proof: what is sent, and in which order.
namespace staithe::haproxy {

using base::Error;
using base::ErrorCode;
using base::Scope;

namespace {

std::vector<std::string> backends_of(const std::vector<ServerRef>& refs) {
  std::set<std::string> names;
  for (const auto& ref : refs) names.insert(ref.backend);
  return {names.begin(), names.end()};
}

/// True when `ref` tracks, directly or through others, a server that is commanded with it.
bool follows_one_of(const std::vector<ServerRef>& refs, const ServerRef& ref, const Snapshot& snapshot) {
  std::set<ServerRef> seen;
  ServerRef at = ref;
  while (seen.insert(at).second) {
    const auto* stat = snapshot.stat(at);
    if (stat == nullptr || !stat->tracked) return false;
    at = *stat->tracked;
    if (std::find(refs.begin(), refs.end(), at) != refs.end()) return true;
  }
  return false;
}

constexpr base::Duration fresh_look{300};

}  // namespace

std::uint8_t detail::states_up_to(Phase phase, const FoundServer& found) {
  auto set = bit(own_state(found.admin));
  if (own_state(found.admin) == Own::maint) return set;
  if (phase >= Phase::draining) set = static_cast<std::uint8_t>(set | bit(Own::drain));
  // What was given back was proven before, and was in maintenance no more.
  if (phase == Phase::quiescing || phase == Phase::proving)
    set = static_cast<std::uint8_t>(set | bit(Own::maint));
  return set;
}

Rotation::Rotation(std::vector<Seat> seats, RotationOptions options) : options_(options) {
  for (auto& seat : seats) {
    if (seat.socket == nullptr)
      throw Error(ErrorCode::invalid, "a rotation needs a socket for each balancer");
    if (seat.refs.empty()) continue;
    Place place;
    place.socket = seat.socket;
    place.name = seat.socket->name();
    place.backends = backends_of(seat.refs);
    place.refs = std::move(seat.refs);
    places_.push_back(std::move(place));
  }
  if (places_.empty()) throw Error(ErrorCode::not_found, "no balancer has a server to take out");
}

Rotation::Rotation(const std::vector<Socket*>& sockets, Found found, Phase reached, RotationOptions options)
    : options_(options), found_(std::move(found)), phase_(reached), have_found_(true) {
  for (const auto& balancer : found_.balancers) {
    Place place;
    place.name = balancer.balancer;
    const auto socket = std::find_if(sockets.begin(), sockets.end(), [&](const Socket* candidate) {
      return candidate != nullptr && candidate->name() == balancer.balancer;
    });
    if (socket != sockets.end()) place.socket = *socket;
    if (place.socket == nullptr) place.lost = "this balancer is not declared any more";
    for (const auto& server : balancer.servers) {
      place.refs.push_back(server.ref);
      place.entries.push_back({server, detail::states_up_to(reached, server), false, false, {}});
    }
    place.backends = backends_of(place.refs);
    place.process.pid = balancer.pid;
    place.process.started = balancer.started;
    places_.push_back(std::move(place));
  }
}

void Rotation::require_found() const {
  if (!have_found_)
    throw Error(ErrorCode::invalid, "nothing was looked at yet: find() comes before any change");
}

void Rotation::require_socket(const Place& place) {
  if (place.socket == nullptr) throw Error(ErrorCode::not_found, place.name + ": " + place.lost);
}

void Rotation::note(std::string text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(std::move(text));
}

std::vector<std::string> Rotation::take_notes() {
  return std::exchange(notes_, {});
}

const Found& Rotation::find(const Scope& scope) {
  if (phase_ != Phase::found)
    throw Error(ErrorCode::invalid, "what was found before a drain is found only once");
  found_ = {};
  for (auto& place : places_) {
    const auto snapshot = look_patiently(place, scope, Socket::Tables::ask);
    place.process = snapshot.info;
    place.entries.clear();
    FoundBalancer balancer{place.name, snapshot.info.pid, snapshot.info.started, {}};
    for (const auto& ref : place.refs) {
      const auto* state = snapshot.state(ref);
      const auto* stat = snapshot.stat(ref);
      if (state == nullptr || stat == nullptr)
        throw Error(ErrorCode::not_found, place.name + ": there is no server " + to_text(ref));
      FoundServer server{ref,
                         state->admin,
                         state->op,
                         state->weight,
                         state->checked(),
                         state->agent_on(),
                         follows_one_of(place.refs, ref, snapshot),
                         stat->tracked.has_value(),
                         state->initial_weight};
      if (!stat->cookie.empty()) persistent_ = true;
      place.entries.push_back({server, detail::bit(own_state(server.admin)), false, false, {}});
      balancer.servers.push_back(std::move(server));
    }
    for (const auto& table : snapshot.tables)
      if (std::find(place.backends.begin(), place.backends.end(), table.name) != place.backends.end())
        persistent_ = true;
    found_.balancers.push_back(std::move(balancer));
  }
  have_found_ = true;
  return found_;
}

/// What was found in maintenance is somebody else's and stays there throughout.
Own Rotation::target(const Entry& entry, Phase phase) const noexcept {
  const Own before = own_state(entry.found.admin);
  if (before == Own::maint) return Own::maint;
  switch (phase) {
    case Phase::found:
    case Phase::restoring:
      return before;
    case Phase::draining:
    case Phase::proving:
      return Own::drain;
    case Phase::quiescing:
      return Own::maint;
  }
  return before;
}

std::vector<std::string> Rotation::lines_for(const Place& place, Phase phase) const {
  std::vector<std::string> agents;
  std::vector<std::string> states;
  for (const auto& entry : place.entries) {
    if (entry.found.follows || entry.gone) continue;
    const auto& ref = entry.found.ref;
    const Own to = target(entry, phase);
    // Only what may be in another state is commanded: a drain of a server that is drained is noise in the
    // balancer's log, and one in maintenance would be let out by it.
    const bool is_there = entry.ours == detail::bit(to) && !place.reloaded;
    const bool provable = entry.found.checked && !entry.found.tracks && to == Own::drain;
    const bool agent_speaks = phase == Phase::draining || place.reloaded || agents_back_;
    if (entry.found.agent && agent_speaks && to != Own::ready) agents.push_back(command::disable_agent(ref));
    if (phase == Phase::proving && provable) {
      states.push_back(command::prove(ref));
    } else if (!is_there) {
      states.push_back(detail::state_command(to, ref));
    }
  }
  agents.insert(agents.end(), states.begin(), states.end());
  return agents;
}

void Rotation::send(Place& place, const std::vector<std::string>& lines, const Scope& scope) {
  if (!lines.empty()) place.socket->commands(lines, scope);
}

/// Commands the phase's state on one balancer. While the answer is out, both the old and the new state may
/// be ours.
void Rotation::apply(Place& place, Phase phase, const Scope& scope) {
  const auto lines = lines_for(place, phase);
  for (auto& entry : place.entries)
    entry.ours = static_cast<std::uint8_t>(entry.ours | detail::bit(target(entry, phase)));
  patiently(scope, [&] { send(place, lines, scope); });
  for (auto& entry : place.entries) entry.ours = detail::bit(target(entry, phase));
}

void Rotation::begin(Phase phase) {
  require_found();
  phase_ = phase;
}

/// An agent's answer that was on its way when it was switched off may still be applied.
void Rotation::settle_agents(Place& place, Phase phase, const Scope& scope) {
  if (std::none_of(place.entries.begin(), place.entries.end(),
                   [](const auto& entry) { return entry.found.agent; }))
    return;
  constexpr int attempts = 5;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    detail::pause(options_.poll, scope, "switching the agent checks off");
    const auto snapshot = look_patiently(place, scope);
    std::vector<std::string> again;
    for (const auto& entry : place.entries) {
      const auto* state = snapshot.state(entry.found.ref);
      if (state == nullptr || !entry.found.agent || entry.found.follows) continue;
      const Own to = target(entry, phase);
      if (own_state(state->admin) != to) again.push_back(detail::state_command(to, entry.found.ref));
    }
    if (again.empty()) return;
    patiently(scope, [&] { send(place, again, scope); });
  }
}

void Rotation::drain(const Scope& scope) {
  require_found();
  // From maintenance, or with an app that may be down, a drain would let persistent visitors in.
  if (phase_ == Phase::quiescing || phase_ == Phase::proving)
    throw Error(ErrorCode::invalid, "these servers are further than a drain already");
  begin(Phase::draining);
  for (auto& place : places_) require_socket(place);
  for (auto& place : places_) apply(place, Phase::draining, scope);
  for (auto& place : places_) settle_agents(place, Phase::draining, scope);
}

void Rotation::quiesce(const Scope& scope) {
  require_found();
  begin(Phase::quiescing);
  for (auto& place : places_) require_socket(place);
  for (auto& place : places_) {
    apply(place, Phase::quiescing, scope);
    place.lost.clear();
  }
  if (std::exchange(agents_back_, false))
    for (auto& place : places_) settle_agents(place, Phase::quiescing, scope);
}

FoundBalancer& Rotation::found_at(const Place& place) {
  return found_.balancers[static_cast<std::size_t>(&place - places_.data())];
}

/// From here on that is its process, and one that knows.
void Rotation::meets(Place& place, const Info& process) {
  place.process = process;
  found_at(place).pid = process.pid;
  found_at(place).started = process.started;
}

const Found& Rotation::find_again(const Scope& scope) {
  require_found();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    auto& place = places_[i];
    require_socket(place);
    const auto snapshot = look(place, scope);
    place.lost.clear();
    for (std::size_t k = 0; k < place.entries.size(); ++k)
      if (const auto* state = snapshot.state(place.entries[k].found.ref); state != nullptr)
        take_over(place, place.entries[k], found_.balancers[i].servers[k], *state, Surely::yes);
  }
  return found_;
}

void Rotation::close_sessions(const Scope& scope) {
  require_found();
  for (auto& place : places_) {
    require_socket(place);
    std::vector<std::string> lines;
    for (const auto& entry : place.entries)
      if (!entry.gone && own_state(entry.found.admin) != Own::maint)
        lines.push_back(command::close_sessions(entry.found.ref));
    patiently(scope, [&] { send(place, lines, scope); });
    close_old_sessions(place, scope);
  }
}

void Rotation::close_old_sessions(Place& place, const Scope& scope) {
  if (!place.socket->has_master()) return;
  for (const auto& worker : place.socket->workers(scope)) {
    if (!worker.old) continue;
    for (const auto& session : place.socket->worker_sessions(worker.pid, scope))
      if (std::find(place.refs.begin(), place.refs.end(), session.ref) != place.refs.end())
        place.socket->close_worker_session(worker.pid, session.id, scope);
  }
}

std::vector<std::string> Rotation::left_behind() const {
  std::vector<std::string> names;
  for (const auto& place : places_)
    if (place.socket != nullptr && !place.lost.empty()) names.push_back(place.name);
  return names;
}

void Rotation::lose(Place& place, const Error& error) {
  place.lost = error.what();
  note("left behind: " + place.lost);
}

void Rotation::prove(const Scope& scope) {
  require_found();
  std::string last;
  bool any = false;
  for (auto& place : places_) {
    if (place.socket == nullptr) continue;
    try {
      // Looking first puts maintenance back where a reload has forgotten it, and refuses what is not ours.
      // What was seen a moment ago, by whoever watches meanwhile, is as good: the commands take longer.
      const bool seen = place.lost.empty() && std::chrono::steady_clock::now() - place.verified < fresh_look;
      if (phase_ != Phase::proving && !seen)
        verify(place, look(place, scope));
      else if (place.unmet)
        look(place, scope);
      place.lost.clear();
      any = true;
    } catch (const Error& error) {
      if (!detail::balancer_lost(error, scope)) throw;
      lose(place, error);
      last = error.what();
    }
  }
  if (!any) throw Error(ErrorCode::connect, last.empty() ? "no balancer is known" : last);
  begin(Phase::proving);
  for (auto& place : places_) {
    if (!place.lost.empty()) continue;
    try {
      apply(place, Phase::proving, scope);
    } catch (const Error& error) {
      if (!detail::balancer_lost(error, scope)) throw;
      lose(place, error);
    }
  }
}

}  // namespace staithe::haproxy
