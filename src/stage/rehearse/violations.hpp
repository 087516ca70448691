#pragma once
#include "facts.hpp"

#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// The rows that are in the way of a refused statement: how many, which, where, and what could fill them.
/// Reads only, in a transaction or a subtransaction of its own. Nothing for a refusal that is about something
/// else, or when the rows cannot be asked for (`why_not` then says so).
std::optional<Violation> find_violation(pg::Session& session, const SqlStatement& statement,
                                        const pg::Refusal& refusal, std::string& why_not,
                                        const base::Scope& scope);

/// What an UPDATE of this column sets off: triggers, indexes that keep it from being HOT, publications,
/// foreign keys. `column` as in pg_attribute, `table` as SQL.
std::vector<std::string> side_effects_of_update(pg::Session& session, const std::string& table,
                                                const std::string& column, const base::Scope& scope);

/// A table's primary key as SQL names, in their order; empty when it has none.
std::vector<std::string> key_of(pg::Session& session, const std::string& table, const base::Scope& scope);

}  // namespace staithe::stage
