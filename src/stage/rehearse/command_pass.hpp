#pragma once
#include "workload.hpp"

#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearse.hpp"

#include <string>
#include <vector>

/// Passes of a migration that is a command, which opens its own sessions.
namespace staithe::stage {

/// Runs a command with DATABASE_URL in its environment; what it says when it fails is in the detail.
CheckReport run_program(const std::string& command, const std::string& url, const RehearsalRun& run,
                        base::Duration patience, const base::Scope& scope);

/// Runs the plan's command and writes what it did into the report: its statements with their locks, what
/// became of files and rows, WAL and size.
void measure_command(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone,
                     RehearsalReport& report, const base::Scope& scope);

/// Runs it again with a workload beside it, and writes the stalls into the report.
void run_command_under_load(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone,
                            const std::vector<Load>& loads, RehearsalReport& report,
                            const base::Scope& scope);

/// The statements of the report as a file, so that what judges files judges them too.
MigrationFile as_file(const std::vector<StatementReport>& statements);

}  // namespace staithe::stage
