#include "rotations.hpp"

#include "wanted.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/match.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::world {
namespace {

/// Persistent visitors never leave a drained server by themselves: no use waiting long for them.
constexpr base::Duration persistent_patience{10'000};
constexpr base::Duration after_closing{10'000};
/// Servers get other addresses with a reload, which takes longer than this.
constexpr base::Duration guarded_lasts{1'000};

/// What cannot be read is of another build: who was told by it nobody knows then.
std::vector<haproxy::Found> all_told(const std::vector<std::string>& texts) {
  std::vector<haproxy::Found> told;
  for (const auto& text : texts) {
    try {
      told.push_back(haproxy::parse_found(text));
    } catch (const base::Error&) {
      continue;
    }
  }
  return told;
}

haproxy::OnProgress reporter(exec::Performance& performance) {
  return [&performance](const haproxy::RotationProgress& progress) {
    event::Progress event;
    event.text = progress.text;
    event.done = progress.sessions;
    event.unit = "sessions";
    performance.progress(event);
  };
}

}  // namespace

Rotations::Rotations(const plan::Plan& plan, const DialBalancer& dial, ToldAnew told_anew)
    : plan_(plan), roles_(rotation_roles(plan)), told_anew_(std::move(told_anew)) {
  for (const auto& balancer : plan.balancers)
    sockets_[balancer.name] = std::make_unique<haproxy::Socket>(
        balancer.name, dial(balancer, SocketKind::admin),
        balancer.master_socket.empty() ? haproxy::Dial{} : dial(balancer, SocketKind::master));
}

Rotations::~Rotations() {
  stop_keeper_.request();
}

Rotations::HostRotation& Rotations::of(const std::string& host) {
  const std::lock_guard lock(mutex_);
  auto& entry = hosts_[host];
  if (!entry) entry = std::make_unique<HostRotation>();
  return *entry;
}

std::vector<std::pair<std::string, Rotations::HostRotation*>> Rotations::all_hosts() {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, HostRotation*>> all;
  for (const auto& [host, entry] : hosts_) all.emplace_back(host, entry.get());
  return all;
}

std::vector<haproxy::Rotation::Seat> Rotations::seats(const std::string& host, const base::Scope& scope) {
  std::vector<haproxy::View> views;
  for (const auto& balancer : plan_.balancers)
    views.push_back({balancer.name, sockets_.at(balancer.name)->servers(scope)});
  return seats(host, views);
}

std::vector<haproxy::Rotation::Seat> Rotations::seats(const std::string& host,
                                                      const std::vector<haproxy::View>& views) {
  std::vector<haproxy::Rotation::Seat> seats;
  for (const auto& balancer : plan_.balancers) seats.push_back({sockets_.at(balancer.name).get(), {}});
  for (const auto& pair : haproxy::match(wanted_of(plan_.hosts.at(host)), views))
    for (auto& seat : seats)
      if (seat.socket->name() == pair.balancer) seat.refs.push_back(pair.ref);
  std::erase_if(seats, [](const auto& seat) { return seat.refs.empty(); });
  return seats;
}

std::unique_ptr<haproxy::Rotation> Rotations::fresh(const std::string& host, const base::Scope& scope) {
  return std::make_unique<haproxy::Rotation>(seats(host, scope));
}

void Rotations::take(const std::string& host, HostRotation& entry,
                     std::unique_ptr<haproxy::Rotation> rotation) const {
  entry.rotation = std::move(rotation);
  if (told_anew_)
    entry.rotation->when_told_anew(
        [this, host](const haproxy::Found& found) { told_anew_(host, haproxy::to_text(found)); });
}

void Rotations::adopt(const std::string& host, const std::string& found, bool keep_out,
                      const std::optional<LastKnown>& known) {
  std::vector<haproxy::Socket*> sockets;
  for (const auto& [name, socket] : sockets_) sockets.push_back(socket.get());
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  const bool was_let_in = known && known->reached == Reached::let_in;
  const auto phase = was_let_in ? haproxy::Phase::restoring : haproxy::Phase::proving;
  entry.found = haproxy::parse_found(found);
  take(host, entry, std::make_unique<haproxy::Rotation>(sockets, entry.found, phase));
  if (known) entry.rotation->expect_others({known->reached == Reached::in_maint, all_told(known->told)});
  entry.keep = keep_out ? Keep::if_still_out : Keep::no;
  entry.untouched = !keep_out;
}

void Rotations::take_in_hand(HostRotation& entry) {
  entry.keep = Keep::yes;
  entry.untouched = false;
  entry.serves_already.reset();
}

void Rotations::drain(const std::string& host, HostRotation& entry, exec::Performance& performance) {
  if (entry.rotation) {
    // Taken out before, by this run or by a dead one, and not given back: what was found then is what must be
    // given back in the end, but where somebody else has commanded since. Going back to a mere drain would
    // let visitors in.
    entry.found = entry.rotation->find_again(performance.scope);
    performance.note(found_key, haproxy::to_text(entry.found));
    entry.rotation->quiesce(performance.scope);
    return;
  }
  auto known = std::exchange(entry.guarded, std::nullopt);
  const bool still = known && std::chrono::steady_clock::now() - entry.guarded_at < guarded_lasts;
  auto rotation =
      still ? std::make_unique<haproxy::Rotation>(std::move(*known)) : fresh(host, performance.scope);
  // Durable before the first command: recovery gives back what stands here.
  performance.note(found_key, haproxy::to_text(rotation->find(performance.scope)));
  entry.found = rotation->found();
  take(host, entry, std::move(rotation));
  entry.rotation->drain(performance.scope);
  tell_out_before(entry, performance);
}

/// What was found out of rotation stays so, which is news only where the look before the run did not say it.
void Rotations::tell_out_before(const HostRotation& entry, exec::Performance& performance) {
  for (const auto& balancer : entry.found.balancers)
    for (const auto& server : balancer.servers) {
      const auto own = haproxy::own_state(server.admin);
      const auto told = entry.told_out.find({balancer.balancer, server.ref});
      if (own == haproxy::Own::ready || (told != entry.told_out.end() && told->second == own)) continue;
      performance.message(
          event::Level::warning,
          fmt::format("{} {} was {} before, and stays so", balancer.balancer, haproxy::to_text(server.ref),
                      own == haproxy::Own::maint ? "in maintenance" : "drained"));
    }
}

void Rotations::note_found(HostRotation& entry, exec::Performance& performance) {
  if (entry.found.balancers.empty() || entry.rotation->found() == entry.found) return;
  entry.found = entry.rotation->found();
  performance.note(found_key, haproxy::to_text(entry.found));
}

/// Maintenance ends everywhere by it but where a balancer does not answer: whoever comes later must know.
void Rotations::prove(HostRotation& entry, exec::Performance& performance) {
  entry.rotation->prove(performance.scope);
  if (const auto names = entry.rotation->left_behind(); !names.empty())
    performance.note(left_behind_key, base::join(names, ", "));
}

exec::EffectResult Rotations::change(const plan::ChangeRotation& effect, exec::Performance& performance) {
  using To = plan::ChangeRotation::To;
  auto& entry = of(effect.host);
  const bool alone =
      (effect.to == To::prove || effect.to == To::ready) && serves_already(effect.host, performance);
  const std::lock_guard lock(entry.mutex);
  if (alone && (effect.to == To::prove || !entry.rotation)) return done("serves already");
  if (effect.to == To::ready || effect.to == To::undo) return give_back(effect, entry, performance);
  start_keeper();
  take_in_hand(entry);
  // Only an operator's restore begins with a proof: of a host that no drain of ours is known for.
  if (effect.to == To::prove && !entry.rotation) take_as_ready(effect.host, entry, performance);
  if (effect.to == To::drain) {
    drain(effect.host, entry, performance);
  } else if (!entry.rotation) {
    return not_done(event::Outcome::failed, "not drained by this run");
  } else if (effect.to == To::maint) {
    note_found(entry, performance);  // of a process that was reloaded, whoever goes on knows that it was told
    entry.rotation->quiesce(performance.scope);
  } else if (effect.to == To::prove) {
    prove(entry, performance);
  } else {
    entry.rotation->close_sessions(performance.scope);
  }
  note_found(entry, performance);
  tell_notes(*entry.rotation, performance);
  return done();
}

exec::EffectResult Rotations::await_calm(const plan::AwaitRotation& effect, HostRotation& entry,
                                         exec::Performance& performance) {
  auto& rotation = *entry.rotation;
  using AtDeadline = plan::AwaitRotation::AtDeadline;
  const bool impatient = effect.at_deadline == AtDeadline::go_on && rotation.persistent();
  const auto scope = impatient ? performance.scope.at_most(persistent_patience) : performance.scope;
  const auto calm = rotation.wait_calm(scope, reporter(performance));
  if (calm.reached) return done();
  if (effect.at_deadline == AtDeadline::go_on) return done("going on to maintenance with " + calm.busy);
  if (effect.at_deadline == AtDeadline::fail)
    return not_done(event::Outcome::timed_out, "still busy: " + calm.busy);
  const auto closing = base::Scope::lasting(after_closing, performance.scope.cancel);
  performance.message(event::Level::warning, "closing sessions at the deadline: " + calm.busy);
  rotation.close_sessions(closing);
  const auto after = rotation.wait_calm(closing, reporter(performance));
  if (after.reached) return done("sessions closed at the deadline: " + calm.busy);
  return not_done(event::Outcome::timed_out, "still busy after closing sessions: " + after.busy);
}

exec::EffectResult Rotations::await(const plan::AwaitRotation& effect, exec::Performance& performance) {
  using Until = plan::AwaitRotation::Until;
  auto& entry = of(effect.host);
  const std::lock_guard lock(entry.mutex);
  if (!entry.rotation) return done("was not taken out");
  if (!entry.trouble.empty()) performance.message(event::Level::warning, std::exchange(entry.trouble, {}));
  exec::EffectResult result = done();
  if (effect.until == Until::calm) {
    result = await_calm(effect, entry, performance);
  } else if (effect.until == Until::proven) {
    if (entry.serves_already.value_or(false)) return done("serves already");
    entry.rotation->wait_proven(performance.scope, reporter(performance));
  } else {
    return await_serving(effect, entry, performance);
  }
  tell_notes(*entry.rotation, performance);
  return result;
}

exec::EffectResult Rotations::await_serving(const plan::AwaitRotation& effect, HostRotation& entry,
                                            exec::Performance& performance) {
  const auto baked =
      entry.rotation->wait_serving(performance.scope, effect.bake, reporter(performance), performance.hurry);
  tell_notes(*entry.rotation, performance);
  if (effect.in_service)
    if (const auto out = entry.rotation->still_out(performance.scope); !out.empty())
      return not_done(event::Outcome::failed,
                      "given back as found, which is out of rotation: " + base::join(out, ", "));
  exec::EffectResult result = done();
  if (baked < effect.bake)
    result.detail = fmt::format("baked {} of {}", base::elapsed_text(baked), base::to_text(effect.bake));
  if (const auto taken = entry.rotation->taken_by_others(performance.scope); !taken.servers.empty()) {
    const auto theirs = "stays out, not by staithe: " + base::join(taken.servers, ", ");
    // Said once: where it is all of them, as the reason why the host is out.
    if (taken.everywhere)
      result.kept_out = theirs;
    else
      result.detail += (result.detail.empty() ? "" : "; ") + theirs;
  }
  entry.rotation.reset();
  reservations_.give_back(effect.host);
  return result;
}

}  // namespace staithe::world
