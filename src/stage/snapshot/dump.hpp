#pragma once
#include "script.hpp"

#include "staithe/stage/snapshot.hpp"

namespace staithe::stage {

/// The schema of the source, as pg_dump says it.
struct Schema {
  std::vector<Entry> before;  ///< what the rows need
  std::vector<Entry> after;   ///< indexes, constraints, triggers, grants
  std::string digest;         ///< of `before`: the same for the same schema
};

/// Runs pg_dump on the exported snapshot and pg_restore on what it says, all in memory: a dump may hold
/// passwords. Throws base::Error with what the programs said.
Schema dump_schema(const std::string& url, const std::string& exported, const SnapshotPlan& plan,
                   const std::string& application, const base::Scope& scope);

}  // namespace staithe::stage
