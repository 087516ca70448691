#include "lane_runner.hpp"

#include "staithe/base/elapsed.hpp"

#include <algorithm>
#include <utility>

namespace staithe::exec {
namespace {

using Clock = std::chrono::steady_clock;

/// What a revert does may be given up when the journal cannot be written: the host serves as it is.
constexpr Manner reverting{Shield::soft, Record::required, Persistence::stubborn};

plan::Lane without_undo(plan::Lane lane) {
  for (auto& node : lane.revert)
    if (auto* bracket = std::get_if<plan::Bracket>(&node)) bracket->undo.clear();
  return lane;
}

/// What becomes of a host that is out and lost, with its app untouched.
enum class Lost {
  is_proven,  ///< given back as far as the balancers' checks find it healthy
  stays_out,  ///< what it runs is what the lane was to rid it of
};

/// That the release is bad does not wait for the host to come back from it: the entry is made though what it
/// stands behind could not be done. It is one more action of the lane.
void brand(const Context& context, const plan::Lane& lane, const std::vector<plan::Action>& actions,
           LaneResult& result) {
  LaneState state;
  state.host = lane.host;
  state.of = plan::count_actions(lane);
  state.index = result.actions;
  Manner manner = giving_back;
  manner.bound = Bound::by_itself;
  for (const auto& action : actions)
    if (!result.branded && plan::brands(action.effect))
      result.branded = run_action(context, action, state, manner).ok();
  result.actions = state.index;
}

void brand(const Context& context, const plan::Lane& lane, const std::vector<plan::Node>& nodes,
           LaneResult& result) {
  for (const auto& node : nodes) {
    const auto* bracket = std::get_if<plan::Bracket>(&node);
    brand(context, lane, bracket == nullptr ? std::vector{std::get<plan::Action>(node)} : bracket->body,
          result);
  }
}

class LaneRunner {
 public:
  LaneRunner(const Context& context, const plan::Lane& lane, const Manner& manner, Lost lost,
             Blame blame = Blame::release)
      : context_(context), lane_(lane), manner_(manner), lost_(lost), blame_(blame) {
    state_.host = lane.host;
    state_.brought_along = lane.brought_along;
    state_.of = plan::count_actions(lane);
  }

  LaneResult run(const std::vector<plan::Node>& nodes) {
    const auto started = Clock::now();
    result_.state = event::HostState::done;
    if (calls_good(nodes) && is_unmet()) return std::move(result_);
    for (const auto& node : nodes) {
      if (const auto* bracket = std::get_if<plan::Bracket>(&node)) {
        run_bracket(*bracket);
      } else if (const auto& action = std::get<plan::Action>(node); !step(action, manner_of(action))) {
        result_.state = without_bracket(action);
      } else if (plan::is_rotation(action.effect)) {
        result_.moved = true;
      }
      if (!result_.ok()) break;
    }
    const bool mended = result_.ok() || result_.state == event::HostState::reverted;
    if (mended && !result_.kept_out.empty())
      result_.but_for_others = std::exchange(result_.state, event::HostState::out);
    count_out();
    result_.actions = state_.index;
    result_.late = state_.late;
    result_.duration = base::since(started);
    return std::move(result_);
  }

 private:
  static bool calls_good(const std::vector<plan::Node>& nodes) {
    return std::any_of(nodes.begin(), nodes.end(), [](const plan::Node& node) {
      const auto* action = std::get_if<plan::Action>(&node);
      const auto* record = action == nullptr ? nullptr : std::get_if<plan::RecordRelease>(&action->effect);
      return record != nullptr && record->state == plan::RecordRelease::State::good;
    });
  }

  /// A release that no visitor has met is not good for being installed.
  bool is_unmet() {
    const auto why = context_.effects.unmet();
    if (!why.empty())
      context_.bus.send(
          event::Message{event::Level::warning, lane_.host,
                         context_.plan.release + " is not marked good: no visitor has met it, for " + why});
    return !why.empty();
  }

  /// That a host is done is written down however late it is: it would be reverted for want of a line.
  Manner manner_of(const plan::Action& action) const {
    Manner manner = manner_;
    if (std::holds_alternative<plan::RecordRelease>(action.effect)) manner.bound = Bound::by_itself;
    return manner;
  }

  /// One action; the first failure of the lane is kept. Once the service is altered the host is finished
  /// whatever the first signal says; only the run's deadline gives it up then. But nobody who stops a run
  /// waits for a health that may never come: such a wait, when it was under way, ends, and the host is put
  /// back.
  bool step(const plan::Action& action, Manner manner) {
    if (blame() == Blame::nobody && plan::brands(action.effect)) return true;
    const bool late = manner.bound == Bound::by_run && context_.clock.passed();
    const bool altering = action.alters_service && !late;
    const bool hurries = mendable_ && only_waits(action) && !context_.stops.soft.requested();
    if ((result_.altered || altering) && manner.shield == Shield::none && !hurries)
      manner.shield = Shield::soft;
    const auto begun = Clock::now();
    EffectResult result = run_action(context_, action, state_, manner);
    if (state_.performed) note_begun(action);
    if (state_.performed) note_rotation(action, begun, result.ok());
    const bool refused = result.outcome == event::Outcome::refused;
    if (state_.performed && !refused && changes(action.effect)) result_.changed = true;
    if (result.ok()) {
      result_.branded = result_.branded || plan::brands(action.effect);
      if (!result.kept_out.empty()) result_.kept_out = result.kept_out;
      return true;
    }
    if (!result_.failure)
      result_.failure =
          Failure{told_host(lane_.host, action), action.id, action.title,        std::move(result),
                  plan::kind_of(action.effect),  false,     state_.brought_along};
    return false;
  }

  /// What asks how a service is, and what tells people, leaves nothing changed that a refusal is to be told
  /// of.
  static bool changes(const plan::Effect& effect) {
    const bool asks =
        std::holds_alternative<plan::CheckSuite>(effect) || std::holds_alternative<plan::Probe>(effect);
    return plan::changes_the_world(effect) && !asks && !std::holds_alternative<plan::Notify>(effect);
  }

  static bool only_waits(const plan::Action& action) {
    const auto* probe = std::get_if<plan::Probe>(&action.effect);
    return probe != nullptr && !probe->once;
  }

  static bool may_repair(const plan::Bracket& bracket) {
    return bracket.on_failure == plan::Bracket::OnFailure::repair && !bracket.repair.empty();
  }

  Blame blame() const {
    return result_.failure && !result_.failure->tells_of_release() ? Blame::nobody : blame_;
  }

  /// What was stopped or refused on the threshold has done nothing, whatever was about to be done.
  void note_begun(const plan::Action& action) {
    if (action.alters_service) result_.altered = touched_ = true;
    if (plan::changes_the_world(action.effect)) taken_ = true;
  }

  /// Visitors are away from the drain until they are let in again.
  void note_rotation(const plan::Action& action, Clock::time_point begun, bool well) {
    const auto* change = std::get_if<plan::ChangeRotation>(&action.effect);
    if (change == nullptr) return;
    using To = plan::ChangeRotation::To;
    if (change->to == To::drain && !out_since_) out_since_ = begun;
    if (well && (change->to == To::ready || change->to == To::undo)) count_out();
  }

  void count_out() {
    if (out_since_) result_.taken += base::since(*out_since_);
    out_since_.reset();
  }

  /// Outside a bracket nobody puts back what a restore or a recovery had begun.
  event::HostState without_bracket(const plan::Action& failed) const {
    if (taken_ && plan::is_rotation(failed.effect)) return event::HostState::out;
    // As "failed" it would hide the run that took the host out.
    if (!taken_ && std::holds_alternative<plan::GuardCapacity>(failed.effect))
      return event::HostState::untouched;
    const bool stopped = result_.failure->result.outcome == event::Outcome::cancelled;
    return stopped && !taken_ ? event::HostState::untouched : event::HostState::failed;
  }

  bool steps(const std::vector<plan::Action>& actions, const Manner& manner) {
    for (const auto& action : actions)
      if (!step(action, manner)) return false;
    return true;
  }

  bool give_back(const std::vector<plan::Action>& actions) { return steps(actions, giving_back); }

  void run_bracket(const plan::Bracket& bracket) {
    taken_ = false;
    if (!steps(bracket.acquire, manner_)) {
      result_.failure->taking_out = true;
      untake(bracket);
      return;
    }
    touched_ = false;
    mendable_ = may_repair(bracket);
    const bool went_well = steps(bracket.body, manner_);
    mendable_ = false;
    if (!went_well) {
      if (touched_)
        mend(bracket);
      else if (result_.failure->result.host_lost())
        prove(bracket);
      else
        untake(bracket);
      return;
    }
    if (!give_back(bracket.release)) release_failed(bracket);
    if (bracket.release.empty()) result_.held = true;
  }

  /// Nothing was done to the service: it is put back as it was found. A bracket without an undo says that
  /// this would not be right: what it goes on with was out before, or half of it.
  void untake(const plan::Bracket& bracket) {
    const bool changed = result_.changed;  // to undo what was refused at once changes nothing
    const bool back = !bracket.undo.empty() && (!taken_ || give_back(bracket.undo));
    result_.changed = changed;
    // What came before the bracket may have altered the service: then it is not as it was.
    const auto in_rotation = result_.altered ? event::HostState::failed : event::HostState::restored;
    result_.state = back ? in_rotation : event::HostState::out;
  }

  /// Nothing was done to the service, but nobody knows whether it is there: undoing the drain alone would let
  /// visitors in to a dead host until a check of the balancer's finds that out.
  void prove(const plan::Bracket& bracket) {
    result_.state = event::HostState::out;
    if (lost_ == Lost::stays_out || bracket.undo.empty() || context_.stops.hard.requested()) return;
    if (!give_back(bracket.release)) return;
    result_.state = result_.altered ? event::HostState::failed : event::HostState::restored;
  }

  /// The service was touched and is not right.
  void mend(const plan::Bracket& bracket) {
    result_.state = event::HostState::out;
    if (!may_repair(bracket) || context_.stops.hard.requested()) return;
    const bool repaired = give_back(bracket.repair);
    if (!repaired && blame() == Blame::release) {
      result_.actions = state_.index;
      brand(context_, lane_, bracket.repair, result_);
      state_.index = result_.actions;
    }
    if (!repaired || !give_back(bracket.release)) return;
    result_.state = event::HostState::reverted;
    result_.altered = false;
  }

  /// The new release did not come back into rotation. It may be half in it: the revert takes it out again.
  void release_failed(const plan::Bracket& bracket) {
    result_.state = event::HostState::out;
    const bool repairs = bracket.on_failure == plan::Bracket::OnFailure::repair;
    if (!repairs || lane_.revert.empty() || context_.stops.hard.requested()) return;
    // A revert that did not even begin leaves the host as the failed release did: perhaps out. Undoing its
    // drain would let visitors in to a release that nobody has proven.
    count_out();  // the revert counts on
    const auto back = run_revert(context_, without_undo(lane_), blame());
    result_.taken += back.taken;
    if (back.state != event::HostState::reverted && !back.only_kept_out()) return;
    result_.kept_out = back.kept_out;
    result_.state = event::HostState::reverted;
    result_.altered = false;
  }

  const Context& context_;
  const plan::Lane& lane_;
  Manner manner_;
  Lost lost_;
  Blame blame_;
  LaneState state_;
  LaneResult result_;
  std::optional<Clock::time_point> out_since_;
  bool taken_ = false;     // an action of the bracket in hand has begun to change the world
  bool touched_ = false;   // an action of its body has begun to alter the service
  bool mendable_ = false;  // in its body, which can be repaired
};

}  // namespace

LaneResult run_lane(const Context& context, const plan::Lane& lane) {
  LaneResult result = LaneRunner(context, lane, forward, Lost::is_proven).run(lane.nodes);
  if (!lane.mends || result.ok() || result.only_kept_out()) return result;
  brand(context, lane, lane.nodes, result);
  result.altered = true;
  if (result.state == event::HostState::restored) result.state = event::HostState::failed;
  return result;
}

LaneResult run_revert(const Context& context, const plan::Lane& lane, Blame blame) {
  LaneResult result = LaneRunner(context, lane, reverting, Lost::stays_out, blame).run(lane.revert);
  if (result.ok() || result.only_kept_out()) {
    (result.ok() ? result.state : result.but_for_others.emplace()) = event::HostState::reverted;
    result.altered = false;
    return result;
  }
  // The drain for the revert failed and was undone: the host still serves what it was to be rid of.
  if (result.state == event::HostState::restored) result.state = event::HostState::failed;
  if (blame == Blame::release) brand(context, lane, lane.revert, result);
  return result;
}

}  // namespace staithe::exec
