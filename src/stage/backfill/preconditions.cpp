#include "in_the_way.hpp"

#include "staithe/stage/backfill.hpp"
#include "staithe/stage/snapshots.hpp"

#include <iterator>
#include <utility>

namespace staithe::stage {
namespace {

using base::Scope;

void ask(pg::Session& session, const std::string& sql, const char* text, std::vector<std::string>& out,
         const Scope& scope) {
  for (auto& line : lines_of(session, sql, text, scope)) out.push_back(std::move(line));
}

}  // namespace

Preconditions backfill_preconditions(pg::Session& session, const BackfillSpec& spec, const Scope& scope) {
  Preconditions found;
  const std::string table = pg::quoted_literal(spec.table) + "::regclass";
  if (session.run("SELECT pg_is_in_recovery()", scope).rows.at(0)[0] == "t") {
    found.obstacles.emplace_back("this is a standby, which cannot be written to");
    return found;
  }
  const auto there =
      session.run("SELECT to_regclass(" + pg::quoted_literal(spec.table) + ") IS NOT NULL", scope);
  if (there.rows.at(0)[0] != "t") {
    found.obstacles.push_back("there is no table " + spec.table);
    return found;
  }
  ask(session, "SELECT 1 WHERE NOT has_table_privilege(" + table + ", 'UPDATE')",
      "this role has no right to UPDATE the table", found.obstacles, scope);
  if (!spec.not_null.empty())
    ask(session,
        "SELECT rolname FROM pg_class c JOIN pg_roles r ON r.oid = relowner WHERE c.oid = " + table +
            " AND NOT pg_has_role(r.oid, 'USAGE')",
        "only the owner, {}, may make a column NOT NULL", found.obstacles, scope);
  // Its own lock on the table would stand in the way of ALTER TABLE, and everybody else behind that.
  if (!spec.not_null.empty())
    ask(session,
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM "
        "pg_database WHERE datname = current_database()) AND (classid::bigint << 32) | objid::bigint = " +
            std::to_string(source_lock) + " LIMIT 1",
        "a snapshot is being read from this database, with a lock on every table; when it has ended, NOT "
        "NULL is "
        "no trouble",
        found.obstacles, scope);
  auto in_the_way = in_the_way_of(session, spec.table, scope);
  std::move(in_the_way.prepared.begin(), in_the_way.prepared.end(), std::back_inserter(found.obstacles));
  found.warnings = std::move(in_the_way.others);
  ask(session, "SELECT count(*) FROM pg_stat_replication WHERE state IS NULL HAVING count(*) > 0",
      "{} standbys cannot be looked at, so that their lag is not heeded: GRANT pg_read_all_stats to this "
      "role",
      found.warnings, scope);
  if (spec.most_active > 0)
    ask(session, "SELECT 1 WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')",
        "active sessions of other roles cannot be seen, so that it does not rest for them: GRANT "
        "pg_read_all_stats to this role",
        found.warnings, scope);
  for (auto& slots : idle_slots(session, scope)) found.warnings.push_back(std::move(slots));
  ask(session,
      "SELECT string_agg(quote_ident(tgname), ', ') FROM pg_trigger WHERE tgrelid = " + table +
          " AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0 HAVING count(*) > 0",
      "triggers will fire for each row or statement: {}", found.warnings, scope);
  return found;
}

}  // namespace staithe::stage
