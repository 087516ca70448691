#include "rotations.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/past_runs.hpp"

#include <algorithm>
#include <utility>

/// The way back into rotation.
namespace staithe::world {

namespace {

constexpr base::Duration answer_patience{2'000};

/// Nothing of it is given back as drained or in maintenance.
bool was_in_service(const haproxy::Found& found) {
  for (const auto& balancer : found.balancers)
    for (const auto& server : balancer.servers)
      if (!server.follows && !server.was_ready()) return false;
  return true;
}

/// As it was given back, no balancer lets visitors in to any server of the host.
bool lets_nobody_in(const haproxy::Found& found) {
  return std::none_of(found.balancers.begin(), found.balancers.end(), [](const auto& balancer) {
    return std::any_of(balancer.servers.begin(), balancer.servers.end(),
                       [](const auto& server) { return !server.follows && server.was_ready(); });
  });
}

}  // namespace

void Rotations::given_back(const std::string& host, const std::string& found) {
  haproxy::Found before;
  try {
    if (!found.empty()) before = haproxy::parse_found(found);
  } catch (const base::Error&) {
    // Of another build: whoever cannot tell says that visitors have met it.
  }
  if (before.balancers.empty()) {
    met_before_ = true;
    return;
  }
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  entry.found = std::move(before);
}

std::string Rotations::unmet() {
  // The hosts of earlier runs have served, and so has what was not taken out, by this run or by the one that
  // it goes on with.
  if (met_before_ || !plan::brought_along(plan_).empty()) return {};
  const auto targets = plan::target_hosts(plan_);
  std::set<std::string> served(targets.begin(), targets.end());
  for (const auto& host : drained_by(plan_)) served.erase(host);
  std::vector<std::string> unmet;
  for (const auto& [host, entry] : all_hosts()) {
    const std::lock_guard lock(entry->mutex);
    if (entry->found.balancers.empty()) continue;
    served.erase(host);
    if (entry->rotation) continue;
    if (!lets_nobody_in(entry->found)) return {};
    unmet.push_back(host);
  }
  if (!served.empty()) return {};
  return unmet.empty() ? ""
                       : base::fold_names(unmet) + (unmet.size() == 1 ? " is" : " are") + " out of rotation";
}

void Rotations::tell_notes(haproxy::Rotation& rotation, exec::Performance& performance) {
  for (const auto& note : rotation.take_notes()) performance.message(event::Level::warning, note);
}

/// For a person who says "restore" where no drain of ours is on record: what keeps visitors away by command
/// counts as ours.
std::unique_ptr<haproxy::Rotation> Rotations::as_if_ready(const std::string& host, const base::Scope& scope) {
  auto looked = fresh(host, scope);
  haproxy::Found found = looked->find(scope);
  for (auto& balancer : found.balancers)
    for (auto& server : balancer.servers)
      server.admin &= ~(haproxy::admin_bit::forced_maint | haproxy::admin_bit::forced_drain);
  std::vector<haproxy::Socket*> sockets;
  for (const auto& [name, socket] : sockets_) sockets.push_back(socket.get());
  return std::make_unique<haproxy::Rotation>(sockets, std::move(found), haproxy::Phase::quiescing);
}

void Rotations::take_as_ready(const std::string& host, HostRotation& entry, exec::Performance& performance) {
  take(host, entry, as_if_ready(host, performance.scope));
  performance.message(event::Level::info, "no drain of staithe's is on record: made ready all the same");
}

/// A person who says "restore" of a host that is in service wants no outage: the proof would take it out.
/// What a drain of ours is on record for is given back then, but proven by serving. Decided by the first
/// action that asks, for all of them. A recovery proves what a deploy has left itself, unless the app is as
/// it was: since HAProxy was reloaded it may serve, and to take it out would be for nothing.
bool Rotations::serves_already(const std::string& host, exec::Performance& performance) {
  if (roles_.let_in.count(host) == 0) return false;
  auto& entry = of(host);
  bool ours = false;
  {
    const std::lock_guard lock(entry.mutex);
    if (entry.serves_already) return *entry.serves_already;
    const bool recovers = !is_restored(host) && !is_untouched(entry);
    ours = entry.rotation != nullptr;
    if (ours && (recovers || !was_in_service(entry.rotation->found()))) return false;
  }
  const auto all = reach({host}, performance.scope);
  const auto known = all.find(host);
  const bool serves = known != all.end() && known->second.everywhere();
  if (serves)
    performance.message(event::Level::info,
                        host + " serves already: " + (ours ? "given back without a proof" : "left alone"));
  const std::lock_guard lock(entry.mutex);
  entry.serves_already = serves;
  return serves;
}

bool Rotations::was_adopted_untouched(const std::string& host) {
  auto& entry = of(host);
  const std::lock_guard lock(entry.mutex);
  return is_untouched(entry);
}

/// A balancer that does not answer is left behind by a restore: it cannot be counted there either.
Rotations::Looks Rotations::look_at_those_that_answer(const base::Scope& scope) {
  Looks looks;
  for (const auto& balancer : plan_.balancers) {
    try {
      looks.emplace(balancer.name, sockets_.at(balancer.name)->snapshot({}, scope.at_most(answer_patience)));
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
    }
  }
  return looks;
}

/// What a proof takes out where it serves: the servers that the drain had found, whatever HAProxy calls them
/// by now, beside those of the other hosts in hand.
Rotations::Refs Rotations::refs_to_prove(const std::string& host, const std::set<std::string>& others,
                                         const std::vector<haproxy::View>& views) {
  if (views.empty()) return {};  // the proof itself tells what is wrong
  Refs refs;
  for (const auto& other : others) {
    try {
      for (const auto& [balancer, servers] : refs_of({other}, views))
        refs[balancer].insert(refs[balancer].end(), servers.begin(), servers.end());
    } catch (const base::Error&) {
      // It may stand only on a balancer that does not answer, and takes nothing from the others then.
      if (views.size() == plan_.balancers.size()) throw;
    }
  }
  for (const auto& [balancer, servers] : servers_of(host, views))
    refs[balancer].insert(refs[balancer].end(), servers.begin(), servers.end());
  return refs;
}

exec::EffectResult Rotations::give_back(const plan::ChangeRotation& effect, HostRotation& entry,
                                        exec::Performance& performance) {
  const bool undo = effect.to == plan::ChangeRotation::To::undo;
  if (!entry.rotation && undo) {
    reservations_.give_back(effect.host);
    return done("was not taken out");
  }
  // Should it not come back, or not last, it is taken out like any other that serves: its guard and its proof
  // are not answered by what was seen before.
  if (!is_restored(effect.host)) take_in_hand(entry);
  // Only what goes on with such a restore, once the host is proven, comes here without a proof: it may serve.
  if (!entry.rotation) take_as_ready(effect.host, entry, performance);
  const auto left = undo ? entry.rotation->undo(performance.scope) : entry.rotation->ready(performance.scope);
  note_found(entry, performance);
  tell_notes(*entry.rotation, performance);
  if (!left.empty()) return not_done(event::Outcome::failed, base::join(left, "; "), true);
  return done();
}

}  // namespace staithe::world
