#pragma once
#include "script.hpp"

#include "staithe/stage/snapshot.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace staithe::stage {

/// Something that belongs to one table and is made once its rows are there.
struct Build {
  enum class Stage { index, constraint, analyze };
  Stage stage = Stage::index;
  std::string title, sql;
  std::uint64_t bytes = 0;
  Oid table = 0;
  bool is_queued = false;
  const char* step() const {
    return stage == Stage::analyze ? "analyze" : stage == Stage::index ? "index" : "constraint";
  }
};

/// What is made for each table, in the order of the stages; every table has at least its ANALYZE. The entries
/// that are used are removed from `after`.
std::map<Oid, std::vector<Build>> plan_builds(const SnapshotPlan& plan, std::vector<Entry>& after);

}  // namespace staithe::stage
