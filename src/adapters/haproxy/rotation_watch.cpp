#include "rotation_detail.hpp"

#include "staithe/base/elapsed.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

/// The looks between the phases: waits, reloads, and what somebody else did.
namespace staithe::haproxy {

using base::Error;
using base::ErrorCode;
using base::Scope;

namespace {

/// What one balancer may cost a look that is made all the time.
constexpr base::Duration each_within{1'000};
/// One that was left behind is asked again after a few times what it has just cost, within these.
constexpr base::Duration soonest_again{200};
constexpr base::Duration latest_again{4'000};
constexpr int again_after = 4;

}  // namespace

namespace detail {

void pause(base::Duration duration, const Scope& scope, const char* what) {
  if (base::sleep_for(duration, scope) != base::Woke::ready) scope.check(what);
}

bool transient(const Error& error) {
  switch (error.code()) {
    case ErrorCode::connect:
    case ErrorCode::io:
    case ErrorCode::timeout:
    case ErrorCode::channel_denied:
    case ErrorCode::reset_before_auth:
    case ErrorCode::unavailable:
      return true;
    default:
      return false;
  }
}

bool balancer_lost(const Error& error, const Scope& scope) {
  return transient(error) && !scope.expired() && !scope.cancelled();
}

}  // namespace detail

Snapshot Rotation::look_once(Place& place, const Scope& scope, Socket::Tables tables) {
  auto snapshot = place.socket->snapshot(place.backends, scope, tables);
  // A process on its way out answers, but is not the one that visitors reach.
  if (snapshot.info.stopping)
    throw Error(ErrorCode::unavailable, place.name + ": this HAProxy process is stopping");
  return snapshot;
}

Snapshot Rotation::look_patiently(Place& place, const Scope& scope, Socket::Tables tables) {
  return patiently(scope, [&] { return look_once(place, scope, tables); });
}

/// A snapshot of a process that knows the phase's state: after a reload it is told first.
Snapshot Rotation::look(Place& place, const Scope& scope) {
  constexpr int reloads_at_most = 10;
  for (int reloads = 0; reloads < reloads_at_most; ++reloads) {
    auto snapshot = look_patiently(place, scope);
    meet(place, snapshot);
    if (snapshot.info.same_process(place.process)) return snapshot;
    notice_reload(place, snapshot, scope);
  }
  throw Error(ErrorCode::failed, place.name + ": HAProxy is reloaded again and again");
}

void Rotation::notice_reload(Place& place, const Snapshot& snapshot, const Scope& scope) {
  for (auto& entry : place.entries) {
    entry.gone = snapshot.state(entry.found.ref) == nullptr;
    if (entry.gone && phase_ < Phase::proving)
      throw Error(ErrorCode::not_found, place.name + ": after a reload there is no server " +
                                            to_text(entry.found.ref) + " any more");
  }
  heed_others(place, snapshot);
  judge_weights(place, snapshot);
  // From here on it is told, also where its answer gets lost.
  if (!was_told(place, snapshot.info)) place.told.emplace_back(snapshot.info.pid, snapshot.info.started);
  // Whatever else it says now comes from its files as well, and nobody meant that.
  place.reloaded = true;
  for (auto& entry : place.entries) entry.ours = detail::any_state;
  apply(place, phase_, scope);
  place.reloaded = false;
  set_weights_again(place, scope);
  std::vector<std::string> names;
  for (const auto& ref : place.refs) names.push_back(to_text(ref));
  note(detail::reload_text(place.name, place.process, snapshot.info) + "; the state of " +
       base::join(names, ", ") + " was set again");
  if (!place.socket->has_master())
    note(place.name +
         ": sessions of the process before the reload cannot be counted without a master socket");
  meets(place, snapshot.info);
  if (told_anew_) told_anew_(found_);
}

/// Throws Error{conflict} when a server is in a state that this rotation did not give it.
void Rotation::verify(Place& place, const Snapshot& snapshot) {
  for (auto& entry : place.entries) {
    const auto& found = entry.found;
    const auto* state = snapshot.state(found.ref);
    entry.gone = state == nullptr;
    if (entry.gone) {
      if (phase_ < Phase::proving)
        throw Error(ErrorCode::not_found,
                    place.name + ": there is no server " + to_text(found.ref) + " any more");
      note(place.name + ": " + to_text(found.ref) + " does not exist any more");
      continue;
    }
    const bool out = state->in_maint() || state->in_drain();
    if (found.follows) {
      if (!out && target(entry, phase_) != Own::ready)
        throw Error(ErrorCode::conflict,
                    detail::at(place.name, found.ref) + " does not follow the server it tracks");
      continue;
    }
    const Own now = own_state(state->admin);
    if ((entry.ours & detail::bit(now)) == 0)
      throw Error(ErrorCode::conflict,
                  detail::at(place.name, found.ref) + " was set to " + std::string(name_of(now)) +
                      " by somebody else; it had been set to " + std::string(name_of(target(entry, phase_))));
  }
  place.verified = std::chrono::steady_clock::now();
}

void Rotation::add_loads(Place& place, const Snapshot& snapshot, std::map<std::string, Load>& loads,
                         const Scope& scope) {
  const auto process = place.name + " (" + std::to_string(snapshot.info.pid) + ") ";
  for (const auto& entry : place.entries)
    if (const auto* stat = snapshot.stat(entry.found.ref); stat != nullptr)
      loads[process + to_text(entry.found.ref)] = {stat->sessions, stat->queued, stat->total_sessions,
                                                   stat->chosen};
  if (place.socket->has_master()) patiently(scope, [&] { add_old_workers(place, loads, scope); });
}

void Rotation::add_old_workers(Place& place, std::map<std::string, Load>& loads, const Scope& scope) {
  for (const auto& worker : place.socket->workers(scope)) {
    if (!worker.old) continue;
    const auto process = place.name + " (old worker " + std::to_string(worker.pid) + ") ";
    for (const auto& backend : place.backends)
      for (const auto& stat : place.socket->worker_stats(worker.pid, backend, scope))
        if (!stat.is_backend && std::find(place.refs.begin(), place.refs.end(), stat.ref) != place.refs.end())
          loads[process + to_text(stat.ref)] = {stat.sessions, stat.queued, stat.total_sessions, stat.chosen};
  }
}

namespace {

RotationProgress progress_of(const std::map<std::string, Load>& loads) {
  RotationProgress progress;
  std::vector<std::string> parts;
  for (const auto& [key, load] : loads) {
    progress.sessions += load.sessions;
    progress.queued += load.queued;
    if (load.sessions + load.queued > 0)
      parts.push_back(key + ' ' + std::to_string(load.sessions + load.queued));
  }
  const auto total = progress.sessions + progress.queued;
  progress.text = std::to_string(total) + (total == 1 ? " session" : " sessions");
  if (!parts.empty()) progress.text += ": " + base::join(parts, ", ");
  return progress;
}

}  // namespace

Calm Rotation::wait_calm(const Scope& scope, const OnProgress& progress) {
  require_found();
  CalmDetector detector(options_.calm_polls);
  std::string busy = "nothing was seen yet";
  try {
    for (;;) {
      std::map<std::string, Load> loads;
      for (auto& place : places_) {
        require_socket(place);
        const auto snapshot = look(place, scope);
        verify(place, snapshot);
        add_loads(place, snapshot, loads, scope);
      }
      detector.feed(loads);
      const auto now = progress_of(loads);
      if (progress) progress(now);
      if (detector.calm()) return {true, ""};
      busy = now.sessions + now.queued > 0 ? now.text : "visitors still come and go";
      detail::pause(options_.poll, scope, "the drain");
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout || !scope.expired()) throw;
    return {false, busy};
  }
}

std::vector<std::string> Rotation::unproven(Place& place, const Scope& scope) {
  const auto snapshot = look(place, scope);
  verify(place, snapshot);
  std::vector<std::string> waiting;
  for (const auto& entry : place.entries) {
    if (entry.gone || target(entry, phase_) == Own::maint) continue;
    const auto* state = snapshot.state(entry.found.ref);
    if (state != nullptr && (state->op == Op::starting || state->op == Op::running)) continue;
    const auto* stat = snapshot.stat(entry.found.ref);
    std::string text = detail::at(place.name, entry.found.ref) + " is " +
                       (state != nullptr && state->op == Op::stopping ? "stopping" : "DOWN");
    if (stat != nullptr && !stat->check_status.empty()) {
      text += " (" + stat->check_status;
      if (!stat->last_check.empty()) text += ", " + stat->last_check;
      text += ")";
    }
    waiting.push_back(std::move(text));
  }
  return waiting;
}

namespace {

/// What the last whole look of a wait found wrong. It is what a deadline tells, even one that strikes in the
/// middle of the next look; but a HAProxy that has fallen silent before does not say it any more.
class LastLook {
 public:
  explicit LastLook(base::Duration silent_after) : silent_after_(silent_after) {}

  void found(std::vector<std::string> wrong) {
    wrong_ = std::move(wrong);
    at_ = std::chrono::steady_clock::now();
  }
  bool all_well() const noexcept { return wrong_.empty(); }
  std::string text(std::string_view between = "; ") const { return base::join(wrong_, between); }

  /// Called while `error` is handled.
  [[noreturn]] void tell(const Error& error, const Scope& scope) const {
    if (error.code() != ErrorCode::timeout || !scope.expired() || all_well()) throw;
    if (std::chrono::steady_clock::now() - at_ < silent_after_) throw Unwell(ErrorCode::timeout, text());
    throw Error(ErrorCode::timeout, std::string(error.what()) + "; before that, " + text());
  }

 private:
  base::Duration silent_after_;
  std::vector<std::string> wrong_;
  base::SteadyTime at_{};
};

}  // namespace

/// Nothing is proven by balancers of which none answers.
void Rotation::require_any() const {
  for (const auto& place : places_)
    if (place.socket != nullptr && place.lost.empty()) return;
  throw Error(ErrorCode::connect, places_.empty() ? "no balancer is known" : places_.back().lost);
}

/// What was left behind is as it was until it comes back as another process, which lets visitors in to
/// whatever the app is then. Throws only Error{cancelled}.
void Rotation::hold_lost(Place& place, const Scope& scope, const Glance& glance) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  if (place.socket == nullptr || began < place.ask_lost_at) return;
  const detail::NoPatience at_once(options_);
  try {
    const Info now = glance(*place.socket);
    if (!now.stopping && !now.same_process(place.process)) look(place, scope.at_most(each_within));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    if (!detail::transient(error)) note(place.name + ": " + error.what());
  }
  const auto ended = Clock::now();
  const auto took = std::chrono::duration_cast<base::Duration>(ended - began);
  place.ask_lost_at = ended + std::clamp(took * again_after, soonest_again, latest_again);
}

void Rotation::wait_proven(const Scope& scope, const OnProgress& progress) {
  require_found();
  LastLook last(options_.silent_after);
  const auto glance = [&](Socket& socket) { return socket.info(scope.at_most(each_within)); };
  for (;;) {
    try {
      std::vector<std::string> now;
      for (auto& place : places_) {
        if (!place.lost.empty()) hold_lost(place, scope, glance);
        if (place.socket == nullptr || !place.lost.empty()) continue;
        try {
          const auto more = unproven(place, scope);
          now.insert(now.end(), more.begin(), more.end());
        } catch (const Error& error) {
          if (!detail::balancer_lost(error, scope)) throw;
          lose(place, error);
        }
      }
      require_any();
      last.found(std::move(now));
      if (last.all_well()) return;
      if (progress) progress({0, 0, last.text(", ")});
      detail::pause(options_.poll, scope, "the health checks");
    } catch (const Error& error) {
      last.tell(error, scope);
    }
  }
}

/// Servers that took visitors when they were found and do not now, with the reason.
std::vector<std::string> Rotation::not_serving(Place& place, const Scope& scope) {
  const auto snapshot = look(place, scope);
  std::vector<std::string> waiting;
  for (auto& entry : place.entries) {
    const auto* state = snapshot.state(entry.found.ref);
    if (state == nullptr || !entry.found.was_ready() || state->usable()) continue;
    const auto* stat = snapshot.stat(entry.found.ref);
    const auto where = detail::at(place.name, entry.found.ref);
    if (!entry.found.follows && !entry.found.agent &&
        (entry.ours & detail::bit(own_state(state->admin))) == 0)
      throw Error(
          ErrorCode::conflict,
          where + " was set to " + std::string(name_of(own_state(state->admin))) + " by somebody else");
    std::string text =
        where + " is " + (stat != nullptr && !stat->status.empty() ? stat->status : "not serving");
    if (stat != nullptr && !stat->check_status.empty()) text += " (" + stat->check_status + ")";
    waiting.push_back(std::move(text));
  }
  return waiting;
}

base::Duration Rotation::wait_serving(const Scope& scope, base::Duration bake, const OnProgress& progress,
                                      const base::Cancel* hurry) {
  require_found();
  require_any();
  LastLook last(options_.silent_after);
  std::optional<base::SteadyTime> since;
  for (;;) {
    try {
      std::vector<std::string> now;
      for (auto& place : places_) {
        if (place.socket == nullptr || !place.lost.empty()) continue;
        const auto more = not_serving(place, scope);
        now.insert(now.end(), more.begin(), more.end());
      }
      last.found(std::move(now));
      if (since && !last.all_well())
        throw Unwell(ErrorCode::failed, "after it was restored, " + last.text(", "));
      if (last.all_well() && !since) since = std::chrono::steady_clock::now();
      if (since && base::since(*since) >= bake) return bake;
      if (since && hurry != nullptr && hurry->requested()) return base::since(*since);
      if (progress) progress({0, 0, last.all_well() ? "serving" : last.text(", ")});
      detail::pause(options_.poll, scope, "serving again");
    } catch (const Error& error) {
      last.tell(error, scope);
    }
  }
}

std::optional<bool> Rotation::keeps_all_out(const Scope& scope, const Glance& glance) {
  require_found();
  std::optional<Error> last;
  bool any = false;
  for (auto& place : places_) {
    any = any || place.seen_out;
    if (place.socket == nullptr || place.seen_out) continue;
    try {
      (void)glance(*place.socket);
      const auto snapshot = place.socket->snapshot(place.backends, scope.at_most(each_within));
      any = true;
      for (const auto& entry : place.entries)
        if (const auto* state = snapshot.state(entry.found.ref);
            state != nullptr && entry.found.was_ready() && !state->in_maint() && !state->in_drain())
          return false;
      place.seen_out = true;
    } catch (const Error& error) {
      last = error;
    }
  }
  if (!any && last) throw Error(*last);
  return last ? std::nullopt : std::optional(true);
}

void Rotation::reassert_at(Place& place, const Scope& scope, base::Duration whole_look,
                           const Glance& glance) {
  // One that answers is asked for all in one exchange, behind which a phase may wait for its turn. Of one
  // that does not, a glance is taken first: it costs a second for all hosts together, not for each.
  const bool due = std::chrono::steady_clock::now() - place.verified >= whole_look;
  if (!due || !place.socket->answered()) {
    // A connection that was opened before a reload may end at the process that is on its way out.
    const Info now = glance(*place.socket);
    if (!due && now.same_process(place.process) && !now.stopping) return;
  }
  verify(place, look(place, scope));
}

std::vector<std::string> Rotation::reassert(const Scope& scope, base::Duration whole_look,
                                            const Glance& glance, Where where) {
  require_found();
  const auto before = notes_.size();
  // A balancer that is away must not keep the others from being looked at.
  const detail::NoPatience at_once(options_);
  std::optional<Error> first;
  for (auto& place : places_) {
    if (place.socket == nullptr || (where == Where::seen_out && !place.seen_out)) continue;
    try {
      if (place.lost.empty())
        reassert_at(place, scope.at_most(each_within), whole_look, glance);
      else
        hold_lost(place, scope, glance);
    } catch (const Error& error) {
      if (!first) first = error;
    }
  }
  if (first) throw Error(*first);
  return {notes_.begin() + static_cast<std::ptrdiff_t>(before), notes_.end()};
}

}  // namespace staithe::haproxy
