#include "recovery_parts.hpp"

#include "staithe/event/event.hpp"

#include <algorithm>

/// What the run itself had come to think of its release, by its journal.
namespace staithe::world::parts {
namespace {

/// Why an action may be called at fault for what the release did: neither was it stopped, nor was the host
/// not heard of, nor is the failure that of somebody else.
bool is_at_fault(const plan::Action& action, const JournalView& journal) {
  const auto entry = journal.actions.find(action.id);
  // An older build did not say of each what the effect and the outcome say as well.
  return any_failed({action}, journal) && !entry->second.blameless && plan::judges_release(action.effect) &&
         entry->second.outcome != event::name_of(event::Outcome::unreachable) &&
         entry->second.outcome != event::name_of(event::Outcome::refused) &&
         entry->second.outcome != event::name_of(event::Outcome::cancelled);
}

bool any_at_fault(const std::vector<plan::Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const plan::Action& action) { return is_at_fault(action, journal); });
}

}  // namespace

bool to_be_reverted(const plan::Lane& lane, const JournalView& journal) {
  const auto first = journal.actions.find(plan::first_of_revert(lane));
  const bool decided = first != journal.actions.end() && first->second.notes.count(plan::revert_note) > 0;
  return !lane.revert.empty() && (decided || any_at_fault(rest_of(lane), journal));
}

bool release_failed(const plan::Plan& plan, const JournalView& journal) {
  // What lets a host in behind a body that did not end well lets in the release before.
  const auto failed_within = [&](const plan::Bracket& bracket) {
    return any_at_fault(bracket.body, journal) ||
           (all_well(bracket.body, journal) && any_at_fault(bracket.release, journal));
  };
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    rolled = rolled || stage.shape == plan::Stage::Shape::rolling;
    if (!rolled || stage.shape == plan::Stage::Shape::parallel) continue;
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes) {
        const auto* bracket = std::get_if<plan::Bracket>(&node);
        if (bracket == nullptr ? is_at_fault(std::get<plan::Action>(node), journal) : failed_within(*bracket))
          return true;
      }
  }
  return false;
}

}  // namespace staithe::world::parts

namespace staithe::world {

std::pair<const plan::Stage*, const plan::Action*> first_unjudged(const plan::Plan& plan,
                                                                  const JournalView& journal) {
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    rolled = rolled || stage.shape == plan::Stage::Shape::rolling;
    if (!rolled || stage.shape != plan::Stage::Shape::once) continue;
    for (const auto& lane : stage.lanes)
      for (const auto& node : lane.nodes)
        if (const auto* action = std::get_if<plan::Action>(&node);
            action != nullptr && !journal.ended_well(action->id))
          return {&stage, action};
  }
  return {nullptr, nullptr};
}

bool never_judged(const plan::Plan& plan, const JournalView& journal) {
  return first_unjudged(plan, journal).second != nullptr;
}

}  // namespace staithe::world
