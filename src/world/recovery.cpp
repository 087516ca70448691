#include "recovery_parts.hpp"

#include "staithe/base/error.hpp"
#include "staithe/event/event.hpp"
#include "staithe/haproxy/found.hpp"
#include "staithe/haproxy/state.hpp"
#include "staithe/world/past_runs.hpp"

#include <algorithm>

/// What a run that died left, by its journal and those of the recoveries that came after it.
namespace staithe::world {
namespace {

using namespace parts;
using plan::Action;
using plan::Bracket;
using plan::Lane;
using plan::Node;

bool takes_out(const plan::Effect& effect) {
  using To = plan::ChangeRotation::To;
  const auto* change = std::get_if<plan::ChangeRotation>(&effect);
  return change != nullptr && change->to != To::ready && change->to != To::undo;
}

bool took_any(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(), [&](const Action& a) { return took(a, journal); });
}

bool serves(const plan::Effect& effect) {
  const auto* await = std::get_if<plan::AwaitRotation>(&effect);
  return await != nullptr && await->until == plan::AwaitRotation::Until::serving;
}

bool altered(const std::vector<Action>& actions, const JournalView& journal) {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const Action& a) { return a.alters_service && journal.begun(a.id); });
}

Left assess(const Bracket& bracket, const JournalView& journal) {
  if (!took_any(bracket.acquire, journal)) return Left::untouched;
  const bool given_back = !bracket.release.empty() && all_well(bracket.release, journal);
  const bool repaired = any_begun(bracket.repair, journal);
  if (given_back) return repaired ? Left::reverted : Left::done;
  if (!altered(bracket.body, journal))
    return !bracket.undo.empty() && all_well(bracket.undo, journal) ? Left::untouched : Left::out_unaltered;
  if (!repaired && all_well(bracket.body, journal)) return Left::out_done;
  // What the balancers' proof refused is repaired anew, for its app may be wrong all the same.
  const bool healthy = repaired && all_well(bracket.repair, journal);
  return healthy && !refused(bracket.release, journal) ? Left::out_back : Left::out_altered;
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
      complete = complete && all_well({action}, journal);
    }
  }
  return left == Left::altered && complete ? Left::done : left;
}

/// A revert is a lane of its own: where it had begun, its end decides.
Left assess_lane(const Lane& lane, const JournalView& journal) {
  const Left forward = assess_nodes(lane.nodes, journal);
  const Left back = assess_nodes(lane.revert, journal);
  switch (back) {
    case Left::untouched: {
      // Begun, and nothing taken yet: a release that had not come back may not be given back all the same.
      const Bracket* bracket = bracket_of(lane.revert);
      const bool asked = bracket != nullptr && any_begun(bracket->acquire, journal);
      return asked && !settled(forward) ? Left::out_altered : forward;
    }
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

bool alters(const Lane& lane, const JournalView& journal) {
  return std::any_of(lane.nodes.begin(), lane.nodes.end(), [&](const Node& node) {
    const auto* bracket = std::get_if<Bracket>(&node);
    return bracket == nullptr ? altered({std::get<Action>(node)}, journal) : altered(bracket->body, journal);
  });
}

/// What was to go back to the release before does not stay on the new one, and is not let in with it.
Left once_condemned(Left left) {
  if (left == Left::done) return Left::condemned;
  return left == Left::out_done || left == Left::out_new ? Left::out_altered : left;
}

bool ended_well(const Lane& lane, const JournalView& journal) {
  return std::all_of(lane.nodes.begin(), lane.nodes.end(), [&](const Node& node) {
    const auto* action = std::get_if<Action>(&node);
    return action != nullptr && journal.ended_well(action->id);
  });
}

/// Whether the host may serve already, of one that was on its way back.
bool on_its_last_step(const Lane& lane, Left left, const JournalView& journal) {
  const Bracket* bracket = bracket_of(lane.nodes);
  if (bracket == nullptr) return left == Left::out_unaltered && let_in(loose_rotation(lane), journal);
  return (left == Left::out_done || left == Left::out_back) && let_in(bracket->release, journal);
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
  for (const auto& stage : plan.stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    for (const auto& lane : stage.lanes)
      if (any_failed(rest_of(lane), journal)) return true;
  }
  return false;
}

HostLeft brought_along(const std::string& host) {
  HostLeft left;
  left.host = host;
  left.left = Left::done;
  left.to_clean = left.brought_along = true;
  return left;
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
    for (const auto& lane : stage.lanes) {
      if (!is_open(lane)) continue;
      const auto known =
          std::find_if(all.begin(), all.end(), [&](const HostLeft& host) { return host.host == lane.host; });
      if (known != all.end())
        known->to_clean = true;
      else if (!lane.host.empty())
        all.push_back(brought_along(lane.host));
    }
  }
  for (const auto& lane : roll == nullptr ? std::vector<Lane>{} : roll->lanes)
    for (auto& host : all)
      if (host.host == lane.host && host.to_clean && host.left == Left::done)
        for (const auto& action : rest_of(lane))
          if (!journal.ended_well(action.id)) host.rest.push_back(action.id);
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
    case Left::out_back:
      return "out of rotation, the release before healthy";
    case Left::out_new:
      return "out of rotation to go back, still on the new release";
    case Left::altered:
      return "the app was being changed";
    case Left::condemned:
      return "on the new release, which was to go back";
    case Left::done:
      return "on the new release";
    case Left::reverted:
      return "back on the release before";
  }
  return "";
}

bool must_stay_out(const plan::Plan& plan, const HostLeft& host) {
  if (host.let_in || settled(host.left) || host.left == Left::condemned || host.left == Left::out_new)
    return false;
  if (host.left != Left::out_unaltered) return true;
  // Out by a bracket's drain: its app runs as it did. A restore goes on with what somebody else had drained.
  const auto drained = drained_by(plan);
  return std::find(drained.begin(), drained.end(), host.host) == drained.end();
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

RotationLeft rotation_left(const Lane& lane, const JournalView& journal) {
  RotationLeft left = RotationLeft::untouched;
  const auto follow = [&](const std::vector<Action>& actions) {
    for (const auto& action : actions) {
      if (takes_out(action.effect) && took(action, journal)) left = RotationLeft::out;
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

std::vector<HostLeft> assess(const plan::Plan& plan, const JournalView& journal,
                             const std::vector<LaterRecovery>& since) {
  std::vector<HostLeft> all;
  const bool is_bad = release_failed(plan, journal);
  auto later = journal;
  add_rest(plan, since, later);
  for (const auto& stage : plan.stages) {
    if (stage.shape != plan::Stage::Shape::rolling) continue;
    for (const auto& lane : stage.lanes) {
      HostLeft host;
      host.release_failed = is_bad;
      host.host = lane.host;
      host.found = found_in(lane.nodes, journal);
      if (std::string again = found_in(lane.revert, journal); !again.empty()) host.found = std::move(again);
      host.left = assess_lane(lane, journal);
      if (to_be_reverted(lane, journal) && alters(lane, journal)) host.left = once_condemned(host.left);
      host.let_in = on_its_last_step(lane, host.left, journal);
      Trace trace;
      trace.follow(lane, journal);
      host.told = told_in(lane.host, journal);
      for (const auto& recovery : since)
        for (const auto& mending : recovery.plan.stages)
          if (mending.shape == plan::Stage::Shape::rolling)
            for (const auto& mended : mending.lanes)
              if (mended.host == lane.host) {
                follow(host, lane, mended, recovery.journal);
                trace.follow(mended, recovery.journal);
                for (auto& told : told_in(lane.host, recovery.journal)) host.told.push_back(std::move(told));
              }
      host.reached = trace.reached();
      if (host.reached == Reached::let_in && !host.let_in) host.reached = Reached::proving;
      host.beyond = any_begun(rest_of(lane), later);
      host.by_hand = needs_a_person(lane, host);
      all.push_back(std::move(host));
    }
  }
  find_unclean(plan, later, all);
  return all;
}

}  // namespace staithe::world
