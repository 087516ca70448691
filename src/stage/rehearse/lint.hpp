#pragma once
#include "facts.hpp"

#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// What the words of a statement let one expect, before anything is run.
struct Expectation {
  std::size_t file = 0, statement = 0;
  std::string code;  ///< "create-index-blocks-writers"
  std::string table, text;
  Blocks blocks = Blocks::nobody;
  std::optional<Deed::Kind> deed;  ///< rewrite, scan, …
};

/// One for each risky part of each statement. Tables that the files make themselves are left out: nobody can
/// wait for them.
std::vector<Expectation> lint(const std::vector<MigrationFile>& files);

/// Where what was expected and what was seen differ: "…expected a rewrite of app.users, the server did none".
/// `statements` are those of the first pass, commits included.
std::vector<std::string> disagreements(const std::vector<MigrationFile>& files,
                                       const std::vector<Expectation>& expected,
                                       const std::vector<StatementReport>& statements);

/// The report of a planned statement, or null when it was not reached.
const StatementReport* report_of(const std::vector<MigrationFile>& files, std::size_t file,
                                 std::size_t statement, const std::vector<StatementReport>& statements);
std::size_t report_index(const std::vector<MigrationFile>& files, std::size_t file, std::size_t statement);

/// Whether a lock that keeps `blocks` out, on something that was there before, was held while `one` ran:
/// taken by it, or by an earlier statement of its transaction.
bool blocked_during(const std::vector<StatementReport>& statements, const StatementReport& one,
                    Blocks blocks);

SqlStatement parsed(const PlannedStatement& statement);

}  // namespace staithe::stage
