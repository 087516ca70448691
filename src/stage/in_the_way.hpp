#pragma once
#include "staithe/pg/session.hpp"

#include <string>
#include <vector>

namespace staithe::stage {

/// What stands in the way of altering a table just now. Only asked for, with what the role may see.
struct InTheWay {
  std::vector<std::string> prepared;  ///< transactions that end only when somebody ends them
  std::vector<std::string> others;    ///< long transactions, an autovacuum that does not give way
};
/// `table` as SQL has it; nothing is in the way of one that is not there.
InTheWay in_the_way_of(pg::Session& session, const std::string& table, const base::Scope& scope);

/// Replication slots that nobody reads.
std::vector<std::string> idle_slots(pg::Session& session, const base::Scope& scope);

/// One line for each row of a query, with what the first column says in the place of "{}".
std::vector<std::string> lines_of(pg::Session& session, const std::string& sql, const char* text,
                                  const base::Scope& scope);

}  // namespace staithe::stage
