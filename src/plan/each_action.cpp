#include "staithe/plan/each_action.hpp"

namespace staithe::plan {
namespace {

template <class Actions, class Visit>
void each_of(Actions& actions, const Visit& visit) {
  for (auto& action : actions) visit(action);
}

template <class Nodes, class Visit>
void each_in(Nodes& nodes, const Visit& visit) {
  for (auto& node : nodes) {
    if (auto* action = std::get_if<Action>(&node)) {
      visit(*action);
      continue;
    }
    auto& bracket = std::get<Bracket>(node);
    for (auto* part : {&bracket.acquire, &bracket.undo, &bracket.body, &bracket.repair, &bracket.release})
      each_of(*part, visit);
  }
}

template <class AnyPlan, class Visit>
void each(AnyPlan& plan, const Visit& visit) {
  each_of(plan.open, visit);
  for (auto& stage : plan.stages)
    for (auto& lane : stage.lanes) {
      each_in(lane.nodes, visit);
      each_in(lane.revert, visit);
    }
  each_of(plan.close, visit);
  each_of(plan.notify_failure, visit);
}

}  // namespace

void each_action(const Plan& plan, const std::function<void(const Action&)>& look) {
  each(plan, look);
}

void each_action(Plan& plan, const std::function<void(Action&)>& change) {
  each(plan, change);
}

}  // namespace staithe::plan
