#pragma once
#include "query_plans.hpp"
#include "schema_text.hpp"

#include "staithe/pg/session.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearse.hpp"

#include <set>
#include <string>
#include <vector>

namespace staithe::stage {

/// What is looked at on the clone before and after the migration, beside the migration itself.
class After {
 public:
  After(const RehearsalPlan& plan, const RehearsalRun& run, const Clone& clone, RehearsalReport& report,
        const base::Scope& scope);

  void before();
  /// Plans, assertions, checks, invalid indexes, side effects, estimates; then the down scripts, after which
  /// the clone is what it was.
  void after(const std::vector<std::string>& tables);
  /// Those that take most time there; none when it was not asked.
  const std::vector<Query>& statements_of_production() const { return statements_of_production_; }

 private:
  bool failed() const;
  void code_and_partitions(pg::Session& session);
  void code_of_statements();
  Whose whose(std::size_t query) const;
  void compare_plans(pg::Session& session);
  void assertions(pg::Session& session);
  void checks();
  void invalid_indexes(pg::Session& session);
  void side_effects(pg::Session& session);
  void down(const std::vector<std::string>& tables);

  const RehearsalPlan& plan_;
  const RehearsalRun& run_;
  const Clone& clone_;
  RehearsalReport& report_;
  base::Scope scope_;
  std::vector<Query> statements_of_production_;
  std::vector<QueryPlan> plans_before_;
  std::vector<std::string> schema_before_;
  std::set<std::string> invalid_before_;
};

/// What production says of itself, asked read-only: settings that differ from the clone's cluster, rows of
/// tables for the estimates.
struct SourceFacts {
  std::string version;  ///< "15.14"
  std::vector<std::string> differences;
  std::map<std::string, double> rows;
  std::vector<Query> statements;     ///< the top ones of pg_stat_statements
  std::vector<std::uint64_t> calls;  ///< of each
  std::vector<std::string> remarks;
  std::uint64_t standbys = 0;
  double wal_rate = 0;  ///< bytes a second on average; 0 when it is not known
  bool asked = false;   ///< to the end
};
/// Rows of tables and materialized views, as their statistics have them; those that have none are not in it.
std::map<std::string, double> rows_of_tables(pg::Session& session, const base::Scope& scope);

/// What production says of the tables and columns that the statements of the report worked on: what stands in
/// the way of altering them there just now, and whether its statistics have NULLs where there may be none.
void look_at_source(const std::string& source_url, const std::vector<std::string>& tables,
                    RehearsalReport& report, const base::Scope& scope);

SourceFacts ask_source(const std::string& source_url, pg::Session& clone, std::uint32_t top_statements,
                       const base::Scope& scope);

}  // namespace staithe::stage
