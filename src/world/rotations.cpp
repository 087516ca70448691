#include "rotations.hpp"

#include "together.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/match.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::world {
namespace {

/// While a host is out: how often its servers are looked at, and how soon after a reload that is noticed. A
/// round over balancers that are far away takes longer, and then pauses longer.
constexpr base::Duration whole_look{200};
constexpr base::Duration shortest_pause{20};
constexpr int pauses_for = 4;  // times what the round took
constexpr base::Duration glance_patience{1'000};
/// Persistent visitors never leave a drained server by themselves: no use waiting long for them.
constexpr base::Duration persistent_patience{10'000};
constexpr base::Duration after_closing{10'000};
constexpr base::Duration reach_patience{2'000};
/// Servers get other addresses with a reload, which takes longer than this.
constexpr base::Duration guarded_lasts{1'000};

std::vector<haproxy::ServerRef> to_refs(const std::vector<plan::ServerRef>& names) {
  std::vector<haproxy::ServerRef> refs;
  for (const auto& name : names) refs.push_back({name.backend, name.server});
  return refs;
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

std::vector<haproxy::View> views_of(const std::map<std::string, haproxy::Snapshot>& looks) {
  std::vector<haproxy::View> views;
  for (const auto& [balancer, look] : looks) views.push_back({balancer, look.states});
  return views;
}

/// How many servers each host's guard will ask for.
std::map<std::string, plan::Amount> guards_of(const plan::Plan& plan) {
  std::map<std::string, plan::Amount> guards;
  const auto take = [&](const plan::Action& action) {
    if (const auto* guard = std::get_if<plan::GuardCapacity>(&action.effect))
      guards.emplace(guard->host, guard->min_available);
  };
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes) {
        if (const auto* bracket = std::get_if<plan::Bracket>(&node))
          std::for_each(bracket->acquire.begin(), bracket->acquire.end(), take);
        else
          take(std::get<plan::Action>(node));
      }
  return guards;
}

/// Hosts whose guard stands before a proof and no drain: a person's restore, and a recovery of one.
std::set<std::string> restored_in(const plan::Plan& plan) {
  std::set<std::string> hosts;
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes)
        if (const auto* action = std::get_if<plan::Action>(&node))
          if (const auto* guard = std::get_if<plan::GuardCapacity>(&action->effect))
            hosts.insert(guard->host);
  return hosts;
}

std::set<std::string> together_with(std::set<std::string> hosts, const std::string& host) {
  hosts.insert(host);
  return hosts;
}

}  // namespace

Rotations::Rotations(const plan::Plan& plan, const DialBalancer& dial)
    : plan_(plan), restored_(restored_in(plan)) {
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

Rotations::Looks Rotations::look_at_all(const base::Scope& scope) {
  Looks looks;
  for (const auto& balancer : plan_.balancers)
    looks.emplace(balancer.name, sockets_.at(balancer.name)->snapshot({}, scope));
  return looks;
}

std::vector<haproxy::Rotation::Seat> Rotations::seats(const std::string& host, const base::Scope& scope) {
  std::vector<haproxy::View> views;
  for (const auto& balancer : plan_.balancers)
    views.push_back({balancer.name, sockets_.at(balancer.name)->servers(scope)});
  return seats(host, views);
}

std::vector<haproxy::Rotation::Seat> Rotations::seats(const std::string& host,
                                                      const std::vector<haproxy::View>& views) {
  const auto& target = plan_.hosts.at(host);
  const haproxy::Wanted wanted{
      host, to_refs(target.servers.names), {target.servers.address}, target.servers.port};
  std::vector<haproxy::Rotation::Seat> seats;
  for (const auto& balancer : plan_.balancers) seats.push_back({sockets_.at(balancer.name).get(), {}});
  for (const auto& pair : haproxy::match(wanted, views))
    for (auto& seat : seats)
      if (seat.socket->name() == pair.balancer) seat.refs.push_back(pair.ref);
  std::erase_if(seats, [](const auto& seat) { return seat.refs.empty(); });
  return seats;
}

std::unique_ptr<haproxy::Rotation> Rotations::fresh(const std::string& host, const base::Scope& scope) {
  return std::make_unique<haproxy::Rotation>(seats(host, scope));
}

void Rotations::adopt(const std::string& host, const std::string& found, bool keep_out) {
  std::vector<haproxy::Socket*> sockets;
  for (const auto& [name, socket] : sockets_) sockets.push_back(socket.get());
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  entry.rotation =
      std::make_unique<haproxy::Rotation>(sockets, haproxy::parse_found(found), haproxy::Phase::proving);
  entry.keep = keep_out ? Keep::if_still_out : Keep::no;
}

exec::EffectResult Rotations::survey(const plan::SurveyRotation& effect, exec::Performance& performance) {
  auto looks = look_at_all(performance.scope);
  haproxy::Rotation rotation(seats(effect.host, views_of(looks)));
  std::string errors = shortage_ahead(effect.host, std::move(looks));
  for (const auto& finding : rotation.survey(performance.scope)) {
    const auto text = fmt::format("{}{}{}: {}", finding.balancer, finding.subject.empty() ? "" : " ",
                                  finding.subject, finding.text);
    if (finding.severity == haproxy::Finding::Severity::error)
      errors += (errors.empty() ? "" : "; ") + text;
    else if (finding.severity == haproxy::Finding::Severity::warning)
      performance.message(event::Level::warning, text);
  }
  return errors.empty() ? done() : not_done(event::Outcome::refused, errors);
}

Rotations::Refs Rotations::refs_of(const std::set<std::string>& hosts,
                                   const std::vector<haproxy::View>& views) {
  Refs refs;
  for (const auto& name : hosts)
    for (const auto& seat : seats(name, views))
      refs[seat.socket->name()].insert(refs[seat.socket->name()].end(), seat.refs.begin(), seat.refs.end());
  return refs;
}

std::string Rotations::shortage_without(const Refs& refs, const plan::Amount& minimum, const Looks& looks) {
  // Balancers and backends mostly agree: what is alike is said once.
  using Names = std::vector<std::string>;
  std::map<std::string, std::map<std::string, Names>> found;  // backends by balancer, by what they lack
  for (const auto& [balancer, gone] : refs) {
    const auto look = looks.find(balancer);
    if (look == looks.end()) continue;  // it does not answer, and is not commanded either
    for (const auto& shortage : haproxy::shortages(look->second, gone, {minimum.value, minimum.percent}))
      found[shortage.text()][balancer].push_back(shortage.backend);
  }
  std::string text;
  for (const auto& [lack, backends_of] : found) {
    std::map<std::string, Names> balancers_of;
    for (const auto& [balancer, backends] : backends_of)
      balancers_of[base::join(backends, ", ")].push_back(balancer);
    for (const auto& [backends, balancers] : balancers_of)
      text +=
          fmt::format("{}{}: {} {}", text.empty() ? "" : "; ", base::fold_names(balancers), backends, lack);
  }
  return text;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): what is in it is moved from
std::string Rotations::shortage_ahead(const std::string& host, Looks looks) {
  const auto guards = guards_of(plan_);
  const auto guard = guards.find(host);
  if (guard == guards.end()) return {};
  std::set<std::string> gone{host};
  // What an operator drains stays out: in the end all of it is gone at once.
  if (plan_.kind == "drain")
    for (const auto& [other, amount] : guards) gone.insert(other);
  for (auto& [balancer, look] : looks) look = haproxy::at_best(std::move(look));
  const auto views = views_of(looks);
  return shortage_without(refs_of(gone, views), guard->second, looks);
}

exec::EffectResult Rotations::guard(const plan::GuardCapacity& effect, exec::Performance& performance) {
  // Before a drain it is asked however well the host serves now.
  const bool restores = is_restored(effect.host);
  if (restores && serves_already(effect.host, performance)) return done("serves already");
  for (;;) {
    const auto view = reservations_.look(effect.host);
    const auto looks =
        restores ? look_at_those_that_answer(performance.scope) : look_at_all(performance.scope);
    const auto views = views_of(looks);
    const auto refs = restores ? refs_to_prove(effect.host, view.gone, views)
                               : refs_of(together_with(view.gone, effect.host), views);
    const auto shortage = shortage_without(refs, effect.min_available, looks);
    if (shortage.empty()) {
      if (!reservations_.reserve(effect.host, view)) continue;
      auto& entry = of(effect.host);
      const std::lock_guard lock(entry.mutex);
      if (!restores) entry.guarded = seats(effect.host, views);
      entry.guarded_at = std::chrono::steady_clock::now();
      return done();
    }
    // Only hosts that this very run has in hand will come back by themselves.
    if (!view.others_in_hand) return not_done(event::Outcome::refused, shortage);
    performance.progress({"", "", "waiting for capacity: " + shortage, 0, 0, ""});
    if (base::sleep_for(base::Duration(250), performance.scope) != base::Woke::ready) {
      performance.scope.check("waiting for capacity");
      return not_done(event::Outcome::refused, shortage);
    }
  }
}

void Rotations::drain(const std::string& host, HostRotation& entry, exec::Performance& performance) {
  if (entry.rotation) {
    // Taken out before, by this run or by a dead one, and not given back: what was found then is what must be
    // given back in the end, and going back to a mere drain would let visitors in.
    performance.note(found_key, haproxy::to_text(entry.rotation->found()));
    entry.rotation->quiesce(performance.scope);
    return;
  }
  auto known = std::exchange(entry.guarded, std::nullopt);
  const bool still = known && std::chrono::steady_clock::now() - entry.guarded_at < guarded_lasts;
  auto rotation =
      still ? std::make_unique<haproxy::Rotation>(std::move(*known)) : fresh(host, performance.scope);
  // Durable before the first command: recovery gives back what stands here.
  performance.note(found_key, haproxy::to_text(rotation->find(performance.scope)));
  entry.rotation = std::move(rotation);
  entry.rotation->drain(performance.scope);
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
  entry.keep = Keep::yes;
  // Only an operator's restore begins with a proof: of a host that no drain of ours is known for.
  if (effect.to == To::prove && !entry.rotation) take_as_ready(effect.host, entry, performance);
  if (effect.to == To::drain) {
    drain(effect.host, entry, performance);
  } else if (!entry.rotation) {
    return not_done(event::Outcome::failed, "not drained by this run");
  } else if (effect.to == To::maint) {
    entry.rotation->quiesce(performance.scope);
  } else if (effect.to == To::prove) {
    entry.rotation->prove(performance.scope);
  } else {
    entry.rotation->close_sessions(performance.scope);
  }
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
    entry.rotation->wait_serving(performance.scope, effect.bake, reporter(performance));
  }
  tell_notes(*entry.rotation, performance);
  if (effect.until == Until::serving) {
    if (plan_.kind == "restore")
      if (const auto out = still_out(entry, performance.scope); !out.empty())
        return not_done(event::Outcome::failed, "given back as found, which is out of rotation: " + out);
    entry.rotation.reset();
    reservations_.give_back(effect.host);
  }
  return result;
}

/// The host's servers by balancer: those that took visitors before it was taken out; where none is known to
/// have, all.
Rotations::Refs Rotations::servers_of(const std::string& host, const std::vector<haproxy::View>& views) {
  Refs refs;
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  if (entry.rotation)
    for (const auto& balancer : entry.rotation->found().balancers)
      for (const auto& server : balancer.servers)
        if (server.was_ready()) refs[balancer.balancer].push_back(server.ref);
  if (refs.empty())
    for (const auto& seat : seats(host, views)) refs[seat.socket->name()] = seat.refs;
  return refs;
}

/// Whether each of the host's servers that are on the balancer takes visitors; a balancer that has none of
/// them any more sends nobody to the host.
bool Rotations::all_usable(const std::vector<haproxy::ServerRef>& own, const haproxy::View& view) {
  std::size_t usable = 0;
  for (const auto& state : view.servers) {
    if (std::find(own.begin(), own.end(), state.ref) == own.end()) continue;
    if (!state.usable()) return false;
    ++usable;
  }
  return usable > 0;
}

/// Of balancers that do not answer, those that the host is on; where that is not known, all.
std::vector<std::string> Rotations::silent_of(const std::string& host, std::vector<std::string> silent) {
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  if (!entry.rotation) return silent;
  std::set<std::string> on;
  for (const auto& balancer : entry.rotation->found().balancers) on.insert(balancer.balancer);
  std::erase_if(silent, [&](const std::string& name) { return on.count(name) == 0; });
  return silent;
}

std::map<std::string, exec::Reach> Rotations::reach(const std::set<std::string>& hosts,
                                                    const base::Scope& scope) {
  // All at once: one that hangs leaves the others their time.
  std::vector<std::optional<haproxy::View>> answers(plan_.balancers.size());
  together(answers.size(), answers.size(), [&](std::size_t i) {
    const auto& name = plan_.balancers[i].name;
    try {
      answers[i] = {name, sockets_.at(name)->servers(scope.at_most(reach_patience))};
    } catch (const base::Error&) {
      // Said below.
    }
  });
  std::vector<haproxy::View> views;
  std::vector<std::string> silent;
  for (std::size_t i = 0; i < answers.size(); ++i)
    answers[i] ? views.push_back(std::move(*answers[i])) : silent.push_back(plan_.balancers[i].name);
  std::map<std::string, exec::Reach> all;
  for (const auto& host : hosts) {
    try {
      auto& reach = all[host];
      auto refs = servers_of(host, views);
      for (const auto& view : views) {
        const auto known = refs.find(view.balancer);
        if (known == refs.end()) continue;
        (all_usable(known->second, view) ? reach.serving : reach.out).push_back(view.balancer);
      }
      reach.unknown = silent_of(host, silent);
    } catch (const base::Error&) {
      all.erase(host);  // its servers are not to be told from others now
    }
  }
  return all;
}

void Rotations::start_keeper() {
  const std::lock_guard lock(mutex_);
  if (!keeper_.joinable()) keeper_ = std::jthread([this] { keep(); });
}

namespace {

/// What each balancer's process says of itself, asked once in a round for all hosts.
class Glances {
 public:
  explicit Glances(const base::Scope& scope) : scope_(scope) {}

  haproxy::Info of(haproxy::Socket& socket) {
    const auto [known, is_new] = said_.try_emplace(&socket);
    auto& said = known->second;
    if (is_new) {
      try {
        said.info = socket.info(scope_.at_most(glance_patience));
      } catch (const base::Error& error) {
        said.error = error;
      }
    }
    if (said.error) throw base::Error(*said.error);
    return said.info;
  }

 private:
  struct Said {
    haproxy::Info info;
    std::optional<base::Error> error;
  };
  const base::Scope& scope_;
  std::map<haproxy::Socket*, Said> said_;
};

bool is_out(const haproxy::Rotation* rotation) {
  return rotation != nullptr && rotation->phase() != haproxy::Phase::found &&
         rotation->phase() != haproxy::Phase::restoring;
}

}  // namespace

/// What a run before this one left may serve again since: then nobody has asked whether it can be spared.
/// While a balancer that may be the one does not answer, it is kept out where it was seen to be out.
bool Rotations::must_keep(HostRotation& entry, const base::Scope& scope,
                          const haproxy::Rotation::Glance& glance) {
  if (entry.keep == Keep::if_still_out)
    if (const auto out = entry.rotation->keeps_all_out(scope, glance))
      entry.keep = *out ? Keep::yes : Keep::no;
  return entry.keep != Keep::no;
}

/// True when a host was out.
bool Rotations::keep_once(const base::Scope& scope) {
  std::vector<HostRotation*> entries;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [host, entry] : hosts_) entries.push_back(entry.get());
  }
  Glances glances(scope);
  const auto glance = [&](haproxy::Socket& socket) { return glances.of(socket); };
  bool any = false;
  for (auto* entry : entries) {
    // A phase that works on it looks by itself.
    const std::unique_lock lock(entry->mutex, std::try_to_lock);
    any = any || !lock.owns_lock();
    if (!lock.owns_lock() || !is_out(entry->rotation.get())) continue;
    try {
      if (!must_keep(*entry, scope, glance)) continue;
      any = true;
      using enum haproxy::Rotation::Where;
      entry->rotation->reassert(scope, whole_look, glance, entry->keep == Keep::yes ? everywhere : seen_out);
      entry->trouble.clear();
    } catch (const base::Error& error) {
      // A balancer that is away now is looked at again; what stays wrong the next phase meets itself.
      any = true;
      entry->trouble = error.what();
    }
  }
  return any;
}

void Rotations::keep() {
  using Clock = std::chrono::steady_clock;
  const auto until_stopped = base::Scope::lasting(std::chrono::hours(24 * 365), &stop_keeper_);
  base::Duration pause{0};  // what is still out when a run begins is to stay so
  while (base::sleep_for(pause, until_stopped) == base::Woke::ready) {
    const auto began = Clock::now();
    const bool any = keep_once(until_stopped);
    const auto took = std::chrono::duration_cast<base::Duration>(Clock::now() - began);
    pause = any ? std::clamp(took * pauses_for, shortest_pause, whole_look) : whole_look;
  }
}

}  // namespace staithe::world
