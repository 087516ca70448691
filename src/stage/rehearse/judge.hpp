#pragma once
#include "advice.hpp"
#include "lint.hpp"

#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <map>
#include <vector>

namespace staithe::stage {

/// What to do instead of which statement, by its index in the report.
using AdvicePlans = std::map<std::size_t, AdvicePlan>;

/// Turns what was measured into findings, the reasons for exit 1 among them, and proposes what to do instead.
AdvicePlans judge(const RehearsalPlan& plan, const std::vector<Expectation>& expected,
                  RehearsalReport& report);

/// The verdict in one line, and whether it passed. After judge, and after the advice was tried.
void conclude(RehearsalReport& report);

}  // namespace staithe::stage
