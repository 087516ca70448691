#pragma once
#include "staithe/event/event.hpp"
#include "staithe/exec/effects.hpp"
#include "staithe/plan/plan.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace staithe::exec {

/// Switches: `soft` asks (hosts in hand are finished or put back, no new one is begun), `hard` abandons,
/// `late` is the run's deadline before its time (what is in hand is given up and put back) and heard only
/// where the plan has a deadline.
struct Stops {
  base::Cancel soft;
  base::Cancel hard;
  base::Cancel late;
  std::atomic<int> exit_code{130};  ///< of a run that `soft` ended; set before it is requested
};

/// How a run ended: the numbers that all commands share.
enum class Verdict { done, failed, refused, needs_person, interrupted };

struct RunResult {
  Verdict verdict = Verdict::done;
  event::RunFinished finished;  ///< as sent to the sink; exit_code is 0, 1, 4, 5 or Stops::exit_code
};

struct RunOptions {
  std::string run_id;  ///< marks every event
  /// Commands that the person may run next, made from how the run ended; `untidied` are hosts that earlier
  /// runs of a rollout had brought to the release and where it could not be marked good.
  using Advise = std::function<std::vector<std::string>(const event::RunFinished&,
                                                        const std::vector<std::string>& untidied)>;
  Advise advise{};
  std::string plan_id{};  ///< for the first event
  /// Called last, before anybody is told how the run ended: what is to be told otherwise. May be empty; must
  /// not throw.
  std::function<void(event::RunFinished&)> judge{};
};

/// Runs a plan: stages in order, lanes by their stage's shape, brackets given back on every path. Blocks;
/// one thread for each lane in hand. An interrupted run is `interrupted` unless something was left that
/// needs a person.
///
/// The strategy's deadline counts from the moment when everything of `open` is done, and takes one more
/// thread, without which the run is refused. Once it has passed, no stage, batch or host is begun, the
/// actions in hand are stopped and count as timed out, and the policy on failure is carried out however many
/// failures are allowed. What gives back or reverts and what follows the roll on each host have their own
/// time only.
RunResult run(const plan::Plan& plan, const RunOptions& options, Effects& effects, Journal& journal,
              event::EventSink& sink, const Stops& stops);

}  // namespace staithe::exec
