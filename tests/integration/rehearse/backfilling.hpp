#pragma once
#include "golden.hpp"

#include "staithe/stage/backfill.hpp"

#include <string>

/// A table with NULLs in the column c, and a backfill that fills them with small batches.
namespace backfilling {

inline std::string made(const std::string& key) {
  const auto database = golden::server().create_database();
  golden::server().sql("CREATE TABLE t (" + key + ", c text); ", database);
  return database;
}

inline staithe::stage::BackfillSpec spec() {
  staithe::stage::BackfillSpec out;
  out.table = "t";
  out.set = "c = 'x'";
  out.where = "c IS NULL";
  out.first_batch = 100;
  out.most_batch = 200;
  return out;
}

}  // namespace backfilling
