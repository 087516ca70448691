#include "recovery_parts.hpp"

#include <algorithm>
#include <set>

namespace staithe::world::parts {

using plan::Action;
using plan::Bracket;
using plan::Lane;
using plan::Node;

namespace {

std::string own_id(const std::string& id) {
  return id.substr(recovery_prefix.size());
}

bool begun(const std::vector<Node>& nodes, const JournalView& journal) {
  return std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) {
    if (const auto* action = std::get_if<Action>(&node)) return journal.begun(action->id);
    const auto& bracket = std::get<Bracket>(node);
    return any_begun(bracket.acquire, journal) || any_begun(bracket.body, journal) ||
           any_begun(bracket.release, journal);
  });
}

bool ended_well(const Node& node, const JournalView& journal) {
  if (const auto* action = std::get_if<Action>(&node)) return all_well({*action}, journal);
  const auto& bracket = std::get<Bracket>(node);
  return all_well(bracket.acquire, journal) && all_well(bracket.body, journal) &&
         all_well(bracket.release, journal);
}

bool ended_well(const std::vector<Node>& nodes, const JournalView& journal) {
  return std::all_of(nodes.begin(), nodes.end(), [&](const Node& node) { return ended_well(node, journal); });
}

/// The host was given back: everything ended well up to what follows that.
bool given_back(const Lane& mended, const JournalView& journal) {
  for (const auto& node : mended.nodes)
    if (std::holds_alternative<Bracket>(node)) return ended_well(node, journal);
  return ended_well(mended.nodes, journal);
}

/// A step after the host was back began to change the app and did not end well.
bool altered_since(const Lane& mended, const JournalView& journal) {
  const auto rest = rest_of(mended);
  return std::any_of(rest.begin(), rest.end(), [&](const Action& action) {
    return action.alters_service && journal.begun(action.id) && !journal.ended_well(action.id);
  });
}

Left once_given_back(Left left) {
  switch (left) {
    case Left::out_unaltered:
      return Left::untouched;
    case Left::out_done:
    case Left::out_new:
      return Left::done;
    case Left::out_altered:
    case Left::out_back:
    case Left::altered:
    case Left::condemned:
      return Left::reverted;
    default:
      return left;
  }
}

/// The way back was begun and not ended.
void follow_half_way(HostLeft& host, const Lane& lane, const Lane& mended, const JournalView& journal) {
  const Bracket* bracket = bracket_of(mended.nodes);
  switch (host.left) {
    case Left::out_unaltered:
      host.let_in = bracket != nullptr
                        ? let_in(bracket->release, journal)
                        : bracket_of(lane.nodes) == nullptr && let_in(loose_rotation(mended), journal);
      return;
    case Left::out_new:
    case Left::out_done:
      host.let_in = bracket != nullptr && let_in(bracket->release, journal);
      return;
    case Left::out_altered:
    case Left::out_back:
      host.left =
          bracket != nullptr && all_well(bracket->body, journal) && !refused(bracket->release, journal)
              ? Left::out_back
              : Left::out_altered;
      host.let_in = host.left == Left::out_back && let_in(bracket->release, journal);
      return;
    case Left::altered:
      if (bracket_of(lane.nodes) != nullptr && rotation_left(mended, journal) == RotationLeft::out)
        host.left = Left::out_altered;
      return;
    case Left::condemned:
      // It serves the new release until it is out, and nobody knows what once it is.
      if (bracket == nullptr)
        host.left = Left::altered;
      else if (rotation_left(mended, journal) == RotationLeft::out)
        host.left = Left::out_altered;
      return;
    default:
      return;
  }
}

}  // namespace

bool any_begun(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(), [&](const Action& a) { return journal.begun(a.id); });
}

bool all_well(const std::vector<Action>& actions, const JournalView& journal) {
  return std::all_of(actions.begin(), actions.end(),
                     [&](const Action& a) { return brands(a.effect) || journal.ended_well(a.id); });
}

bool any_failed(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(), [&](const Action& action) {
    const auto entry = journal.actions.find(action.id);
    return entry != journal.actions.end() && entry->second.ended && !journal.ended_well(action.id);
  });
}

bool refused(const std::vector<Action>& release, const JournalView& journal) {
  auto judging = release;
  std::erase_if(judging, [](const Action& action) { return lets_in(action.effect); });
  return any_failed(judging, journal);
}

bool let_in(const std::vector<Action>& release, const JournalView& journal) {
  for (const auto& action : release) {
    if (lets_in(action.effect)) return journal.begun(action.id);
    if (!journal.ended_well(action.id)) return false;
  }
  return false;
}

std::string found_in(const std::vector<Node>& nodes, const JournalView& journal) {
  std::string found;
  for (const auto& node : nodes) {
    const auto* bracket = std::get_if<Bracket>(&node);
    if (bracket == nullptr) continue;
    for (const auto* part : {&bracket->acquire, &bracket->release})
      for (const auto& action : *part) {
        const auto entry = journal.actions.find(action.id);
        if (entry == journal.actions.end() || lets_in(action.effect)) continue;
        if (const auto note = entry->second.notes.find(found_key); note != entry->second.notes.end())
          found = note->second;
      }
  }
  return found;
}

std::vector<Action> way_back(const Lane& lane, const HostLeft& host) {
  const Bracket* whole = bracket_of(lane.revert);
  if (host.beyond && whole != nullptr) return whole->body;
  const Bracket* bracket = bracket_of(lane.nodes);
  return bracket == nullptr ? std::vector<Action>() : bracket->repair;
}

bool needs_a_person(const Lane& lane, const HostLeft& host) {
  if (host.left == Left::altered) return lane.revert.empty();
  return host.left == Left::out_altered && way_back(lane, host).empty();
}

void follow(HostLeft& host, const Lane& lane, const Lane& mended, const JournalView& journal) {
  if (settled(host.left)) return;
  const bool reverting = begun(mended.revert, journal);
  if (!reverting && !begun(mended.nodes, journal)) return;
  // What it met when it took the host out again is given back, where somebody had commanded meanwhile.
  for (const auto* nodes : {&mended.nodes, &mended.revert})
    if (auto again = found_in(*nodes, journal); !again.empty()) host.found = std::move(again);
  if (reverting) {
    host.left = ended_well(mended.revert, journal) ? Left::reverted : Left::out_altered;
    host.let_in = false;
  } else if (given_back(mended, journal)) {
    host.left = altered_since(mended, journal) ? Left::altered : once_given_back(host.left);
    host.let_in = false;
  } else {
    follow_half_way(host, lane, mended, journal);
  }
}

void add_rest(const plan::Plan& plan, const std::vector<LaterRecovery>& since, JournalView& journal) {
  std::set<std::string> rest;
  bool rolled = false;
  for (const auto& stage : plan.stages) {
    const bool rolling = stage.shape == plan::Stage::Shape::rolling;
    rolled = rolled || rolling;
    for (const auto& lane : stage.lanes) {
      if (rolling)
        for (const auto& action : rest_of(lane)) rest.insert(action.id);
      if (!rolling && rolled)
        for (const auto& node : lane.nodes)
          if (const auto* action = std::get_if<Action>(&node)) rest.insert(action->id);
    }
  }
  for (const auto& recovery : since)
    for (const auto& [id, entry] : recovery.journal.actions)
      if (entry.begun && id.starts_with(recovery_prefix) && rest.count(own_id(id)) > 0)
        journal.actions[own_id(id)] = entry;
}

}  // namespace staithe::world::parts
