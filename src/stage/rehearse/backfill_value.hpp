#pragma once
#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <string>

namespace staithe::stage {

/// What could fill the NULLs of a column: its default, a column that determines it for all rows that have it,
/// or its most frequent value. A proposal that a person has to judge, in `violation`'s backfill fields.
/// `column` as in pg_attribute.
void propose_value(pg::Session& session, const std::string& column, Violation& violation,
                   const base::Scope& scope);

}  // namespace staithe::stage
