#pragma once
#include "staithe/base/duration.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::plan {

/// What a migration may not exceed; unset ones are not judged.
struct Budgets {
  base::Duration blocking{1'000};  ///< longest lock that keeps readers or writers out, and longest stall
  std::optional<base::Duration> total;
  std::optional<std::uint64_t> rewrite_rows;  ///< largest table that may be rewritten
  std::optional<std::uint64_t> wal_bytes;
  bool operator==(const Budgets&) const = default;
};

/// Where the copy is not production, and somebody has declared that it will do all the same.
struct Accepted {
  std::vector<std::string> partial;  ///< tables without all of their rows: "app.users"
  std::vector<std::string> masked;   ///< columns with other values: "app.users.email"
  bool operator==(const Accepted&) const = default;
};

/// By what a rehearsal judges, and what a deploy asks of it: green alone says little.
struct RehearsalTerms {
  std::string command;  ///< that migrated; "" when the files were applied as they are
  Budgets budgets;
  /// The pass was made with readers or writers that could run; also where nothing that is there is touched.
  bool load = true;
  base::Duration open_for{
      2'000};         ///< that a reader stayed before each strong lock; 0: there was no such pass
  bool asked = true;  ///< production said how large it is, and what is sent to it
  Accepted accepted;
  bool operator==(const RehearsalTerms&) const = default;
};

/// Canonical JSON.
std::string to_json(const RehearsalTerms& terms);
/// Returns nullopt unless `json` is a complete record; records of earlier versions lack fields and are
/// refused.
std::optional<RehearsalTerms> rehearsal_terms(std::string_view json);

/// Where a rehearsal asked less than is wanted, in words: "with 60s of blocking allowed (wanted: 1s)". ""
/// when it asked for as much or more.
std::string shortfall(const RehearsalTerms& rehearsed, const RehearsalTerms& wanted);

}  // namespace staithe::plan
