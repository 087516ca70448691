#include "parts.hpp"

namespace staithe::playbook {
namespace {

using Actions = std::vector<plan::Action>;

void number(Actions& actions, const std::string& prefix, std::size_t first = 1) {
  for (plan::Action& action : actions) action.id = prefix + std::to_string(first++);
}

/// Body and acquire go on counting with the lane, as plans show them; the rest has names of its own.
void number_nodes(std::vector<plan::Node>& nodes, const std::string& base, const std::string& mark) {
  std::size_t next = 1;
  for (plan::Node& node : nodes) {
    if (auto* action = std::get_if<plan::Action>(&node)) {
      action->id = base + mark + std::to_string(next++);
      continue;
    }
    auto& bracket = std::get<plan::Bracket>(node);
    number(bracket.acquire, base + mark, next);
    next += bracket.acquire.size();
    number(bracket.body, base + mark, next);
    next += bracket.body.size();
    number(bracket.undo, base + mark + "undo-");
    number(bracket.repair, base + mark + "repair-");
    number(bracket.release, base + mark + "release-");
    next += bracket.release.size();
  }
}

}  // namespace

void number_actions(plan::Plan& plan) {
  number(plan.open, "open/");
  number(plan.close, "close/");
  number(plan.notify_failure, "failure/");
  for (plan::Stage& stage : plan.stages) {
    for (plan::Lane& lane : stage.lanes) {
      const std::string base = stage.name + "/" + (lane.host.empty() ? "" : lane.host + "/");
      number_nodes(lane.nodes, base, "");
      number_nodes(lane.revert, base, "revert-");
    }
  }
}

}  // namespace staithe::playbook
