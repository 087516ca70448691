#pragma once
#include "staithe/plan/plan.hpp"
#include "staithe/world/recovery.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What finding out what a run left, and planning what mends it, have in common.
namespace staithe::world::parts {

/// In front of the ids of the dead run's actions, where a recovery does them.
inline constexpr std::string_view recovery_prefix = "recover/";

inline const plan::Bracket* bracket_of(const std::vector<plan::Node>& nodes) {
  for (const auto& node : nodes)
    if (const auto* bracket = std::get_if<plan::Bracket>(&node)) return bracket;
  return nullptr;
}

/// The lane's actions on the rotation outside a bracket, as `restore` and its recoveries have them, with the
/// guard before its proof.
inline std::vector<plan::Action> loose_rotation(const plan::Lane& lane) {
  std::vector<plan::Action> actions;
  for (const auto& node : lane.nodes)
    if (const auto* action = std::get_if<plan::Action>(&node);
        action != nullptr &&
        (plan::is_rotation(action->effect) || std::holds_alternative<plan::GuardCapacity>(action->effect)))
      actions.push_back(*action);
  return actions;
}

/// What a run does on the host after it is back: its checks, its entry in the history.
inline std::vector<plan::Action> rest_of(const plan::Lane& lane) {
  std::vector<plan::Action> rest;
  bool after_bracket = false;
  for (const auto& node : lane.nodes) {
    if (std::holds_alternative<plan::Bracket>(node))
      after_bracket = true;
    else if (after_bracket)
      rest.push_back(std::get<plan::Action>(node));
  }
  return rest;
}

/// Takes in what later recoveries did of what a host does after it is back, and after the roll.
void add_rest(const plan::Plan& plan, const std::vector<LaterRecovery>& since, JournalView& journal);

/// What a later recovery made of a host: `lane` is the dead run's, `mended` the recovery's.
void follow(HostLeft& host, const plan::Lane& lane, const plan::Lane& mended, const JournalView& journal);

/// Whether everything up to the action that lets visitors in ended well, and that was begun: the host is
/// proven, and may serve.
bool let_in(const std::vector<plan::Action>& release, const JournalView& journal);

/// Whether the action may have changed where visitors go, or anything else: a drain does not before it has
/// noted what it found.
bool took(const plan::Action& action, const JournalView& journal);

/// How far a host was taken out, by what one run after another did to its rotation.
class Trace {
 public:
  void follow(const plan::Lane& lane, const JournalView& journal);
  Reached reached() const noexcept { return reached_; }

 private:
  void follow(const std::vector<plan::Node>& nodes, const JournalView& journal);
  void follow(const std::vector<plan::Action>& actions, const JournalView& journal);
  void follow(const plan::ChangeRotation& change, const plan::Action& action, const JournalView& journal);

  // Where a run took nothing out itself, what it goes on with was taken out by an earlier one.
  Reached reached_ = Reached::in_maint;
  bool out_ = false;
};

bool any_begun(const std::vector<plan::Action>& actions, const JournalView& journal);
bool all_well(const std::vector<plan::Action>& actions, const JournalView& journal);
bool any_failed(const std::vector<plan::Action>& actions, const JournalView& journal);
/// Whether the balancers' proof of the host, or its serving again, did not end well. That a balancer could
/// not be told to let visitors in says nothing of the host.
bool refused(const std::vector<plan::Action>& release, const JournalView& journal);
/// What was noted last of what is to be given back, before visitors were let in; "" for nothing.
std::string found_in(const std::vector<plan::Node>& nodes, const JournalView& journal);
/// What the run noted of processes of HAProxy that it told anew for the host; none where it did not.
std::vector<std::string> told_in(const std::string& host, const JournalView& journal);
/// Whether the run itself found fault with its release, on a host or once the roll was over. A run that was
/// killed says nothing of that, nor does what the run itself would not have called the release bad for.
bool release_failed(const plan::Plan& plan, const JournalView& journal);
/// Whether the host, where it is on the new release, is to go back: the run had decided so, or what the host
/// does once it is back has failed there, and the release is at fault.
bool to_be_reverted(const plan::Lane& lane, const JournalView& journal);
/// What brings the app back inside the lane's bracket: where what stands behind that had begun, that too.
std::vector<plan::Action> way_back(const plan::Lane& lane, const HostLeft& host);
/// The app may be anything, and the plan holds nothing that brings it back.
bool needs_a_person(const plan::Lane& lane, const HostLeft& host);

}  // namespace staithe::world::parts
