#pragma once
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

namespace staithe::stage {

/// What the migration works on and the snapshot has not as production has it: tables without all rows,
/// columns with other values. A reason to fail, unless the settings declare that it will do.
void add_copy_findings(const RehearsalPlan& plan, RehearsalReport& report);

}  // namespace staithe::stage
