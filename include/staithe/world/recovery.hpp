#pragma once
#include "staithe/plan/plan.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/reached.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace staithe::world {

/// What a run that died left on one host, as its journal tells.
enum class Left {
  untouched,      ///< nothing live was begun
  out_unaltered,  ///< taken out of rotation, the app not touched yet
  out_altered,    ///< taken out, and the app may be anything
  out_done,       ///< taken out, the new release proved healthy, not given back yet
  out_back,       ///< taken out, the release before healthy again, not given back yet
  out_new,        ///< taken out again to be reverted, which was not begun: the new release is as it served
  altered,        ///< the app may be anything, and no balancer is involved
  condemned,      ///< on the new release and back, though the run was to bring it back to the one before
  done,           ///< on the new release and back
  reverted,       ///< on the release before and back
};

/// Nothing is to be put right on the host.
bool settled(Left left) noexcept;

/// Visitors may meet it, until it is put right.
inline bool may_serve(Left left) noexcept {
  return settled(left) || left == Left::altered || left == Left::condemned;
}

/// One line for people: "out of rotation, the app was being changed".
std::string_view text_of(Left left) noexcept;

struct HostLeft {
  std::string host;
  Left left = Left::untouched;
  /// What is to be given back in the end, as the run noted it, or a recovery that took the host out again; ""
  /// when neither did.
  std::string found;
  Reached reached = Reached::in_maint;  ///< of one that is out; let_in only with `let_in`
  std::vector<std::string> told{};      ///< what each of them noted under told_key; such texts as `found`
  bool by_hand = false;   ///< the app may be anything and the plan has no way back: a person has to look
  bool to_clean = false;  ///< the whole roll went well, and what follows it on the host did not end
  bool beyond =
      false;  ///< what its lane does once the host is back was begun: its revert takes that back too
  bool let_in = false;  ///< HAProxy's checks have proven it, and its last step back was begun: it may serve
  std::vector<std::string> rest;  ///< with to_clean: actions after the host was back that did not end well
  bool release_failed = false;    ///< on some host: the run found fault with its release before it ended
  /// By earlier runs of the rollout: the run was only to do there what follows its roll.
  bool brought_along = false;
  bool given_back = false;  ///< of one that was out: somebody has let it in since as it was, half changed
};

/// A recovery of the run that ended or died, as its own plan and journal tell.
struct LaterRecovery {
  plan::Plan plan;
  JournalView journal;
};

/// Where every host of the rolling stages stands, with what later recoveries did, the oldest first. A host
/// that one of them gave back is settled; what one of them had begun is gone on with. Pure.
std::vector<HostLeft> assess(const plan::Plan& plan, const JournalView& journal,
                             const std::vector<LaterRecovery>& since = {});

/// The first of what was to follow the roll once, which is what judges the whole of it, that did not end
/// well, with its stage; null where all did. A recovery does not do that in the run's place. Points into the
/// plan. Pure.
std::pair<const plan::Stage*, const plan::Action*> first_unjudged(const plan::Plan& plan,
                                                                  const JournalView& journal);
/// Whether there is one.
bool never_judged(const plan::Plan& plan, const JournalView& journal);

/// Whether visitors should not meet the host before it is mended: its app may be half changed, or nobody has
/// proven it. Others that are out may as well serve. Pure.
bool must_stay_out(const plan::Plan& plan, const HostLeft& host);

/// What a run did to the rotation of a lane's host.
enum class RotationLeft { untouched, out, back };
RotationLeft rotation_left(const plan::Lane& lane, const JournalView& journal);

/// The plan that puts right what `assess` found: gives back what was taken; where the app was being changed,
/// brings the release before back first. Hosts that are `by_hand` stay as they are. What was to follow a roll
/// that went well (marking the release good, removing old ones) is done. Its stages are empty when there is
/// nothing to do. Pure.
plan::Plan recovery_plan(const plan::Plan& plan, const std::vector<HostLeft>& left);

/// The key under which a drain notes the state that it found, and who goes on with it what is to be given
/// back by then.
inline constexpr const char* found_key = "found";
/// The key, and the action of a host, under which a run notes which processes of HAProxy it has told anew
/// after reloads, with what is to be given back. One that neither this nor `found_key` names was told
/// nothing.
inline constexpr const char* told_key = "told";
std::string told_action(const std::string& host);
/// The key under which a proof notes the balancers that it could not tell: there the host is as it was.
inline constexpr const char* left_behind_key = "left behind";
/// Whether such a note says that every server of the host was out by command before: giving back as found
/// then leaves the host out, and an earlier drain is still what must be undone in the end. False for what
/// cannot be read.
bool was_out(const std::string& found) noexcept;

}  // namespace staithe::world
