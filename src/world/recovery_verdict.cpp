#include "recovery_parts.hpp"

#include "staithe/event/event.hpp"

#include <algorithm>

/// What the run itself had come to think of its release, by its journal.
namespace staithe::world::parts {
namespace {

using plan::Action;
using plan::Bracket;
using plan::Lane;
using plan::Node;
using plan::Stage;

/// Its outcome is a failure, and not that somebody stopped it.
bool failed(const Action& action, const JournalView& journal) {
  return any_failed({action}, journal) &&
         journal.actions.at(action.id).outcome != event::name_of(event::Outcome::cancelled);
}

bool failed(const Lane& lane, const JournalView& journal) {
  const auto any = [&](const std::vector<Action>& actions) {
    return std::any_of(actions.begin(), actions.end(), [&](const Action& a) { return failed(a, journal); });
  };
  return std::any_of(lane.nodes.begin(), lane.nodes.end(), [&](const Node& node) {
    const auto* bracket = std::get_if<Bracket>(&node);
    if (bracket == nullptr) return failed(std::get<Action>(node), journal);
    return any(bracket->acquire) || any(bracket->body) || any(bracket->release);
  });
}

bool begun(const Lane& lane, const JournalView& journal) {
  return std::any_of(lane.nodes.begin(), lane.nodes.end(), [&](const Node& node) {
    const auto* bracket = std::get_if<Bracket>(&node);
    return bracket == nullptr ? journal.begun(std::get<Action>(node).id)
                              : any_begun(bracket->acquire, journal) || any_begun(bracket->body, journal);
  });
}

std::set<std::string> hosts_of(const Stage& roll, std::size_t first, std::size_t end) {
  std::set<std::string> hosts;
  for (std::size_t i = first; i < end && i < roll.lanes.size(); ++i) hosts.insert(roll.lanes[i].host);
  return hosts;
}

/// The last batch of which something was begun.
std::set<std::string> batch_in_hand(const plan::Plan& plan, const Stage& roll, const JournalView& journal) {
  std::set<std::string> hosts;
  std::size_t first = 0;
  for (const auto size : plan::batch_sizes(plan.strategy, roll.lanes.size())) {
    const auto end = std::min(first + size, roll.lanes.size());
    for (std::size_t i = first; i < end; ++i)
      if (begun(roll.lanes[i], journal)) hosts = hosts_of(roll, first, end);
    first = end;
  }
  return hosts;
}

/// More of its lanes failed than the strategy allows.
bool over_budget(const plan::Plan& plan, const Stage& roll, const JournalView& journal) {
  const auto count = static_cast<std::size_t>(std::count_if(
      roll.lanes.begin(), roll.lanes.end(), [&](const Lane& lane) { return failed(lane, journal); }));
  const auto& most = plan.strategy.max_failures;
  return count > (most.percent ? most.value * roll.lanes.size() / 100 : most.value);
}

/// A stage behind the roll that judges the whole of it has failed.
bool judged_bad(const plan::Plan& plan, const JournalView& journal) {
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    rolled = rolled || stage.shape == Stage::Shape::rolling;
    if (rolled && stage.shape == Stage::Shape::once &&
        std::any_of(stage.lanes.begin(), stage.lanes.end(),
                    [&](const Lane& lane) { return failed(lane, journal); }))
      return true;
  }
  return false;
}

}  // namespace

std::set<std::string> to_be_reverted(const plan::Plan& plan, const JournalView& journal) {
  using OnFailure = plan::Strategy::OnFailure;
  const auto roll = std::find_if(plan.stages.begin(), plan.stages.end(),
                                 [](const Stage& stage) { return stage.shape == Stage::Shape::rolling; });
  const auto policy = plan.strategy.on_failure;
  if (roll == plan.stages.end() || policy == OnFailure::stop) return {};
  if (judged_bad(plan, journal)) return hosts_of(*roll, 0, roll->lanes.size());
  if (!over_budget(plan, *roll, journal)) return {};
  return policy == OnFailure::revert_all ? hosts_of(*roll, 0, roll->lanes.size())
                                         : batch_in_hand(plan, *roll, journal);
}

bool release_failed(const plan::Plan& plan, const JournalView& journal) {
  const auto at_fault = [&](const std::vector<Action>& actions) {
    return std::any_of(actions.begin(), actions.end(), [&](const Action& action) {
      const auto entry = journal.actions.find(action.id);
      // An older build did not say of each what the effect and the outcome say as well.
      return any_failed({action}, journal) && !entry->second.blameless &&
             plan::judges_release(action.effect) &&
             entry->second.outcome != event::name_of(event::Outcome::unreachable) &&
             entry->second.outcome != event::name_of(event::Outcome::refused) &&
             entry->second.outcome != event::name_of(event::Outcome::cancelled);
    });
  };
  // What lets a host in behind a body that did not end well lets in the release before.
  const auto failed_within = [&](const Bracket& bracket) {
    return at_fault(bracket.body) || (all_well(bracket.body, journal) && at_fault(bracket.release));
  };
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    rolled = rolled || stage.shape == plan::Stage::Shape::rolling;
    if (!rolled || stage.shape == plan::Stage::Shape::parallel) continue;
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes) {
        const auto* bracket = std::get_if<Bracket>(&node);
        if (bracket == nullptr ? at_fault({std::get<Action>(node)}) : failed_within(*bracket)) return true;
      }
  }
  return false;
}
}  // namespace staithe::world::parts

namespace staithe::world {

bool never_judged(const plan::Plan& plan, const JournalView& journal) {
  using plan::Stage;
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    rolled = rolled || stage.shape == Stage::Shape::rolling;
    if (!rolled || stage.shape != Stage::Shape::once) continue;
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes)
        if (const auto* action = std::get_if<plan::Action>(&node);
            action != nullptr && !journal.ended_well(action->id))
          return true;
  }
  return false;
}

}  // namespace staithe::world
