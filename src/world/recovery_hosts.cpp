#include "recovery_hosts.hpp"

#include "staithe/plan/each_action.hpp"

namespace staithe::world {
namespace {

/// A bastion may itself be behind another one. One that is no host of the inventory is not in the plan.
void add_with_way(const plan::Plan& plan, std::string name, std::set<std::string>& hosts) {
  for (;;) {
    const auto host = plan.hosts.find(name);
    if (host == plan.hosts.end() || !hosts.insert(name).second) return;
    name = host->second.jump;
  }
}

}  // namespace

void keep_needed_hosts(plan::Plan& plan, std::set<std::string> also) {
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes) also.insert(lane.host);
  plan::each_action(plan, [&](const plan::Action& action) { also.insert(plan::host_of(action.effect)); });
  for (const auto& balancer : plan.balancers) also.insert(balancer.on);
  std::set<std::string> needed;
  for (const auto& name : also) add_with_way(plan, name, needed);
  std::erase_if(plan.hosts, [&](const auto& host) { return needed.count(host.first) == 0; });
}

}  // namespace staithe::world
