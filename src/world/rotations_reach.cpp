#include "rotations.hpp"
#include "together.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>

/// Where visitors meet a host.
namespace staithe::world {
namespace {

constexpr base::Duration reach_patience{2'000};

bool was_sent_out(const haproxy::FoundServer& server) {
  return !server.follows && haproxy::own_state(server.admin) != haproxy::Own::ready;
}

bool any_sent_out(const haproxy::Found& found) {
  return std::any_of(found.balancers.begin(), found.balancers.end(), [](const auto& balancer) {
    return std::any_of(balancer.servers.begin(), balancer.servers.end(), was_sent_out);
  });
}

/// The servers there that a command kept away from visitors.
std::vector<haproxy::ServerRef> refs_sent_out(const haproxy::Found& found, const std::string& balancer) {
  std::vector<haproxy::ServerRef> refs;
  for (const auto& known : found.balancers)
    if (known.balancer == balancer)
      for (const auto& server : known.servers)
        if (was_sent_out(server)) refs.push_back(server.ref);
  return refs;
}

}  // namespace

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

std::vector<haproxy::View> Rotations::ask_all(const base::Scope& scope, std::vector<std::string>& silent) {
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
  for (std::size_t i = 0; i < answers.size(); ++i)
    answers[i] ? views.push_back(std::move(*answers[i])) : silent.push_back(plan_.balancers[i].name);
  return views;
}

std::map<std::string, exec::Reach> Rotations::reach(const std::set<std::string>& hosts,
                                                    const base::Scope& scope) {
  std::vector<std::string> silent;
  const auto views = ask_all(scope, silent);
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

std::map<std::string, std::vector<LeftAlone>> Rotations::left_alone(const base::Scope& scope) {
  std::map<std::string, haproxy::Found> found;
  for (const auto& [host, entry] : all_hosts()) {
    const std::lock_guard lock(entry->mutex);
    if (!entry->rotation && any_sent_out(entry->found)) found.emplace(host, entry->found);
  }
  std::map<std::string, std::vector<LeftAlone>> all;
  if (found.empty()) return all;
  std::vector<std::string> silent;
  for (const auto& view : ask_all(scope, silent))
    for (const auto& [host, known] : found)
      for (const auto& ref : refs_sent_out(known, view.balancer))
        for (const auto& state : view.servers)
          if (const auto own = haproxy::own_state(state.admin);
              state.ref == ref && own != haproxy::Own::ready)
            all[host].push_back({ref.backend, view.balancer, own == haproxy::Own::maint});
  return all;
}

}  // namespace staithe::world
