#include "schema.hpp"

#include "convert.hpp"

namespace staithe::store {
namespace {

// Names carry a prefix because a team's database may hold more than staithe. Times are milliseconds since
// 1970.
const std::vector<Migration>& all() {
  static const std::vector<Migration> list = {
      {
          R"(CREATE TABLE staithe_runs (
               id TEXT PRIMARY KEY, kind TEXT NOT NULL, environment TEXT NOT NULL, service TEXT NOT NULL,
               title TEXT NOT NULL, plan_id TEXT NOT NULL, plan_json TEXT NOT NULL, user_name TEXT NOT NULL,
               release_id TEXT NOT NULL, sha TEXT NOT NULL, started BIGINT NOT NULL, ended BIGINT,
               outcome TEXT NOT NULL, exit_code INTEGER, summary_json TEXT NOT NULL,
               process TEXT NOT NULL, writer TEXT NOT NULL))",
          "CREATE INDEX staithe_runs_by_time ON staithe_runs (started)",
          "CREATE INDEX staithe_runs_open ON staithe_runs (started) WHERE ended IS NULL",
          R"(CREATE TABLE staithe_journal (
               run_id TEXT NOT NULL, seq BIGINT NOT NULL, time BIGINT NOT NULL, host TEXT NOT NULL,
               action_id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, writer TEXT NOT NULL,
               PRIMARY KEY (run_id, seq)))",
          R"(CREATE TABLE staithe_locks (
               scope TEXT PRIMARY KEY, holder TEXT NOT NULL, reason TEXT NOT NULL, run_id TEXT NOT NULL,
               token TEXT NOT NULL, process TEXT NOT NULL, taken BIGINT NOT NULL, heartbeat BIGINT NOT NULL,
               lease_ms BIGINT NOT NULL))",
          R"(CREATE TABLE staithe_lock_events (
               id TEXT PRIMARY KEY, time BIGINT NOT NULL, scope TEXT NOT NULL, what TEXT NOT NULL,
               who TEXT NOT NULL, reason TEXT NOT NULL, from_holder TEXT NOT NULL, from_run_id TEXT NOT NULL))",
          R"(CREATE TABLE staithe_releases (
               environment TEXT NOT NULL, service TEXT NOT NULL, id TEXT NOT NULL, sha TEXT NOT NULL,
               ref TEXT NOT NULL, state TEXT NOT NULL, time BIGINT NOT NULL, run_id TEXT NOT NULL,
               PRIMARY KEY (environment, service, id)))",
      },
      {
          R"(CREATE TABLE staithe_checks (
               environment TEXT NOT NULL, suite TEXT NOT NULL, check_key TEXT NOT NULL, run_id TEXT NOT NULL,
               text_id TEXT NOT NULL, release_id TEXT NOT NULL, verdict TEXT NOT NULL, flaky INTEGER NOT NULL,
               attempts INTEGER NOT NULL, duration_ms BIGINT NOT NULL, time BIGINT NOT NULL, detail TEXT NOT NULL,
               excused_by TEXT NOT NULL, PRIMARY KEY (environment, suite, check_key, run_id)))",
          "CREATE INDEX staithe_checks_by_time ON staithe_checks (environment, suite, check_key, time)",
      },
      {
          R"(CREATE TABLE staithe_rehearsals (
               run_id TEXT PRIMARY KEY, project TEXT NOT NULL, environment TEXT NOT NULL, snapshot TEXT NOT NULL,
               snapshot_taken BIGINT NOT NULL, files_id TEXT NOT NULL, files TEXT NOT NULL,
               passed INTEGER NOT NULL, verdict TEXT NOT NULL, budgets TEXT NOT NULL,
               duration_ms BIGINT NOT NULL, time BIGINT NOT NULL))",
          "CREATE INDEX staithe_rehearsals_by_time ON staithe_rehearsals (environment, time)",
      },
      {
          R"(CREATE TABLE staithe_notes (
               environment TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, time BIGINT NOT NULL,
               PRIMARY KEY (environment, name)))",
      },
  };
  return list;
}

std::size_t version_of(Session& session) {
  if (!session.has_table("staithe_schema")) return 0;
  const Rows rows = session.exec("SELECT max(version) FROM staithe_schema");
  return static_cast<std::size_t>(to_number(rows.rows.at(0).at(0)));
}

}  // namespace

std::span<const Migration> migrations() {
  return all();
}

void migrate(Database& database, std::span<const Migration> steps, const base::Scope& scope) {
  const auto refuse_newer = [&](std::size_t version) {
    if (version <= steps.size()) return;
    throw base::Error(base::ErrorCode::conflict, database.where() +
                                                     ": written by a newer staithe (tables of version " +
                                                     std::to_string(version) + ", this staithe knows up to " +
                                                     std::to_string(steps.size()) + "); use that version");
  };
  const auto found = run_on(database, Work::single, scope, version_of);
  refuse_newer(found);
  if (found == steps.size()) return;
  run_on(database, Work::transaction, scope, [&](Session& session) {
    session.exclude_others();
    const std::size_t version = version_of(session);  // another process may have been faster
    refuse_newer(version);
    if (version == 0) session.exec("CREATE TABLE IF NOT EXISTS staithe_schema (version BIGINT PRIMARY KEY)");
    for (std::size_t next = version; next < steps.size(); ++next) {
      for (const char* statement : steps[next]) session.exec(statement);
      session.exec("INSERT INTO staithe_schema (version) VALUES ($1)", {std::to_string(next + 1)});
    }
  });
}

}  // namespace staithe::store
