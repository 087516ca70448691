#pragma once
#include "run_clock.hpp"

#include "staithe/exec/runner.hpp"

#include <atomic>
#include <map>
#include <string>

namespace staithe::exec {

/// Stamps events with time, run and sequence. Thread safe.
class Bus {
 public:
  Bus(event::EventSink& sink, std::string run_id) : sink_(sink), run_id_(std::move(run_id)) {}
  void send(event::Payload payload) noexcept;

 private:
  event::EventSink& sink_;
  std::string run_id_;
  std::atomic<std::uint64_t> seq_{0};
};

/// What every part of a run works with.
struct Context {
  const plan::Plan& plan;
  Effects& effects;
  Journal& journal;
  Bus& bus;
  const Stops& stops;
  RunClock& clock;
};

/// How much may stop an action: the first signal, only the second, or neither.
enum class Shield { none, soft, full };

/// What the actions of one lane share.
struct LaneState {
  std::string host;
  std::uint64_t index = 0;  ///< actions begun so far
  std::uint64_t of = 0;
  std::map<std::string, std::string> captures;
  bool late = false;           ///< the run's deadline has ended one of its actions
  bool performed = false;      ///< the newest action may have done something
  bool brought_along = false;  ///< the host is not this run's: what fails on it makes the run no failure
};

/// Whether an action may go unrecorded when the journal cannot be written: what gives back must happen.
enum class Record { required, best_effort };

/// How often an action that cannot reach its host or balancer is tried.
enum class Persistence {
  as_planned,  ///< as often as the plan says
  stubborn,    ///< at least three times, a second apart: a host that was away for a moment is not left out
};

/// What bounds an action beside the time that the plan gives it.
enum class Bound {
  by_itself,
  by_run,  ///< the run's deadline too
};

/// How an action is run, which its place in the lane decides.
struct Manner {
  Shield shield = Shield::none;
  Record record = Record::required;
  Persistence persistence = Persistence::as_planned;
  Bound bound = Bound::by_itself;
};

/// The way forward.
inline constexpr Manner forward{Shield::none, Record::required, Persistence::as_planned, Bound::by_run};

/// What gives back is done whatever the first signal and the journal say, and is not given up at once.
inline constexpr Manner giving_back{Shield::soft, Record::best_effort, Persistence::stubborn};

/// "the run's deadline of 30m has passed"
std::string late_text(const RunClock& clock);

/// Whether the run goes well all the same. A person's stop is no failure of the action.
inline bool lets_pass(const EffectResult& result, bool brought_along) {
  return brought_along && !result.ok() && result.outcome != event::Outcome::cancelled;
}

/// Whom people are told of: what is done once is done in no host's lane, but on one all the same.
std::string told_host(const std::string& lane_host, const plan::Action& action);

/// Journals the intent, performs the effect with its attempts, journals and announces the outcome.
EffectResult run_action(const Context& context, const plan::Action& action, LaneState& lane,
                        const Manner& manner);

}  // namespace staithe::exec
