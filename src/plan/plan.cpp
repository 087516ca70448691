#include "staithe/plan/plan.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::plan {
namespace {

std::vector<std::string> hosts_of(const Plan& plan, bool brought_along) {
  std::vector<std::string> hosts;
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes)
      if (!lane.host.empty() && lane.brought_along == brought_along &&
          std::find(hosts.begin(), hosts.end(), lane.host) == hosts.end())
        hosts.push_back(lane.host);
  return hosts;
}

}  // namespace

std::string id_of(const Plan& plan) {
  return id_of_json(to_json(plan));
}

std::string id_of_json(std::string_view plan_json) {
  return base::sha256_hex(plan_json).substr(0, 12);
}

std::vector<std::string> target_hosts(const Plan& plan) {
  return hosts_of(plan, false);
}

std::vector<std::string> brought_along(const Plan& plan) {
  return hosts_of(plan, true);
}

std::size_t count_actions(const Lane& lane) {
  std::size_t count = 0;
  for (const auto& node : lane.nodes) {
    if (const auto* bracket = std::get_if<Bracket>(&node))
      count += bracket->acquire.size() + bracket->body.size() + bracket->release.size();
    else
      ++count;
  }
  return count;
}

std::size_t count_actions(const Plan& plan) {
  std::size_t count = plan.open.size() + plan.close.size();
  for (const auto& stage : plan.stages)
    for (const auto& lane : stage.lanes) count += count_actions(lane);
  return count;
}

std::string first_of_revert(const Lane& lane) {
  for (const auto& node : lane.revert) {
    if (const auto* action = std::get_if<Action>(&node)) return action->id;
    const auto& bracket = std::get<Bracket>(node);
    for (const auto* part : {&bracket.acquire, &bracket.body, &bracket.release})
      if (!part->empty()) return part->front().id;
  }
  return {};
}

std::vector<std::size_t> batch_sizes(const Strategy& strategy, std::size_t hosts) {
  std::vector<std::size_t> sizes;
  std::size_t left = hosts;
  std::size_t turn = 0;
  while (left > 0) {
    std::size_t size = left;
    if (!strategy.batches.empty()) {
      const auto& amount = strategy.batches[std::min(turn, strategy.batches.size() - 1)];
      // A batch of nothing would never end: the smallest batch is one host.
      size = std::clamp<std::size_t>(amount.of(static_cast<std::uint32_t>(hosts)), 1, left);
    }
    sizes.push_back(size);
    left -= size;
    ++turn;
  }
  return sizes;
}

}  // namespace staithe::plan
