#include "checks/balancers.hpp"

#include "balancer_dial.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/socket.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::world {
namespace {

using checks::Value;

struct Tally {
  double up = 0, draining = 0, maint = 0, down = 0, servers = 0, queued = 0, sessions = 0;

  void count(const haproxy::ServerState& server) {
    ++servers;
    ++(server.in_maint() ? maint : server.in_drain() ? draining : server.usable() ? up : down);
  }
  void count(const haproxy::ServerStat& row) {
    if (!row.is_backend) return;
    queued = std::max(queued, static_cast<double>(row.queued));
    sessions += static_cast<double>(row.sessions);
  }

  /// Sessions are those of all balancers together; of all else the worst counts.
  void add(const Tally& other, bool is_first) {
    up = is_first ? other.up : std::min(up, other.up);
    draining = std::max(draining, other.draining);
    maint = std::max(maint, other.maint);
    down = std::max(down, other.down);
    servers = std::max(servers, other.servers);
    queued = std::max(queued, other.queued);
    sessions += other.sessions;
  }
};

Tally tally_of(const plan::Balancer& balancer, const std::string& backend, Hosts& hosts,
               const base::Scope& scope) {
  haproxy::Socket socket(balancer.name, dial_balancer(hosts, balancer, SocketKind::admin));
  const std::vector<std::string> backends{backend};
  const auto seen = socket.snapshot(backends, scope);
  Tally tally;
  for (const auto& server : seen.states) tally.count(server);
  for (const auto& row : seen.stats) tally.count(row);
  if (tally.servers == 0)
    throw base::Error(base::ErrorCode::not_found,
                      fmt::format("balancer {} has no backend '{}'", balancer.name, backend));
  return tally;
}

std::string nobody_to_ask(const plan::Plan& plan) {
  if (plan.balancers.empty()) return "no balancer is declared that could be asked";
  std::vector<std::string> known;
  for (const auto& balancer : plan.balancers) known.push_back(balancer.name);
  return "no such balancer is declared; there are " + base::join(known, ", ");
}

}  // namespace

checks::Reply ask_balancers(const checks::HaproxyRequest& request, const plan::Plan& plan,
                            const std::function<Hosts&()>& hosts, const base::Scope& scope) {
  const auto& only = request.balancers;
  Tally all;
  std::size_t asked = 0;
  for (const auto& balancer : plan.balancers) {
    if (!only.empty() && std::find(only.begin(), only.end(), balancer.name) == only.end()) continue;
    all.add(tally_of(balancer, request.backend, hosts(), scope), asked == 0);
    ++asked;
  }
  if (asked == 0) throw base::Error(base::ErrorCode::not_found, nobody_to_ask(plan));
  checks::Reply reply;
  const std::pair<const char*, double> numbers[] = {
      {"up", all.up},           {"draining", all.draining}, {"maint", all.maint},      {"down", all.down},
      {"servers", all.servers}, {"queued", all.queued},     {"sessions", all.sessions}};
  for (const auto& [name, number] : numbers) reply.facts[name] = Value::of_number(number);
  reply.facts["balancers"] = Value::count(asked);
  reply.note = fmt::format("{} of {} up, {} draining, {} in maintenance, {} down", all.up, all.servers,
                           all.draining, all.maint, all.down);
  return reply;
}

}  // namespace staithe::world
