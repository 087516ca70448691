#pragma once
#include "facts.hpp"

#include "staithe/stage/backfill.hpp"
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// One step of what is advised: SQL in a transaction of its own, or a backfill.
struct AdviceStep {
  std::string sql;  ///< for a backfill: the command that runs it
  std::optional<BackfillSpec> backfill;
};

/// What to do instead of a statement.
struct AdvicePlan {
  std::string code;  ///< "not-null-in-steps"
  std::string text;  ///< why, in a sentence
  std::vector<AdviceStep> steps;
  bool complete = true;  ///< false: a person has to add something, so that only a part can be tried
};

/// Nothing when no better form is known. `report` is the statement's of the first pass: with a violation in
/// it the rows are repaired first.
std::optional<AdvicePlan> advise(const SqlStatement& statement, const StatementReport& report);

/// "staithe backfill app.users --set … --where …": the command that does it.
std::string command_of(const BackfillSpec& spec);

}  // namespace staithe::stage
