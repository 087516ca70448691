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
  std::string shape;  ///< "Nested Loop(Index Scan users_pkey, Seq Scan orders)"; "" when it was not planned
  std::string error;  ///< why the server does not plan it; "" when it does, or was not asked
  bool refused = false;  ///< the server was not even asked to read it
};

/// Whose statement it is: what somebody declared for the rehearsal may call any code, as the migration may.
enum class Whose { declared, production };

/// PREPAREs the statement and EXPLAINs its generic plan, in a transaction that can only read; nothing is run,
/// but for what the planner works out: functions that are labelled IMMUTABLE or STABLE. So one of production
/// is not planned unless it stays in the server (prepare()). Works from PostgreSQL 12 on.
QueryPlan plan_of(pg::Session& session, const QueryPlan& asked, Whose whose, const base::Scope& scope);

/// What became of statements.
struct Compared {
  std::vector<PlanChange> changes;
  std::uint64_t skipped = 0;    ///< they had an error before
  std::uint64_t unplanned = 0;  ///< no error came of them; how they run was not looked at
};
/// Both in the same order.
Compared compare(const std::vector<QueryPlan>& before, const std::vector<QueryPlan>& after);

}  // namespace staithe::stage
