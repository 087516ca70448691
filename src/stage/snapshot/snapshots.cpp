#include "staithe/stage/snapshots.hpp"

#include "instant.hpp"
#include "target_database.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace staithe::stage {
namespace {

using nlohmann::json;

constexpr const char* our_key = "staithe";
constexpr int format_version = 1;

/// The members, in one place for both directions.
template <class Archive, class M>
void fields(Archive&& field, M& marker) {
  field("name", marker.name);
  field("lsn", marker.lsn);
  field("masked", marker.masked);
  field("partial", marker.partial);
  field("rows", marker.rows);
  field("plan", marker.plan_id);
  field("run", marker.run_id);
}
template <class Archive, class O>
void origin_fields(Archive&& field, O& origin) {
  field("system", origin.system_identifier);
  field("database", origin.database);
  field("where", origin.where);
  field("server", origin.server_version);
}

/// Of a database whose run was killed after CREATE DATABASE and before it had its mark.
Marker without_mark(const std::string& database) {
  Marker marker;
  marker.name = database.substr(0, database.rfind("_building_"));
  return marker;
}

Snapshot snapshot_of(const pg::Row& row, Marker marker) {
  Snapshot snapshot;
  snapshot.database = row[0].value_or("");
  snapshot.marker = std::move(marker);
  snapshot.size_bytes = std::stoull(row[2].value_or("0"));
  snapshot.sessions = static_cast<std::uint32_t>(std::stoul(row[3].value_or("0")));
  snapshot.oid = std::stoull(row[4].value_or("0"));
  return snapshot;
}

[[noreturn]] void not_found(const std::string& name, const std::vector<Snapshot>& all) {
  std::string there;
  for (const auto& one : all)
    if (one.marker.state == Marker::State::complete) there += (there.empty() ? "" : ", ") + one.database;
  throw base::Error(base::ErrorCode::not_found,
                    fmt::format("no snapshot '{}'; {}", name,
                                there.empty() ? "staithe stage snapshot takes one" : "there is " + there));
}

/// Whether another database of the cluster may let us in where this one did not.
bool is_about_database(const base::Error& error) {
  const std::string_view text = error.what();
  return error.code() == base::ErrorCode::not_found ||
         text.find("permission denied for database") != std::string_view::npos ||
         text.find("not currently accepting connections") != std::string_view::npos ||
         text.find("no pg_hba.conf entry") != std::string_view::npos;
}

}  // namespace

std::string to_comment(const Marker& marker) {
  json document{{"format", format_version},
                {"kind", "snapshot"},
                {"state", marker.state == Marker::State::complete ? "complete" : "building"},
                {"taken_at", instant_text(marker.taken_at)},
                {"taken_ms", marker.taken_at.time_since_epoch().count() % 1000}};
  fields([&](const char* key, const auto& value) { document[key] = value; }, marker);
  document["nulls_kept"] = marker.nulls_kept;
  auto& origin = document["origin"] = json::object();
  origin_fields([&](const char* key, const auto& value) { origin[key] = value; }, marker.origin);
  return json{{our_key, document}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Marker> from_comment(std::string_view comment) {
  const auto whole = json::parse(comment, nullptr, false);
  if (!whole.is_object() || !whole.contains(our_key)) return std::nullopt;
  const auto& document = whole[our_key];
  try {
    if (document.at("format") != format_version || document.at("kind") != "snapshot") return std::nullopt;
    Marker marker;
    marker.state = document.at("state") == "complete" ? Marker::State::complete : Marker::State::building;
    const auto taken = instant_from(document.at("taken_at").get<std::string>());
    if (!taken) return std::nullopt;
    marker.taken_at = std::chrono::time_point_cast<Instant::duration>(*taken) +
                      std::chrono::milliseconds(document.value("taken_ms", 0));
    fields([&](const char* key, auto& value) { document.at(key).get_to(value); }, marker);
    // Snapshots that were taken before it was written down have none that are known.
    marker.nulls_kept = document.value("nulls_kept", marker.nulls_kept);
    origin_fields([&](const char* key, auto& value) { document.at("origin").at(key).get_to(value); },
                  marker.origin);
    return marker;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::vector<Snapshot> list_snapshots(pg::Session& session, const base::Scope& scope) {
  // The size of a database that is being dropped cannot be asked for; has_database_privilege keeps the
  // others' from failing the whole list.
  const auto answer = session.run(
      "SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database'),"
      " CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')"
      "  OR pg_catalog.pg_has_role('pg_read_all_stats', 'MEMBER')"
      "  THEN pg_catalog.pg_database_size(d.oid) ELSE 0 END,"
      " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a"
      "  WHERE a.datid = d.oid AND a.usesysid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()), d.oid"
      " FROM pg_catalog.pg_database d WHERE NOT d.datistemplate"
      " AND (pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '{\"staithe\":%'"
      "  OR (pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL AND d.datname ~ "
      "'_building_[0-9a-f]{4}$' AND d.datconnlimit = " +
          std::to_string(made_by_us) + ")) ORDER BY 1",
      scope);
  std::vector<Snapshot> found;
  for (const auto& row : answer.rows) {
    auto marker = from_comment(row[1].value_or(""));
    if (!marker && !row[1]) marker = without_mark(row[0].value_or(""));
    if (marker) found.push_back(snapshot_of(row, std::move(*marker)));
  }
  std::stable_sort(found.begin(), found.end(), [](const Snapshot& a, const Snapshot& b) {
    return a.marker.taken_at > b.marker.taken_at;
  });
  return found;
}

Snapshot find_snapshot(pg::Session& session, const std::string& name, const base::Scope& scope) {
  const auto all = list_snapshots(session, scope);
  for (const auto& one : all) {
    if (one.database != name) continue;
    if (one.marker.state == Marker::State::complete) return one;
    throw base::Error(base::ErrorCode::conflict, fmt::format("snapshot '{}' is not complete", name));
  }
  not_found(name, all);
}

Snapshot newest_snapshot(pg::Session& session, const std::string& made_as, const base::Scope& scope) {
  const auto all = list_snapshots(session, scope);
  for (const auto& one : all)
    if (one.marker.name == made_as && one.marker.state == Marker::State::complete) return one;
  not_found(made_as, all);
}

std::string system_identifier(pg::Session& session, const base::Scope& scope) {
  const auto answer = session.run("SELECT system_identifier FROM pg_catalog.pg_control_system()", scope);
  if (answer.rows.size() != 1 || !answer.rows[0][0])
    throw base::Error(base::ErrorCode::protocol, session.where() + ": the cluster does not say which it is");
  return *answer.rows[0][0];
}

std::string server_identity(pg::Session& session, const base::Scope& scope) {
  const auto answer = session.run(
      // In whole microseconds: how a fraction prints depends on the session before PostgreSQL 14.
      "SELECT system_identifier || ' since ' || "
      "(extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint"
      " FROM pg_catalog.pg_control_system()",
      scope);
  return answer.rows.at(0).at(0).value_or("");
}

void refuse_pooler(pg::Session& session, const base::Scope& scope) {
  // A pooler makes up the numbers of its clients' sessions, since theirs are no processes of the server.
  const auto answer = session.run("SELECT pg_catalog.pg_backend_pid()", scope);
  if (answer.rows.at(0).at(0) == std::to_string(session.backend_pid())) return;
  throw base::Error(
      base::ErrorCode::conflict,
      session.where() +
          ": this leads through a pooler, which is refused in whatever mode it is, since it may "
          "give a session's settings and locks to other clients; nothing was set there\n"
          "  next  give the address of PostgreSQL itself");
}

std::vector<std::string> production_databases(pg::Session& session, const base::Scope& scope) {
  const auto answer = session.run(
      "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate AND"
      " pg_catalog.shobj_description(oid, 'pg_database') ~* '^\\s*(staithe: *)?production\\M' ORDER BY 1",
      scope);
  std::vector<std::string> found;
  for (const auto& row : answer.rows) found.push_back(row[0].value_or(""));
  return found;
}

void refuse_production(pg::Session& session, const base::Scope& scope) {
  const auto production = production_databases(session, scope);
  if (production.empty()) return;
  throw base::Error(base::ErrorCode::conflict,
                    fmt::format("{}: the database {} is marked as production; nothing was changed",
                                session.where(), production.front()));
}

void lift_limits(pg::Session& session, const base::Scope& scope) {
  std::string sql =
      "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;";
  sql += keepalives;
  if (session.server_version() >= 140000) sql += "SET idle_session_timeout = 0;";
  if (session.server_version() >= 170000) sql += "SET transaction_timeout = 0;";
  session.run(sql, scope);
}

void allow_writes(pg::Session& session, const base::Scope& scope) {
  refuse_production(session, scope);
  // Some of our sessions on what may be written to only look, and would see another server's locks there.
  if (session.run("SELECT pg_catalog.pg_is_in_recovery()", scope).rows.at(0).at(0) == "t")
    throw base::Error(base::ErrorCode::conflict,
                      session.where() +
                          ": a standby answered, where nothing can be written; what distributes "
                          "connections cannot be used: give the address of the primary");
  session.run("SET default_transaction_read_only = off", scope);
}

pg::Session connect_cluster(std::string_view url, const pg::Options& options, const base::Scope& scope) {
  auto watched = options;
  watched.silence = pg::usual_silence;
  // A session in the snapshot's own database would keep it from being renamed or cloned.
  std::optional<base::Error> first;
  for (const char* database : {"postgres", "template1"}) {
    try {
      pg::Session session(pg::with_database(url, database), watched, scope);
      refuse_pooler(session, scope);
      session.run("SET default_transaction_read_only = on", scope);
      lift_limits(session, scope);
      return session;
    } catch (const base::Error& error) {
      if (!is_about_database(error)) throw;
      if (!first) first = error;
    }
  }
  throw *first;
}

}  // namespace staithe::stage
