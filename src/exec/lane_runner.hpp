#pragma once
#include "action_runner.hpp"

#include <optional>

namespace staithe::exec {

/// The first thing that went wrong in a lane.
struct Failure {
  std::string host;  ///< that people are told of
  std::string action_id;
  std::string title;
  EffectResult result;
  std::string kind{};          ///< of the action's effect
  bool taking_out = false;     ///< before anything of the release was begun on the host
  bool brought_along = false;  ///< of a lane whose host is not this run's

  bool tells_of_release() const { return !taking_out && result.tells_of_release(); }
};

/// Whether a host is reverted because of what its release did: then that goes into the history.
enum class Blame { release, nobody };

struct LaneResult {
  event::HostState state = event::HostState::untouched;
  std::optional<Failure> failure;
  bool altered = false;  ///< the service on the host was touched and not brought back
  bool late = false;     ///< the run's deadline has ended one of its actions
  bool held = false;     ///< a bracket that gives nothing back ended well: what it took stays taken
  bool moved = false;    ///< into or out of rotation, outside a bracket
  bool branded = false;  ///< the history has it that the release is bad
  bool changed = false;  ///< something of it that may change the world was done, not refused
  std::string kept_out;  ///< why the host is out though all that its state would say was done; "" for none
  std::optional<event::HostState> but_for_others;  ///< of one that is out for that alone: its state else
  std::uint64_t actions = 0;
  base::Duration duration{0};
  base::Duration taken{0};  ///< how long the host was out of rotation by it

  bool ok() const { return state == event::HostState::done; }
  bool only_kept_out() const { return state == event::HostState::out && !kept_out.empty() && !failure; }
};

/// How long the balancers are asked what became of a host, whatever was asked to stop.
inline constexpr base::Duration look_patience{3'000};

/// Runs the lane's nodes to the end or to the first failure, giving back what was taken.
LaneResult run_lane(const Context& context, const plan::Lane& lane);

/// Brings a host that was done back to the release before. Not stopped by the first signal.
LaneResult run_revert(const Context& context, const plan::Lane& lane, Blame blame);

}  // namespace staithe::exec
