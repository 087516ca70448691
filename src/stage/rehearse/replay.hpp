#pragma once
#include "after.hpp"

#include "staithe/stage/rehearsal.hpp"

namespace staithe::stage {

/// Statements of production that can run beside a migration, as loads: those that work on a table of `tables`
/// (SQL names), `most` of them, in the order given. Their texts come from pg_stat_statements, which keeps no
/// values: each is NULL, so that they find no row, and queue for the same locks of tables. None is run that
/// writes (only_reads()) or calls what may act outside the clone (stays_in_server()): production's addresses
/// may stand in its functions. Each other is tried once, in a transaction that can only read; left out is
/// what is refused there, and what takes longer than `patience` with nobody else there.
std::vector<Load> replayed_loads(pg::Session& clone, const std::vector<Query>& statements,
                                 const std::vector<std::string>& tables, std::size_t most,
                                 base::Duration patience, const base::Scope& scope);

}  // namespace staithe::stage
