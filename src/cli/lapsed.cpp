#include "lapsed.hpp"

#include "looking.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/found.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace staithe::cli {
namespace {

std::optional<haproxy::Found> found_in(const std::string& found) {
  try {
    return haproxy::parse_found(found);
  } catch (const base::Error&) {
    return std::nullopt;
  }
}

/// A host may stand for more servers than the run was for, and some may have been out before it.
bool was_taken(const haproxy::Found& found, const std::string& balancer, const haproxy::ServerRef& ref) {
  for (const auto& known : found.balancers)
    if (known.balancer == balancer)
      for (const auto& server : known.servers)
        if (server.ref == ref) return server.was_ready();
  return false;
}

Lapsed look_for(const std::string& host, const world::TakenOut& taken,
                const std::vector<world::BalancerLook>& balancers) {
  Lapsed lapsed{taken, {}, false};
  const auto found = found_in(taken.found);
  for (const auto& balancer : balancers) {
    bool let_in = false;
    for (const auto& server : balancer.servers) {
      const auto& state = server.state;
      if (server.host != host || state.in_maint() || state.in_drain() || state.weight == 0) continue;
      if (found && !was_taken(*found, balancer.name, state.ref)) continue;
      let_in = true;
      lapsed.serves = lapsed.serves || state.usable();
    }
    if (let_in) lapsed.let_in.push_back(balancer.name);
  }
  return lapsed;
}

}  // namespace

std::map<std::string, Lapsed> lapsed(const std::map<std::string, world::TakenOut>& taken,
                                     const std::vector<world::BalancerLook>& balancers) {
  std::map<std::string, Lapsed> all;
  for (const auto& [host, by] : taken) {
    if (by.in_hand || by.open) continue;
    if (auto found = look_for(host, by, balancers); !found.let_in.empty())
      all.emplace(host, std::move(found));
  }
  return all;
}

std::string in_words(const std::string& host, const Lapsed& lapsed) {
  const auto& taken = lapsed.taken;
  return fmt::format(
      "{} was {} by {}, run {}, {}: {}, but {} on {} (HAProxy was reloaded, or somebody put it back)", host,
      taken.on_purpose ? "drained" : "left out", taken.user, taken.run_id, when_text(taken.when), taken.title,
      lapsed.serves ? "serves" : "is let in once it is up", base::join(lapsed.let_in, ", "));
}

std::string reason_of(const world::TakenOut& taken) {
  const auto at = taken.title.find(": ");
  return at == std::string::npos ? std::string() : taken.title.substr(at + 2);
}

}  // namespace staithe::cli
