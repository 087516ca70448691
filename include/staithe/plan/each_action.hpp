#pragma once
#include "staithe/plan/plan.hpp"

#include <functional>

namespace staithe::plan {

/// Every action of the plan in the order in which it is written: locks, the stages' lanes with their brackets
/// and reverts, what closes the run, notices of its failure.
void each_action(const Plan& plan, const std::function<void(const Action&)>& look);
void each_action(Plan& plan, const std::function<void(Action&)>& change);

}  // namespace staithe::plan
