#include "encoding.hpp"

#include "staithe/base/error.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace staithe::stage {
namespace {

constexpr const char* user_relations =
    "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' LIMIT 1";

/// They are made as the role that will own the copy, whoever connects. The objects of a trusted extension
/// belong to the cluster's first superuser, whoever made it. 13 has the column.
/// https://www.postgresql.org/docs/current/extend-extensions.html
constexpr const char* available_extensions =
    "SELECT e.name, e.default_version,"
    " me.super OR NOT v.superuser OR coalesce((pg_catalog.to_jsonb(v)->>'trusted')::boolean, false),"
    " me.super OR NOT v.superuser FROM pg_catalog.pg_available_extensions e"
    " JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version,"
    " (SELECT coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1), false) AS super) me";

bool is_empty(std::string_view url, const std::string& database, const base::Scope& scope) {
  pg::Session session(pg::with_database(url, database), target_options(), scope);
  return session.run(user_relations, scope).rows.empty();
}

/// The roles that objects are to be given to, held against those that are there.
void read_roles(pg::Session& session, const SnapshotSettings& settings, TargetFacts& facts,
                const base::Scope& scope) {
  for (const auto& [from, to] : settings.roles) {
    if (to.empty()) continue;
    const std::vector<pg::Value> names{to, settings.owner};
    const auto answer = session.query(
        "SELECT pg_catalog.pg_has_role(coalesce((SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $2),"
        " (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)), oid, 'MEMBER')"
        " FROM pg_catalog.pg_roles WHERE rolname = $1",
        names, scope);
    if (answer.rows.empty())
      facts.missing_roles.push_back(to);
    else if (answer.rows[0][0] != "t")
      facts.foreign_roles.push_back(to);
  }
}

}  // namespace

pg::Options source_options() {
  pg::Options options;
  options.application_name = "staithe snapshot";
  options.silence = pg::usual_silence;
  return options;
}

pg::Options target_options() {
  pg::Options options;
  options.application_name = "staithe stage";
  options.silence = pg::usual_silence;
  return options;
}

void guard_source(pg::Session& session, const SnapshotSettings& settings, const base::Scope& scope) {
  refuse_pooler(session, scope);
  std::string sql =
      "SET default_transaction_read_only = on; SET search_path = ''; SET row_security = off;"
      "SET DateStyle = 'ISO, YMD';"
      "SET IntervalStyle = postgres; SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET bytea_output = "
      "hex;"
      "SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0;"
      "SET client_min_messages = warning;";
  sql += keepalives;
  // A proxy that carries nothing any more still answers keepalives: what holds locks or the snapshot ends by
  // itself then. No statement of a run lasts longer than the snapshot may.
  sql +=
      fmt::format("SET idle_in_transaction_session_timeout = '5min'; SET statement_timeout = {};",
                  std::min<base::Duration::rep>((settings.longest_snapshot + std::chrono::minutes(1)).count(),
                                                std::numeric_limits<std::int32_t>::max()));
  sql += fmt::format("SET lock_timeout = '{}ms';", settings.lock_wait.count());
  if (session.server_version() >= 140000) sql += "SET idle_session_timeout = 0;";
  if (session.server_version() >= 170000) sql += "SET transaction_timeout = 0;";
  session.run(sql, scope);
  speak_utf8(session, session.run("SHOW server_encoding", scope).rows.at(0)[0].value_or(""), scope);
  if (session.server_version() < 140000) return;
  try {
    session.run("SET client_connection_check_interval = '1s'", scope);
  } catch (const pg::SqlError&) {
    // Only servers on Linux have it; elsewhere a session that was cut is noticed at its next row.
  }
}

namespace {

/// Sessions in the database of that name; nothing without one. A worker of autovacuum, which has no user, is
/// nobody's: the server ends it by itself.
std::optional<std::uint32_t> sessions_in(pg::Session& session, const std::string& database,
                                         const base::Scope& scope) {
  const std::vector<pg::Value> name{database};
  const auto answer = session.query(
      "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid"
      " AND a.usesysid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid())"
      " FROM pg_catalog.pg_database d WHERE d.datname = $1",
      name, scope);
  if (answer.rows.empty()) return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(answer.rows[0][0].value_or("0")));
}

/// The server takes a moment to end the session of a client that is gone: as long as it waits itself before
/// it refuses to drop a database.
std::optional<std::uint32_t> sessions_that_stay(pg::Session& session, const std::string& database,
                                                const base::Scope& scope) {
  const auto patience = scope.at_most(std::chrono::seconds(5));
  for (;;) {
    const auto open = sessions_in(session, database, scope);
    if (!open || *open == 0) return open;
    if (base::sleep_for(base::Duration{100}, patience) != base::Woke::ready) return open;
  }
}

}  // namespace

TargetFacts read_target(std::string_view url, const SnapshotSettings& settings, const base::Scope& scope) {
  auto session = connect_cluster(url, target_options(), scope);
  TargetFacts facts;
  facts.where = pg::display_url(url);
  facts.system_identifier = system_identifier(session, scope);
  facts.version = session.server_version();
  facts.database = settings.name.empty() ? pg::database_of(url) : settings.name;
  if (facts.database.empty())
    throw base::Error(base::ErrorCode::invalid, "the target's URL names no database; --name does");
  facts.production = production_databases(session, scope);
  read_roles(session, settings, facts, scope);
  facts.maker = settings.owner.empty() ? session.run("SELECT current_user", scope).rows.at(0)[0].value_or("")
                                       : settings.owner;
  for (const auto& row : session.query(available_extensions, std::vector<pg::Value>{facts.maker}, scope).rows)
    facts.extensions.push_back({row[0].value_or(""), row[1].value_or(""), row[2] == "t", row[3] == "t"});
  facts.collations = read_collations(session, scope);
  for (const auto& snapshot : list_snapshots(session, scope)) {
    const bool is_complete = snapshot.marker.state == Marker::State::complete;
    if (!is_complete) facts.unfinished.push_back(snapshot.database);
    if (snapshot.database == facts.database) facts.is_snapshot = is_complete;
  }
  const auto open = settings.replace ? sessions_in(session, facts.database, scope)
                                     : sessions_that_stay(session, facts.database, scope);
  facts.exists = open.has_value();
  if (!facts.exists) return facts;
  facts.sessions = *open;
  facts.is_empty = facts.is_snapshot ? false : is_empty(url, facts.database, scope);
  return facts;
}

}  // namespace staithe::stage
