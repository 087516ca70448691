#include "recovery_parts.hpp"

/// How far the rotation of a host had come, by the journals of all who had it in hand.
namespace staithe::world {

std::string told_action(const std::string& host) {
  return "told/" + host;
}

}  // namespace staithe::world

namespace staithe::world::parts {

using plan::Action;

bool took(const Action& action, const JournalView& journal) {
  if (!journal.begun(action.id) || !plan::changes_the_world(action.effect)) return false;
  const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
  if (change == nullptr || change->to != plan::ChangeRotation::To::drain) return true;
  return journal.ended_well(action.id) || journal.actions.at(action.id).notes.count(found_key) > 0;
}

std::vector<std::string> told_in(const std::string& host, const JournalView& journal) {
  const auto entry = journal.actions.find(told_action(host));
  if (entry == journal.actions.end() || entry->second.notes.count(told_key) == 0) return {};
  return {entry->second.notes.at(told_key)};
}

void Trace::follow(const plan::Lane& lane, const JournalView& journal) {
  follow(lane.nodes, journal);
  follow(lane.revert, journal);
}

void Trace::follow(const std::vector<plan::Node>& nodes, const JournalView& journal) {
  for (const auto& node : nodes) {
    if (const auto* action = std::get_if<Action>(&node)) {
      follow(std::vector<Action>{*action}, journal);
      continue;
    }
    const auto& bracket = std::get<plan::Bracket>(node);
    for (const auto* part :
         {&bracket.acquire, &bracket.body, &bracket.repair, &bracket.release, &bracket.undo})
      follow(*part, journal);
    for (const auto* back : {&bracket.release, &bracket.undo})
      if (!back->empty() && all_well(*back, journal)) out_ = false;
  }
}

void Trace::follow(const std::vector<Action>& actions, const JournalView& journal) {
  for (const auto& action : actions) {
    if (const auto* change = std::get_if<plan::ChangeRotation>(&action.effect))
      follow(*change, action, journal);
    const auto* await = std::get_if<plan::AwaitRotation>(&action.effect);
    if (await != nullptr && await->until == plan::AwaitRotation::Until::serving &&
        journal.ended_well(action.id))
      out_ = false;
  }
}

void Trace::follow(const plan::ChangeRotation& change, const Action& action, const JournalView& journal) {
  using To = plan::ChangeRotation::To;
  if (!took(action, journal)) return;
  const bool well = journal.ended_well(action.id);
  switch (change.to) {
    case To::drain:
      // What is out already goes to maintenance at once.
      reached_ = out_ ? Reached::in_maint : Reached::drained;
      out_ = true;
      return;
    case To::maint:
      reached_ = Reached::in_maint;
      out_ = true;
      return;
    case To::prove:
      // Of a balancer that it could not tell the host is in maintenance yet.
      if (reached_ == Reached::let_in ||
          (well && journal.actions.at(action.id).notes.count(left_behind_key) == 0))
        reached_ = Reached::proving;
      return;
    case To::ready:
      if (well) reached_ = Reached::let_in;
      return;
    case To::undo:
      if (well) reached_ = Reached::drained;
      return;
    case To::close_sessions:
      return;
  }
}

}  // namespace staithe::world::parts
