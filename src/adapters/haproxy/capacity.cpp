#include "staithe/haproxy/capacity.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <map>

namespace staithe::haproxy {
namespace {

bool contains(std::span<const ServerRef> refs, const ServerRef& ref) {
  return std::find(refs.begin(), refs.end(), ref) != refs.end();
}

struct Count {
  std::uint32_t active = 0;
  std::uint32_t backups = 0;

  // HAProxy sends nobody to backups while an active server is left, then only to the first one (unless the
  // backend says "option allbackups", which the socket does not tell).
  std::uint32_t available() const { return active > 0 ? active : std::min(backups, std::uint32_t{1}); }
};

std::string why_unusable(const ServerState& state, const ServerStat* stat) {
  std::string why = stat != nullptr && !stat->status.empty() ? stat->status : "not serving";
  if (state.in_drain()) why = "drained";
  if (state.in_maint()) why = "in maintenance";
  if (!state.in_maint() && !state.in_drain() && state.weight == 0) why = "weight 0";
  return why;
}

}  // namespace

std::vector<ServerRef> with_followers(const Snapshot& all, std::span<const ServerRef> out) {
  std::vector<ServerRef> closure(out.begin(), out.end());
  // Tracking may be chained: repeat until a round finds nobody new.
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& row : all.stats) {
      if (row.is_backend || !row.tracked || contains(closure, row.ref) || !contains(closure, *row.tracked))
        continue;
      closure.push_back(row.ref);
      grown = true;
    }
  }
  return closure;
}

std::vector<Shortage> shortages(const Snapshot& all, std::span<const ServerRef> out, MinAvailable minimum) {
  const auto gone = with_followers(all, out);
  struct Backend {
    Count now;
    Count left;
    Shortage shortage;
  };
  std::map<std::string, Backend> backends;
  for (const auto& ref : gone) backends[ref.backend];
  // Looking every row up by search would be quadratic, and a balancer may have thousands of servers.
  std::map<ServerRef, const ServerStat*> stats;
  for (const auto& row : all.stats)
    if (!row.is_backend) stats.emplace(row.ref, &row);
  for (const auto& state : all.states) {
    const auto at = backends.find(state.ref.backend);
    if (at == backends.end()) continue;
    auto& backend = at->second;
    const auto found = stats.find(state.ref);
    const ServerStat* stat = found == stats.end() ? nullptr : found->second;
    const bool backup = stat != nullptr && stat->backup;
    if (!backup && (state.admin & admin_bit::no_address) == 0) ++backend.shortage.servers;
    if (!state.usable()) {
      backend.shortage.unusable[why_unusable(state, stat)].push_back(state.ref.server);
      continue;
    }
    ++(backup ? backend.now.backups : backend.now.active);
    if (!contains(gone, state.ref)) ++(backup ? backend.left.backups : backend.left.active);
  }
  std::vector<Shortage> shorts;
  for (auto& [name, backend] : backends) {
    auto& shortage = backend.shortage;
    shortage.backend = name;
    shortage.now = backend.now.available();
    shortage.left = backend.left.available();
    const auto share =
        (std::uint64_t{shortage.servers} * std::min(minimum.value, std::uint32_t{100}) + 99) / 100;
    shortage.needed =
        std::max(minimum.percent ? static_cast<std::uint32_t>(share) : minimum.value, std::uint32_t{1});
    if (shortage.left < shortage.now && shortage.left < shortage.needed)
      shorts.push_back(std::move(shortage));
  }
  return shorts;
}

Snapshot at_best(Snapshot all) {
  for (auto& state : all.states) {
    if (state.in_maint() || state.in_drain() || (state.admin & admin_bit::no_address) != 0) continue;
    if (state.weight == 0 && !state.agent_on()) continue;
    state.op = Op::running;
    state.weight = std::max(state.weight, std::uint32_t{1});  // an agent that took it away may give it back
  }
  return all;
}

std::string Shortage::text() const {
  std::string said = "would be left with " + std::to_string(left) + " of " + std::to_string(servers) +
                     " servers, " + std::to_string(needed) + " needed";
  std::string_view before = "; out now: ";
  for (const auto& [why, those] : unusable) {
    said.append(before).append(base::fold_names(those)).append(" (" + why + ")");
    before = ", ";
  }
  return said;
}

}  // namespace staithe::haproxy
