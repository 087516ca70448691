#pragma once
#include "staithe/pg/session.hpp"

#include <string>
#include <vector>

namespace staithe::stage {

/// Everything of the schema that a migration makes, a line each, sorted: "column app.users.name text not
/// null".
std::vector<std::string> schema_lines(pg::Session& session, const base::Scope& scope);

/// "- …" for what is missing in `after`, "+ …" for what is new. Both sorted.
std::vector<std::string> difference(const std::vector<std::string>& before,
                                    const std::vector<std::string>& after);

/// A number that stands for all rows of a table in the columns named, whatever their order; and their count.
std::string checksum(pg::Session& session, const std::string& table, const std::vector<std::string>& columns,
                     const base::Scope& scope);
/// A table's columns as SQL names; empty when there is no such table.
std::vector<std::string> column_names(pg::Session& session, const std::string& table,
                                      const base::Scope& scope);

}  // namespace staithe::stage
