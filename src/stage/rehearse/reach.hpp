#pragma once
#include "staithe/pg/session.hpp"

#include <string>

namespace staithe::stage {

/// SELECT, WITH … SELECT, VALUES or TABLE, by its words: one that has a word such as UPDATE in it anywhere,
/// or a name in U&"…", is none.
bool only_reads(const std::string& sql);

/// Whether nothing but the server's own code, and none that is volatile, would run with a statement that
/// only_reads(). In an open transaction in which it has just been prepared, the first statement of it that
/// locks tables: those locks show what it works on.
///
/// False where a name with a '(' behind or a '.' before it is that of a function outside pg_catalog, of one
/// there that is volatile, or of one that takes a table's name as a value (table_to_xml); where it works on a
/// foreign table, on a table whose policies hold for this role, or on a view that has any of that. What
/// functions are behind operators, casts and checks of domains is not looked at.
bool stays_in_server(pg::Session& session, const std::string& sql, const base::Scope& scope);

}  // namespace staithe::stage
