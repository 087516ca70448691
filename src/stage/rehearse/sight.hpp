#pragma once
#include "sql_text.hpp"

#include "staithe/stage/rehearsal_report.hpp"

#include <string>

namespace staithe::stage {

/// How far the words of a statement show at which values it looks.
enum class Sight {
  none,     ///< at none
  words,    ///< at those of the columns that it names
  hidden,   ///< at those of columns that it names, and at all of tables that it does not name but works on
  anything  ///< code that is not in its words runs: at all of every table that it works on
};
/// `report` knows the functions that users have made.
Sight sight_of(const SqlStatement& sql, const StatementReport& one, const RehearsalReport& report);

/// For Sight::anything: whether the code that runs, as far as it can be read, leaves it open that it looks at
/// a column of a table which it works on. Code that makes its statements itself, or takes whole rows, does.
bool code_may_look_at(const SqlStatement& sql, const StatementReport& one, const RehearsalReport& report,
                      const std::string& table, const std::string& column);

/// Whether the trace saw it ask for a lock of the table, which was there before, or read, write or scan it. A
/// lock that the server takes on the other end of a foreign key, to look for one key, does not count.
bool works_on(const StatementReport& one, const std::string& table, const RehearsalReport& report);

/// Whether the words name the table, with its schema or without, or a table that it is a part of.
bool names(const SqlStatement& sql, const std::string& table, const RehearsalReport& report);

/// Whether the words take whole rows of the table, or of one that it is a part of, for one value.
bool takes_rows_of(const SqlStatement& sql, const std::string& table, const RehearsalReport& report);

/// As snapshots write names: "app.users" for app."users".
std::string plain_name(std::string name);

}  // namespace staithe::stage
