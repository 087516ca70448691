#pragma once
#include "advice.hpp"
#include "emitter.hpp"
#include "judge.hpp"
#include "migration_run.hpp"
#include "workload.hpp"

#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <string>
#include <vector>

namespace staithe::stage {

inline constexpr const char* no_workload =
    "no workload: none is declared that could run, and no table is touched that was there before";

/// The loads with their parameters; what has none is a remark.
std::vector<ReadyLoad> ready_workload(const Clone& clone, const std::vector<Load>& loads,
                                      RehearsalReport& report, const base::Scope& scope);

/// Writes each stall to the statement, of those that `timed` says when they ran, that is to blame for it.
void blame_all(const std::vector<LoadSample>& samples, const Workload& workload, SteadyTime zero,
               const std::vector<StatementReport>& timed, std::vector<StatementReport>& into);

/// Runs the files on a clone with a workload beside them, and writes the stalls into `report`.
void run_under_load(const RehearsalPlan& plan, const Clone& clone, const std::vector<Load>& loads,
                    RehearsalReport& report, const base::Scope& scope);

/// Runs the files with a reader's transaction open before each statement that needs a strong lock on
/// something that was there before, and measures how long others queue behind it.
void run_with_open_transaction(const RehearsalPlan& plan, const Clone& clone, RehearsalReport& report,
                               const base::Scope& scope);

/// Runs the migration with what is advised in place of what it replaces, under the workload, and writes into
/// the findings how that went.
void try_advice(const Clone& clone, const std::vector<Load>& loads, const AdvicePlans& advice,
                RehearsalReport& report, const base::Scope& scope);

/// Tables (SQL names) that were there before and that the statements locked or touched.
std::vector<std::string> touched_tables(const std::vector<StatementReport>& statements);

}  // namespace staithe::stage
