#include "staithe/world/recovery.hpp"

#include "staithe/base/error.hpp"
#include "staithe/haproxy/found.hpp"
#include "staithe/haproxy/state.hpp"

#include <algorithm>

namespace staithe::world {
namespace {

using plan::Action;
using plan::Bracket;
using plan::Lane;
using plan::Node;

/// In front of the ids of the dead run's actions, where a recovery does them.
constexpr std::string_view recovery_prefix = "recover/";

bool takes_out(const plan::Effect& effect) {
  using To = plan::ChangeRotation::To;
  const auto* change = std::get_if<plan::ChangeRotation>(&effect);
  return change != nullptr && change->to != To::ready && change->to != To::undo;
}

bool serves(const plan::Effect& effect) {
  const auto* await = std::get_if<plan::AwaitRotation>(&effect);
  return await != nullptr && await->until == plan::AwaitRotation::Until::serving;
}

const Bracket* bracket_of(const std::vector<Node>& nodes) {
  for (const auto& node : nodes)
    if (const auto* bracket = std::get_if<Bracket>(&node)) return bracket;
  return nullptr;
}

bool any_begun(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(), [&](const Action& a) { return journal.begun(a.id); });
}

bool all_well(const std::vector<Action>& actions, const JournalView& journal) {
  return std::all_of(actions.begin(), actions.end(),
                     [&](const Action& a) { return journal.ended_well(a.id); });
}

bool altered(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const Action& a) { return a.alters_service && journal.begun(a.id); });
}

Left assess(const Bracket& bracket, const JournalView& journal) {
  if (!any_begun(bracket.acquire, journal)) return Left::untouched;
  const bool given_back = !bracket.release.empty() && all_well(bracket.release, journal);
  const bool repaired = any_begun(bracket.repair, journal);
  if (given_back) return repaired ? Left::reverted : Left::done;
  if (!altered(bracket.body, journal))
    return !bracket.undo.empty() && all_well(bracket.undo, journal) ? Left::untouched : Left::out_unaltered;
  if (!repaired && all_well(bracket.body, journal)) return Left::out_done;
  return Left::out_altered;
}

/// A change of the rotation outside a bracket, as `restore` and recoveries have them.
Left after_rotation(const Action& action, const JournalView& journal, Left left) {
  if (takes_out(action.effect) && journal.begun(action.id))
    return left == Left::altered ? Left::out_altered : Left::out_unaltered;
  if (!serves(action.effect) || !journal.ended_well(action.id)) return left;
  return left == Left::out_altered ? Left::altered : left == Left::out_unaltered ? Left::untouched : left;
}

Left assess_nodes(const std::vector<Node>& nodes, const JournalView& journal) {
  Left left = Left::untouched;
  bool complete = true;
  for (const auto& node : nodes) {
    if (const auto* bracket = std::get_if<Bracket>(&node)) {
      const Left here = assess(*bracket, journal);
      // Where the app was changed before the drain, giving back alone would let in what nobody has proved.
      const bool changed_before = left == Left::altered && here == Left::out_unaltered;
      if (here != Left::untouched) left = changed_before ? Left::out_altered : here;
      complete = complete && here == Left::done;
    } else {
      const auto& action = std::get<Action>(node);
      if (action.alters_service && journal.begun(action.id)) left = Left::altered;
      left = after_rotation(action, journal, left);
      complete = complete && journal.ended_well(action.id);
    }
  }
  return left == Left::altered && complete ? Left::done : left;
}

/// A revert is a lane of its own: where it had begun, its end decides.
Left assess_lane(const Lane& lane, const JournalView& journal) {
  const Left forward = assess_nodes(lane.nodes, journal);
  const Left back = assess_nodes(lane.revert, journal);
  switch (back) {
    case Left::untouched:
      return forward;
    case Left::done:
    case Left::reverted:
      return Left::reverted;
    case Left::out_unaltered:
      // Not changed back yet: a release that had served may serve again, any other may not.
      return forward == Left::done ? Left::out_new : Left::out_altered;
    case Left::altered:
      return bracket_of(lane.nodes) == nullptr ? Left::altered : Left::out_altered;
    default:
      return Left::out_altered;
  }
}

/// The app may be anything, and the plan holds nothing that brings it back.
bool needs_a_person(const Lane& lane, Left left) {
  if (left == Left::altered) return lane.revert.empty();
  if (left != Left::out_altered) return false;
  const Bracket* bracket = bracket_of(lane.nodes);
  return bracket == nullptr || bracket->repair.empty();
}

std::string found_in(const std::vector<Node>& nodes, const JournalView& journal) {
  for (const auto& node : nodes) {
    const auto* bracket = std::get_if<Bracket>(&node);
    if (bracket == nullptr) continue;
    for (const auto& action : bracket->acquire) {
      const auto entry = journal.actions.find(action.id);
      if (entry == journal.actions.end()) continue;
      if (const auto note = entry->second.notes.find(found_key); note != entry->second.notes.end())
        return note->second;
    }
  }
  return {};
}

/// Actions of the dead run under ids of their own.
std::vector<Action> renamed(std::vector<Action> actions) {
  for (auto& action : actions) action.id = std::string(recovery_prefix) + action.id;
  return actions;
}

/// Takes the host out again without asking for capacity: it is out, or it should be.
std::vector<Action> retake(const Bracket& bracket) {
  std::vector<Action> actions;
  for (const auto& action : bracket.acquire)
    if (!std::holds_alternative<plan::GuardCapacity>(action.effect)) actions.push_back(action);
  return renamed(std::move(actions));
}

/// Whether the host may be in rotation, so that taking it out must ask for capacity.
enum class Serving { no, perhaps };

Bracket renamed(const Bracket& bracket, Serving serving) {
  Bracket copy = bracket;
  copy.acquire = serving == Serving::perhaps ? renamed(bracket.acquire) : retake(bracket);
  copy.undo = renamed(bracket.undo);
  copy.body = renamed(bracket.body);
  copy.repair = renamed(bracket.repair);
  copy.release = renamed(bracket.release);
  return copy;
}

std::vector<Node> renamed(const std::vector<Node>& nodes, Serving serving) {
  std::vector<Node> copies;
  for (const auto& node : nodes) {
    if (const auto* bracket = std::get_if<Bracket>(&node))
      copies.emplace_back(renamed(*bracket, serving));
    else
      copies.emplace_back(renamed(std::vector<Action>{std::get<Action>(node)}).front());
  }
  return copies;
}

/// What a run does on the host after it is back: its checks, its entry in the history.
std::vector<Action> rest_of(const Lane& lane) {
  std::vector<Action> rest;
  bool after_bracket = false;
  for (const auto& node : lane.nodes) {
    if (std::holds_alternative<Bracket>(node))
      after_bracket = true;
    else if (after_bracket)
      rest.push_back(std::get<Action>(node));
  }
  return rest;
}

void add(const std::vector<Action>& actions, Lane& mended) {
  for (auto& action : renamed(actions)) mended.nodes.emplace_back(std::move(action));
}

Lane recovery_lane(const Lane& lane, Left left) {
  Lane mended{lane.host, {}, {}};
  const Bracket* bracket = bracket_of(lane.nodes);
  if (left == Left::out_unaltered && bracket == nullptr) {
    // A restore that died on its way is gone again from its beginning.
    for (const auto& node : lane.nodes)
      if (const auto* action = std::get_if<Action>(&node);
          action != nullptr && plan::is_rotation(action->effect))
        mended.nodes.emplace_back(renamed(std::vector<Action>{*action}).front());
    return mended;
  }
  if (left == Left::altered || bracket == nullptr) {
    mended.nodes = renamed(lane.revert, Serving::perhaps);
    return mended;
  }
  if (left == Left::out_unaltered || left == Left::out_new) {
    const Bracket* taken = left == Left::out_new ? bracket_of(lane.revert) : bracket;
    for (auto& action : renamed((taken == nullptr ? bracket : taken)->undo))
      mended.nodes.emplace_back(std::move(action));
    return mended;
  }
  Bracket mend = renamed(*bracket, Serving::no);
  if (left == Left::out_done) {
    // The new release is healthy and only waits to be let in; should that fail, the lane's revert follows.
    mend.acquire.clear();
    mend.body.clear();
    mend.on_failure = Bracket::OnFailure::repair;
    mended.revert = renamed(lane.revert, Serving::no);
  } else {
    mend.body = mend.repair;
    mend.repair.clear();
    // Where it cannot be taken out again it stays as it is: giving back would let visitors in to half a
    // release.
    mend.undo.clear();
    mend.on_failure = Bracket::OnFailure::keep;
  }
  mended.nodes.emplace_back(std::move(mend));
  if (left == Left::out_done) add(rest_of(lane), mended);
  return mended;
}

bool ended_well(const Lane& lane, const JournalView& journal) {
  return std::all_of(lane.nodes.begin(), lane.nodes.end(), [&](const Node& node) {
    const auto* action = std::get_if<Action>(&node);
    return action != nullptr && journal.ended_well(action->id);
  });
}

/// Whether every host is on the new release, or healthy on it and only to be let in.
bool all_on_new(const std::vector<HostLeft>& all) {
  return !all.empty() && std::all_of(all.begin(), all.end(), [](const HostLeft& host) {
    return host.left == Left::done || host.left == Left::out_done;
  });
}

/// Whether what a host does after it is back, its last check above all, was refused on any: such a release is
/// not good, wherever else it serves.
bool condemned(const plan::Plan& plan, const JournalView& journal) {
  const auto failed = [&](const Action& action) {
    const auto entry = journal.actions.find(action.id);
    return entry != journal.actions.end() && entry->second.ended && !journal.ended_well(action.id);
  };
  for (const auto& stage : plan.stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    for (const auto& lane : stage.lanes) {
      const auto rest = rest_of(lane);
      if (std::any_of(rest.begin(), rest.end(), failed)) return true;
    }
  }
  return false;
}

/// What follows the roll on each host is owed only where nothing in between was to judge the roll, or found
/// it good.
void find_unclean(const plan::Plan& plan, const JournalView& journal, std::vector<HostLeft>& all) {
  if (!all_on_new(all) || condemned(plan, journal)) return;
  const plan::Stage* roll = nullptr;
  for (const auto& stage : plan.stages) {
    if (stage.shape == plan::Stage::Shape::rolling) roll = &stage;
    if (roll == nullptr || roll == &stage) continue;
    const auto is_open = [&](const Lane& lane) { return !ended_well(lane, journal); };
    if (stage.shape == plan::Stage::Shape::once &&
        std::any_of(stage.lanes.begin(), stage.lanes.end(), is_open))
      return;
    if (stage.shape != plan::Stage::Shape::parallel) continue;
    for (const auto& lane : stage.lanes)
      for (auto& host : all)
        if (host.host == lane.host && is_open(lane)) host.to_clean = true;
  }
  for (const auto& lane : roll == nullptr ? std::vector<Lane>{} : roll->lanes)
    for (auto& host : all)
      if (host.host == lane.host && host.to_clean && host.left == Left::done)
        for (const auto& action : rest_of(lane))
          if (!journal.ended_well(action.id)) host.rest.push_back(action.id);
}

const HostLeft* find(const std::vector<HostLeft>& left, const std::string& host) {
  const auto found =
      std::find_if(left.begin(), left.end(), [&](const HostLeft& entry) { return entry.host == host; });
  return found == left.end() ? nullptr : &*found;
}

plan::Stage mending(const plan::Stage& stage, const std::vector<HostLeft>& left) {
  plan::Stage mend{"recover", stage.shape, 1, {}};
  for (const auto& lane : stage.lanes) {
    const HostLeft* host = find(left, lane.host);
    if (host == nullptr || settled(host->left) || host->by_hand) continue;
    Lane mended = recovery_lane(lane, host->left);
    if (!mended.nodes.empty()) mend.lanes.push_back(std::move(mended));
  }
  return mend;
}

/// What the host still had to do after it was back.
Lane remaining(const plan::Stage& roll, const HostLeft& host) {
  Lane lane{host.host, {}, {}};
  for (const auto& rolled : roll.lanes) {
    if (rolled.host != host.host) continue;
    auto rest = rest_of(rolled);
    std::erase_if(rest, [&](const Action& action) {
      return std::find(host.rest.begin(), host.rest.end(), action.id) == host.rest.end();
    });
    add(rest, lane);
  }
  return lane;
}

/// What was to follow the roll, from its beginning: it does no harm to do that again.
plan::Stage cleaning(const plan::Stage& stage, const plan::Stage& roll, const std::vector<HostLeft>& left) {
  plan::Stage clean{stage.name, stage.shape, stage.at_once, {}};
  for (const auto& lane : stage.lanes) {
    const HostLeft* host = find(left, lane.host);
    if (host == nullptr || !host->to_clean) continue;
    clean.lanes.push_back(remaining(roll, *host));
    for (auto& node : renamed(lane.nodes, Serving::no)) clean.lanes.back().nodes.push_back(std::move(node));
  }
  return clean;
}

}  // namespace

std::string_view text_of(Left left) noexcept {
  switch (left) {
    case Left::untouched:
      return "untouched";
    case Left::out_unaltered:
      return "out of rotation, the app not touched";
    case Left::out_altered:
      return "out of rotation, the app was being changed";
    case Left::out_done:
      return "out of rotation, the new release healthy";
    case Left::out_new:
      return "out of rotation to go back, still on the new release";
    case Left::altered:
      return "the app was being changed";
    case Left::done:
      return "on the new release";
    case Left::reverted:
      return "back on the release before";
  }
  return "";
}

bool was_out(const std::string& found) noexcept {
  try {
    std::size_t servers = 0;
    for (const auto& balancer : haproxy::parse_found(found).balancers)
      for (const auto& server : balancer.servers) {
        ++servers;
        if (!server.follows && haproxy::own_state(server.admin) == haproxy::Own::ready) return false;
      }
    return servers > 0;
  } catch (const base::Error&) {
    return false;
  }
}

bool settled(Left left) noexcept {
  return left == Left::untouched || left == Left::done || left == Left::reverted;
}

void add_recovery(JournalView& journal, const JournalView& recovery) {
  for (const auto& [id, entry] : recovery.actions) {
    if (!entry.begun || id.rfind(recovery_prefix, 0) != 0) continue;
    auto& own = journal.actions[id.substr(recovery_prefix.size())];
    if (!own.begun) own.begun = true;
  }
}

RotationLeft rotation_left(const Lane& lane, const JournalView& journal) {
  RotationLeft left = RotationLeft::untouched;
  const auto follow = [&](const std::vector<Action>& actions) {
    for (const auto& action : actions) {
      const auto entry = journal.actions.find(action.id);
      if (entry == journal.actions.end()) continue;
      // A drain changes nothing before it has noted what it found.
      const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
      const bool drains = change != nullptr && change->to == plan::ChangeRotation::To::drain;
      const bool took = entry->second.begun && takes_out(action.effect);
      if (took && (!drains || entry->second.notes.count(found_key) > 0)) left = RotationLeft::out;
      if (serves(action.effect) && journal.ended_well(action.id)) left = RotationLeft::back;
    }
  };
  for (const auto* nodes : {&lane.nodes, &lane.revert})
    for (const auto& node : *nodes) {
      if (const auto* action = std::get_if<Action>(&node)) {
        follow({*action});
        continue;
      }
      const auto& bracket = std::get<Bracket>(node);
      for (const auto* part :
           {&bracket.acquire, &bracket.body, &bracket.repair, &bracket.release, &bracket.undo})
        follow(*part);
    }
  return left;
}

std::vector<HostLeft> assess(const plan::Plan& plan, const JournalView& journal) {
  std::vector<HostLeft> all;
  for (const auto& stage : plan.stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    for (const auto& lane : stage.lanes) {
      std::string found = found_in(lane.nodes, journal);
      if (std::string again = found_in(lane.revert, journal); !again.empty()) found = std::move(again);
      const Left left = assess_lane(lane, journal);
      all.push_back({lane.host, left, std::move(found), needs_a_person(lane, left), false, {}});
    }
  }
  find_unclean(plan, journal, all);
  return all;
}

plan::Plan recovery_plan(const plan::Plan& plan, const std::vector<HostLeft>& left) {
  plan::Plan recovery = plan;
  recovery.kind = "recover";
  recovery.title = "recover " + plan.title;
  recovery.stages.clear();
  recovery.notify_failure.clear();
  recovery.open = renamed(plan.open);
  recovery.close = renamed(plan.close);
  recovery.strategy.parallel = 1;
  recovery.strategy.max_failures = {100, true};
  recovery.strategy.on_failure = plan::Strategy::OnFailure::stop;
  const plan::Stage* roll = nullptr;
  const auto add_stage = [&](plan::Stage stage) {
    if (!stage.lanes.empty()) recovery.stages.push_back(std::move(stage));
  };
  for (const auto& stage : plan.stages) {
    if (stage.shape == plan::Stage::Shape::rolling) {
      roll = &stage;
      add_stage(mending(stage, left));
    } else if (roll != nullptr && stage.shape == plan::Stage::Shape::parallel) {
      add_stage(cleaning(stage, *roll, left));
    }
  }
  return recovery;
}

}  // namespace staithe::world
