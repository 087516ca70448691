#pragma once
#include "staithe/stage/rehearsal_report.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Staging's server may be newer than production's, and take what production refuses.
namespace staithe::stage {

/// "17.2 (Debian 17.2-1)" is 17; 0 for what is no version.
int major_of(std::string_view version) noexcept;

/// What a server knows only since a major version.
struct NewWords {
  std::string what;  ///< "NULLS NOT DISTINCT", "uuidv7()"
  int since = 0;
  bool is_function = false;
};
/// Those that a statement uses and that a server of `major` does not know, as far as words show it, also in
/// the bodies of DO and of functions. A function is not meant by a name that is in `own` or has a schema.
/// Pure.
/// Source: "Changes" of https://www.postgresql.org/docs/release/14.0/ to 18.0, from what migrations use.
std::vector<NewWords> unknown_to(int major, const std::string& sql, const std::set<std::string>& own);

/// That the clone's server is of another major version than production's, and what production would refuse.
void add_version_findings(RehearsalReport& report);

}  // namespace staithe::stage
