#pragma once
#include <string>

#include "staithe/event/event.hpp"
#include "staithe/exec/effects.hpp"
#include "staithe/plan/plan.hpp"

namespace staithe::exec {

/// Two switches: `soft` asks (hosts in hand are finished or put back, no new one is begun), `hard` abandons.
struct Stops {
  base::Cancel soft;
  base::Cancel hard;
};

/// How a run ended: the numbers that all commands share.
enum class Verdict { done, failed, refused, needs_person, interrupted };

/// Runs a plan: stages in order, lanes by their stage's shape, brackets given back on every path.
/// Blocks; uses one thread for each lane in hand. `run_id` marks every event.
/// Interrupted runs report Verdict::interrupted unless something was left that needs a person.
struct RunResult {
  Verdict verdict = Verdict::done;
  event::RunFinished finished;  ///< as sent to the sink; exit_code is 0, 1, 4 or 5 (130/143 are cli's)
};

RunResult run(const plan::Plan& plan, const std::string& run_id, Effects& effects, Journal& journal,
              event::EventSink& sink, const Stops& stops);

}  // namespace staithe::exec
