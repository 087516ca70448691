#include "status_records.hpp"

#include "staithe/base/utc.hpp"

#include <nlohmann/json.hpp>

namespace staithe::cli {

using nlohmann::json;

json balancer_json(const world::BalancerLook& balancer) {
  auto servers = json::array();
  for (const auto& server : balancer.servers)
    servers.push_back({{"backend", server.state.ref.backend},
                       {"server", server.state.ref.server},
                       {"host", server.host},
                       {"state", world::state_in_words(server.state)},
                       {"command", haproxy::name_of(haproxy::own_state(server.state.admin))},
                       {"usable", server.state.usable()},
                       {"weight", server.state.weight},
                       {"sessions", server.stat.sessions},
                       {"queued", server.stat.queued}});
  return {{"type", "balancer"},
          {"name", balancer.name},
          {"trouble", balancer.trouble},
          {"version", balancer.info.version},
          {"pid", balancer.info.pid},
          {"level", balancer.level},
          {"uptime_s", balancer.info.uptime_seconds},
          {"servers", servers}};
}

json unjudged_json(const world::Unjudged& unjudged) {
  const auto& run = unjudged.run;
  return {{"type", "unjudged_run"},
          {"run_id", run.id},
          {"title", run.title},
          {"user", run.user},
          {"started", base::utc_text_ms(run.started)},
          {"left", unjudged.words}};
}

}  // namespace staithe::cli
