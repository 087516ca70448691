#pragma once
#include "after.hpp"

#include "staithe/stage/rehearsal.hpp"

namespace staithe::stage {

/// Statements of production that can run beside a migration, as loads: those that work on a table of `tables`
/// (SQL names), `most` of them, in the order given. Their texts come from pg_stat_statements, which keeps no
/// values: each is NULL, so that they find no row, and queue for the same locks of tables. All in sessions
/// that can only read; production's addresses may stand in its functions, so none runs unless it stays in the
/// server (prepare()). Each is tried alone first. What only_reads() runs as it is. What writes, is refused,
/// or takes longer than `patience` (1 ms at least) with nobody else there is planned instead ("EXPLAIN UPDATE
/// …"): that waits for the same locks of tables, in the same modes, and touches no row, so no trigger fires.
/// How many could be neither run nor planned is said in `remarks`, and apart from them of how many it is not
/// known which tables they work on, since they could not be prepared. What stays is judged here, before the
/// migration: a migration that puts code of its own behind what they use (a policy, a domain, an operator)
/// has it run with them.
std::vector<Load> replayed_loads(pg::Session& clone, const std::vector<Query>& statements,
                                 const std::vector<std::string>& tables, std::size_t most,
                                 base::Duration patience, std::vector<std::string>& remarks,
                                 const base::Scope& scope);

}  // namespace staithe::stage
