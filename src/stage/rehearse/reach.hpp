#pragma once
#include "staithe/pg/session.hpp"

#include <string>

namespace staithe::stage {

/// SELECT, WITH … SELECT, VALUES or TABLE, by its words: one that has a word such as UPDATE in it anywhere is
/// none.
bool only_reads(const std::string& sql);

/// What the server is to do with a statement. To plan one runs no function that is volatile.
enum class Use { run, plan };

/// What came of preparing a statement.
enum class Reach {
  refused,  ///< not prepared: it could not be read, or that alone could run code of somebody's own
  leaves,   ///< prepared, but code may run with it that is not the server's own, and may act outside of it
  stays     ///< prepared, and nothing but the server's own code would run with it
};

/// Prepares a statement under `name`, in an open transaction in which nothing but catalogues was read so far:
/// the locks show what it works on. Throws pg::StatementError where the server refuses it. With Use::run the
/// statement is one that only_reads().
///
/// It leaves where a name with a '(' behind or a '.' before it is that of a function outside pg_catalog, or
/// of one there that takes a table's name as a value (table_to_xml); where it works on a foreign table, on a
/// table with row security (for Use::plan, whose policies hold for this role or call such functions), or on
/// what calls them from rules, checks of partitions, keys of partitions, extended statistics, and when it
/// writes, from defaults and domains of columns. So it does where it has the name of an operator or a domain
/// behind which a user's function stands, fills a row from JSON where there is such a domain, and in a
/// database with such functions behind casts, classes of operators, or operators that words like IN stand
/// for. Use::run leaves with a volatile function of pg_catalog too; with Use::plan, volatile functions that
/// are not in SQL count for nothing, and extensions' functions are what they are labelled.
///
/// It asks catalogues several times, which takes some 10 ms in a database with thousands of functions,
/// without a limit but that of `scope`.
///
/// Not looked at: functions behind expressions of indexes, what a type in C does to read its values, and a
/// string for a column whose type is a row type with a domain.
Reach prepare(pg::Session& session, const std::string& name, const std::string& sql, Use use,
              const base::Scope& scope);

}  // namespace staithe::stage
