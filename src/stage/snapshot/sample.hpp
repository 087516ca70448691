#pragma once
#include "staithe/stage/snapshot.hpp"

namespace staithe::stage {

/// Holds some pages of a table that has just been copied against the source, in whose snapshot `source` is:
/// the columns that are not masked, found again by their primary key; a small table without one is compared
/// whole. Throws base::Error{conflict} when they differ. A table that offers no way is left to its row count.
void compare_sample(pg::Session& source, pg::Session& target, const Table& table, const TableCopy& copy,
                    const base::Scope& scope);

}  // namespace staithe::stage
