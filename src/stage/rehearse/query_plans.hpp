#pragma once
#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace staithe::stage {

/// One statement that reads or writes rows.
bool can_be_planned(const std::string& sql);

/// How the server would do one statement, with values it does not know.
struct QueryPlan {
  std::string name, sql;
  std::uint64_t calls = 0;
  double cost = 0;
  std::string shape;  ///< "Nested Loop(Index Scan users_pkey, Seq Scan orders)"
  std::string error;  ///< why it could not be planned; "" when it could
};

/// PREPAREs the statement and EXPLAINs its generic plan; nothing is run. Works from PostgreSQL 12 on.
QueryPlan plan_of(pg::Session& session, const std::string& name, const std::string& sql, std::uint64_t calls,
                  const base::Scope& scope);

/// What became of them: in the same order. Those that had an error before are left out and counted in
/// `skipped`.
std::vector<PlanChange> compare(const std::vector<QueryPlan>& before, const std::vector<QueryPlan>& after,
                                std::uint64_t& skipped);

}  // namespace staithe::stage
