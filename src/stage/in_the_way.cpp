#include "in_the_way.hpp"

#include <fmt/format.h>

namespace staithe::stage {

using base::Scope;

std::vector<std::string> lines_of(pg::Session& session, const std::string& sql, const char* text,
                                  const Scope& scope) {
  std::vector<std::string> lines;
  for (const auto& row : session.run(sql, scope).rows)
    lines.push_back(fmt::format(fmt::runtime(text), row.at(0).value_or("")));
  return lines;
}

InTheWay in_the_way_of(pg::Session& session, const std::string& name, const Scope& scope) {
  InTheWay found;
  const std::string table = "to_regclass(" + pg::quoted_literal(name) + ")";
  // The locks of a prepared transaction have no process.
  found.prepared = lines_of(
      session,
      "SELECT string_agg(gid, ', ') FROM pg_prepared_xacts WHERE database = current_database() AND EXISTS "
      "(SELECT FROM pg_locks WHERE pid IS NULL AND relation = " +
          table + ") HAVING count(*) > 0",
      "a prepared transaction holds a lock on the table, and ends only when somebody ends it: {}", scope);
  found.others = lines_of(
      session,
      "SELECT format('%s (pid %s, open for %s)', application_name, a.pid, date_trunc('second', now() - "
      "xact_start)) FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE l.relation = " +
          table +
          " AND l.granted AND a.pid <> pg_backend_pid() AND xact_start < now() - interval '1 minute' GROUP "
          "BY application_name, a.pid, xact_start",
      "a long transaction holds a lock on the table, which stands in the way of every ALTER TABLE: {}",
      scope);
  for (auto& line :
       lines_of(session,
                "SELECT query FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND "
                "query LIKE '%to prevent wraparound%' AND query LIKE '%' || " +
                    table + "::text || '%'",
                "an autovacuum that does not give way is at the table: {}", scope))
    found.others.push_back(std::move(line));
  return found;
}

std::vector<std::string> idle_slots(pg::Session& session, const Scope& scope) {
  return lines_of(
      session,
      "SELECT string_agg(slot_name, ', ') FROM pg_replication_slots WHERE NOT active HAVING count(*) > 0",
      "nobody reads these replication slots, so that all WAL that is written stays on the disk: {}", scope);
}

}  // namespace staithe::stage
