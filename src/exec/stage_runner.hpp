#pragma once
#include "lane_runner.hpp"

#include <map>
#include <vector>

namespace staithe::exec {

struct StageResult {
  std::map<std::string, LaneResult> lanes;  ///< by host; lanes that never began are not in it
  std::vector<Failure> failures;            ///< in the order they were met
  bool stopped = false;                     ///< a signal kept it from beginning all lanes
  bool late = false;                        ///< the run's deadline kept it from beginning or ending lanes
  bool over_budget = false;                 ///< more lanes failed than the strategy allows, or it is late
};

/// Runs one stage by its shape. For a rolling stage the plan's policy on failure is carried out too.
StageResult run_stage(const Context& context, const plan::Stage& stage);

/// Reverts every lane of `stage` that `results` has as done or altered, newest first where it matters. The
/// last that a run does with its hosts: the deadline counts no more.
void revert_lanes(const Context& context, const plan::Stage& stage, StageResult& results,
                  const std::vector<std::string>& hosts, Blame blame);

}  // namespace staithe::exec
