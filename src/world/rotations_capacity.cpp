#include "rotations.hpp"
#include "wanted.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>

/// What must be left in service: asked before anything is changed, and before each host is taken out.
namespace staithe::world {
namespace {

std::vector<haproxy::View> views_of(const std::map<std::string, haproxy::Snapshot>& looks) {
  std::vector<haproxy::View> views;
  for (const auto& [balancer, look] : looks) views.push_back({balancer, look.states});
  return views;
}

std::set<std::string> together_with(std::set<std::string> hosts, const std::string& host) {
  hosts.insert(host);
  return hosts;
}

}  // namespace

Rotations::Looks Rotations::look_at_all(const base::Scope& scope) {
  Looks looks;
  for (const auto& balancer : plan_.balancers)
    looks.emplace(balancer.name, sockets_.at(balancer.name)->snapshot({}, scope));
  return looks;
}

/// Servers that would stand for another host of the plan too, "" for none.
std::string Rotations::shared_servers(const std::string& host,
                                      const std::vector<haproxy::Rotation::Seat>& own,
                                      const Looks& looks) const {
  std::string text;
  for (const auto& [name, other] : plan_.hosts) {
    if (name == host || !has_servers(other)) continue;
    const auto wanted = wanted_of(other);
    std::vector<std::string> shared;
    for (const auto& seat : own)
      for (const auto& ref : seat.refs)
        if (const auto* state = looks.at(seat.socket->name()).state(ref);
            state != nullptr && haproxy::takes(wanted, *state))
          shared.push_back(seat.socket->name() + ' ' + to_text(ref));
    if (shared.empty()) continue;
    const auto [first, second] = std::minmax(host, name);
    text += (text.empty() ? "" : "; ") + shared_text(base::join(shared, ", "), first, second);
  }
  return text;
}

exec::EffectResult Rotations::survey(const plan::SurveyRotation& effect, exec::Performance& performance) {
  auto looks = look_at_all(performance.scope);
  const auto found = seats(effect.host, views_of(looks));
  {
    auto& entry = of(effect.host);
    const std::lock_guard lock(entry.mutex);
    for (const auto& seat : found)
      for (const auto& ref : seat.refs)
        if (const auto* state = looks.at(seat.socket->name()).state(ref); state != nullptr)
          entry.told_out[{seat.socket->name(), ref}] = haproxy::own_state(state->admin);
  }
  haproxy::Rotation rotation(found);
  std::string errors = shared_servers(effect.host, found, looks);
  if (errors.empty()) errors = shortage_ahead(effect.host, std::move(looks));
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
  const auto guard = roles_.guards.find(host);
  if (guard == roles_.guards.end()) return {};
  // What an operator drains stays out: in the end all of it is gone at once.
  const auto gone = together_with(roles_.left_out, host);
  for (auto& [balancer, look] : looks) look = haproxy::at_best(std::move(look));
  const auto views = views_of(looks);
  return shortage_without(refs_of(gone, views), guard->second, looks);
}

exec::EffectResult Rotations::guard(const plan::GuardCapacity& effect, exec::Performance& performance) {
  // Before a drain it is asked however well the host serves now.
  const bool restores = is_restored(effect.host);
  if ((restores || was_adopted_untouched(effect.host)) && serves_already(effect.host, performance))
    return done("serves already");
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

}  // namespace staithe::world
