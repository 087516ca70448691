#include "recovery_hosts.hpp"
#include "recovery_parts.hpp"

#include <algorithm>

/// The plan that mends what a run left.
namespace staithe::world {
namespace {

using namespace parts;
using plan::Action;
using plan::Bracket;
using plan::Lane;
using plan::Node;

/// Actions of the dead run under ids of their own. What was found out of rotation is no failure of theirs: a
/// recovery is over once all is as it was found.
std::vector<Action> renamed(std::vector<Action> actions) {
  for (auto& action : actions) {
    action.id = std::string(recovery_prefix) + action.id;
    if (auto* await = std::get_if<plan::AwaitRotation>(&action.effect)) await->in_service = false;
  }
  return actions;
}

Bracket renamed(const Bracket& bracket) {
  Bracket copy = bracket;
  copy.acquire = renamed(bracket.acquire);
  copy.undo = renamed(bracket.undo);
  copy.body = renamed(bracket.body);
  copy.repair = renamed(bracket.repair);
  copy.release = renamed(bracket.release);
  return copy;
}

std::vector<Node> renamed(const std::vector<Node>& nodes) {
  std::vector<Node> copies;
  for (const auto& node : nodes) {
    if (const auto* bracket = std::get_if<Bracket>(&node))
      copies.emplace_back(renamed(*bracket));
    else
      copies.emplace_back(renamed(std::vector<Action>{std::get<Action>(node)}).front());
  }
  return copies;
}

void add(const std::vector<Action>& actions, Lane& mended) {
  for (auto& action : renamed(actions)) mended.nodes.emplace_back(std::move(action));
}

/// A release is not bad for the death of the process that rolled it out, nor for what becomes of a host
/// between that and the recovery: it may have been restarted.
void leave_unbranded(Lane& lane) {
  const auto says_bad = [](const Action& action) { return brands(action.effect); };
  const auto is_bad = [&](const Node& node) {
    const auto* action = std::get_if<Action>(&node);
    return action != nullptr && says_bad(*action);
  };
  for (auto* nodes : {&lane.nodes, &lane.revert}) {
    for (auto& node : *nodes)
      if (auto* bracket = std::get_if<Bracket>(&node)) std::erase_if(bracket->body, says_bad);
    std::erase_if(*nodes, is_bad);
  }
}

/// From the action that lets visitors in: what came before it ended well.
std::vector<Action> from_letting_in(std::vector<Action> release) {
  const auto first =
      std::find_if(release.begin(), release.end(), [](const Action& a) { return lets_in(a.effect); });
  release.erase(release.begin(), first);
  return release;
}

/// The host is healthy by its own word and only to be proven and let in. The proof takes it out, and after a
/// reload of HAProxy it serves: capacity is asked for. One that was proven already is not proven again.
Bracket letting_in(const Bracket& bracket, const HostLeft& host) {
  Bracket mend = renamed(bracket);
  std::erase_if(mend.acquire, [&](const Action& action) {
    return host.let_in || !std::holds_alternative<plan::GuardCapacity>(action.effect);
  });
  mend.undo.clear();
  mend.body.clear();
  if (host.let_in) mend.release = from_letting_in(std::move(mend.release));
  return mend;
}

/// `staithe drain` has no way in of its own: that of its undo, behind a proof.
std::vector<Action> proven(const std::vector<Action>& undo) {
  std::vector<Action> release;
  for (const auto& action : undo) {
    const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
    if (change == nullptr || change->to != plan::ChangeRotation::To::undo) {
      release.push_back(action);
      continue;
    }
    const auto step = [&](const char* suffix, plan::Effect effect, std::string title,
                          base::Duration timeout) {
      Action next = action;
      next.id += suffix;
      next.effect = std::move(effect);
      next.title = std::move(title);
      next.timeout = timeout;
      release.push_back(std::move(next));
    };
    const auto& host = change->host;
    using Await = plan::AwaitRotation;
    step("/prove", plan::ChangeRotation{host, plan::ChangeRotation::To::prove},
         "let HAProxy's checks prove " + host, action.timeout);
    step("/proven", Await{host, Await::Until::proven, Await::AtDeadline::fail, {}}, host + " is proven",
         undo.back().timeout);
    step("", plan::ChangeRotation{host, plan::ChangeRotation::To::ready}, "restore " + host, action.timeout);
  }
  return release;
}

/// The app was not touched by the run, but nobody knows what has become of it since: in maintenance HAProxy
/// asks nothing, and would take it for up as soon as it leaves that. Where it was only drained the checks
/// have gone on.
void give_back(const Bracket& bracket, const HostLeft& host, Lane& mended) {
  if (host.reached == Reached::drained) return add(bracket.undo, mended);
  Bracket taken = bracket;
  if (taken.release.empty()) taken.release = proven(taken.undo);
  if (taken.release.empty()) return;
  Bracket mend = letting_in(taken, host);
  mend.repair.clear();
  mend.on_failure = Bracket::OnFailure::keep;
  mended.nodes.emplace_back(std::move(mend));
}

Lane recovery_lane(const Lane& lane, const HostLeft& host) {
  Lane mended{lane.host, {}, {}};
  const Bracket* bracket = bracket_of(lane.nodes);
  const Left left = host.left;
  if (left == Left::out_unaltered && bracket == nullptr) {
    // A restore that died on its way is gone again, from its beginning or from where the host was proven.
    auto actions = loose_rotation(lane);
    add(host.let_in ? from_letting_in(std::move(actions)) : actions, mended);
    return mended;
  }
  if (left == Left::altered || left == Left::condemned || bracket == nullptr) {
    mended.nodes = renamed(lane.revert);
    mended.mends = true;
    return mended;
  }
  if (left == Left::out_unaltered || left == Left::out_new) {
    const Bracket* taken = left == Left::out_new ? bracket_of(lane.revert) : bracket;
    give_back(taken == nullptr ? *bracket : *taken, host, mended);
    return mended;
  }
  if (left == Left::out_done) {
    // The new release is healthy and only waits to be let in; should that fail, the lane's revert follows.
    Bracket mend = letting_in(*bracket, host);
    mend.on_failure = Bracket::OnFailure::repair;
    mended.revert = renamed(lane.revert);
    mended.nodes.emplace_back(std::move(mend));
    add(rest_of(lane), mended);
    return mended;
  }
  // Where it cannot be taken out again it stays as it is: giving back would let visitors in to half a
  // release. Capacity is asked for: a host that is out costs none, and one whose way back had begun may
  // serve.
  Bracket mend = left == Left::out_back ? letting_in(*bracket, host) : renamed(*bracket);
  if (left != Left::out_back) mend.body = renamed(way_back(lane, host));
  mend.repair.clear();
  mend.undo.clear();
  mend.on_failure = Bracket::OnFailure::keep;
  mended.nodes.emplace_back(std::move(mend));
  return mended;
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
    Lane mended = recovery_lane(lane, *host);
    if (!host->release_failed) leave_unbranded(mended);
    if (!mended.nodes.empty()) mend.lanes.push_back(std::move(mended));
  }
  // What serves is taken out for its revert once what is out is back: there are most servers then.
  std::stable_partition(mend.lanes.begin(), mend.lanes.end(), [](const Lane& lane) { return !lane.mends; });
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
    clean.lanes.back().brought_along = host->brought_along;
    for (auto& node : renamed(lane.nodes)) clean.lanes.back().nodes.push_back(std::move(node));
  }
  return clean;
}

/// Their servers count as gone, whether or not anything is to be done on the hosts themselves.
std::set<std::string> still_out(const std::vector<HostLeft>& left) {
  std::set<std::string> hosts;
  for (const auto& host : left)
    if (!settled(host.left) && !host.by_hand) hosts.insert(host.host);
  return hosts;
}

}  // namespace

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
  recovery.strategy.deadline = base::Duration{0};  // what puts hosts right takes the time it takes
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
  keep_needed_hosts(recovery, still_out(left));
  return recovery;
}

}  // namespace staithe::world
