#include "target_database.hpp"

#include "instant.hpp"
#include "numbers.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace staithe::stage {
namespace {

/// How long the server may take to notice that a run was killed.
constexpr std::chrono::seconds ending_patience{3};

/// Lists: quoting the whole would make one name of it.
bool is_list(const std::string& setting) {
  return setting == "search_path" || setting == "temp_tablespaces" || setting == "local_preload_libraries" ||
         setting == "session_preload_libraries";
}

std::string create_statement(const Context& context) {
  const auto& source = context.plan.source;
  std::string sql = fmt::format("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
                                pg::quoted_name(context.database), pg::quoted_literal(source.encoding),
                                pg::quoted_literal(source.collate), pg::quoted_literal(source.ctype));
  if (source.locale_provider == 'i')
    sql += fmt::format(" LOCALE_PROVIDER icu ICU_LOCALE {}", pg::quoted_literal(source.icu_locale));
  if (source.locale_provider == 'b')
    sql += fmt::format(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", pg::quoted_literal(source.icu_locale));
  if (!context.plan.settings.owner.empty()) sql += " OWNER " + pg::quoted_name(context.plan.settings.owner);
  return sql + fmt::format(" CONNECTION LIMIT {}", made_by_us);
}

std::optional<std::uint64_t> oid_of(pg::Session& cluster, const std::string& database,
                                    const base::Scope& scope) {
  const auto answer = cluster.query("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1",
                                    std::vector<pg::Value>{database}, scope);
  if (answer.rows.empty()) return std::nullopt;
  return number_of(answer.rows[0][0]);
}

/// swap_lock, for the life of the object.
class SwapLock {
 public:
  SwapLock(pg::Session& session, const base::Scope& scope) : session_(session) {
    session_.run("SELECT pg_catalog.pg_advisory_lock(" + std::to_string(swap_lock) + ")", scope);
  }
  ~SwapLock() {
    try {
      if (session_.usable())
        session_.run("SELECT pg_catalog.pg_advisory_unlock(" + std::to_string(swap_lock) + ")",
                     base::Scope::lasting(std::chrono::seconds(5)));
    } catch (const std::exception&) {
      // It ends with the session.
    }
  }
  SwapLock(const SwapLock&) = delete;
  SwapLock& operator=(const SwapLock&) = delete;

 private:
  pg::Session& session_;
};

void end_sessions(pg::Session& cluster, std::uint64_t database, const base::Scope& scope) {
  cluster.query(
      "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity"
      " WHERE datid = $1 AND pid <> pg_catalog.pg_backend_pid()",
      std::vector<pg::Value>{std::to_string(database)}, scope);
}

/// "shop_20261120_205501" for the one that steps aside, and "shop_20261120_205501_2" when that is taken by
/// one of the same second.
std::string aside_name(pg::Session& cluster, const std::string& name,
                       std::chrono::system_clock::time_point time, const base::Scope& scope) {
  std::string stamp = instant_text(time);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  std::replace(stamp.begin(), stamp.end(), 'T', '_');
  constexpr std::size_t longest = 63;
  for (int count = 1;; ++count) {
    const std::string tail = "_" + stamp + (count == 1 ? "" : "_" + std::to_string(count));
    std::string aside = name.substr(0, longest - tail.size()) + tail;
    if (!database_exists(cluster, aside, scope)) return aside;
  }
}

}  // namespace

bool database_exists(pg::Session& cluster, const std::string& database, const base::Scope& scope) {
  return oid_of(cluster, database, scope).has_value();
}

bool is_being_built(pg::Session& session, const base::Scope& scope) {
  const auto patience = scope.at_most(ending_patience);
  while (true) {
    const auto holders = session.query(
        "SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
        " AND (classid::bigint << 32) | objid::bigint = $1 AND pid <> pg_catalog.pg_backend_pid()",
        std::vector<pg::Value>{std::to_string(build_lock)}, scope);
    if (holders.rows.empty()) return false;
    if (patience.expired()) return true;
    base::sleep_for(std::chrono::milliseconds(100), scope);
    scope.check("looking for a run that builds");
  }
}

void create_database(Context& context, pg::Session& cluster, const Marker& marker) {
  cluster.run(create_statement(context), context.scope);
  write_marker(cluster, context.database, marker, context.scope);
  const auto name = pg::quoted_name(context.database);
  cluster.run(fmt::format("ALTER DATABASE {} CONNECTION LIMIT -1", name), context.scope);
  cluster.run(fmt::format("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC", name), context.scope);
  for (const auto& [setting, value] : context.plan.source.settings) {
    try {
      cluster.run(fmt::format("ALTER DATABASE {} SET {} = {}", name, pg::quoted_name(setting),
                              is_list(setting) ? value : pg::quoted_literal(value)),
                  context.scope);
    } catch (const pg::SqlError& error) {
      context.teller.message(
          event::Level::warning,
          fmt::format("the setting {} of the database is not carried: {}", setting, error.what()));
    }
  }
}

void write_marker(pg::Session& cluster, const std::string& database, const Marker& marker,
                  const base::Scope& scope) {
  cluster.run(fmt::format("COMMENT ON DATABASE {} IS {}", pg::quoted_name(database),
                          pg::quoted_literal(to_comment(marker))),
              scope);
}

namespace {

/// How long sessions in the old snapshot are waited for.
constexpr std::chrono::seconds swap_patience{20};
constexpr const char* database_in_use = "55006";

/// Ends sessions in a database again and again, from a session of its own. While it is being renamed nobody
/// can come in, and the server waits some seconds for those who are there: with this they all end, however
/// fast they came back after they were ended before.
/// https://www.postgresql.org/docs/current/sql-alterdatabase.html
class Emptier {
 public:
  Emptier(const Context& context, std::uint64_t database)
      : database_(std::to_string(database)),
        session_(connect_cluster(context.run.target_url, target_options(), context.scope)),
        thread_([this] { work(); }) {}
  ~Emptier() {
    done_.request();
    thread_.join();
  }
  Emptier(const Emptier&) = delete;
  Emptier& operator=(const Emptier&) = delete;

 private:
  void work() noexcept {
    const auto scope = base::Scope::lasting(swap_patience + std::chrono::seconds(10), &done_);
    try {
      do {
        session_.query(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE datid = $1 AND pid <> pg_catalog.pg_backend_pid()",
            std::vector<pg::Value>{database_}, scope);
      } while (base::sleep_for(std::chrono::milliseconds(50), scope) == base::Woke::ready);
    } catch (const std::exception&) {
      // No right to end them: the rename says that somebody is there.
    }
  }

  std::string database_;  ///< its oid: once the new one has the name, its sessions are nobody's to end
  base::Cancel done_;
  pg::Session session_;
  std::thread thread_;
};

void rename(pg::Session& cluster, const std::string& from, const std::string& to, const base::Scope& scope) {
  cluster.run(fmt::format("ALTER DATABASE {} RENAME TO {}", pg::quoted_name(from), pg::quoted_name(to)),
              scope);
}

/// The database that makes room, and the name that it gets.
struct Aside {
  std::uint64_t oid = 0;
  std::string name;
};

void exchange(Context& context, pg::Session& cluster, const Marker& marker, const std::string& name,
              const std::optional<Aside>& aside) {
  cluster.run("BEGIN", context.scope);
  try {
    cluster.run("SELECT pg_catalog.pg_advisory_xact_lock(" + std::to_string(swap_lock) + ")", context.scope);
    // Whoever made another one of that name meanwhile was not asked.
    if (aside && oid_of(cluster, name, context.scope) != aside->oid)
      throw base::Error(base::ErrorCode::conflict, name + " is another database by now");
    if (aside) rename(cluster, name, aside->name, context.scope);
    rename(cluster, context.database, name, context.scope);
    write_marker(cluster, name, marker, context.scope);
    cluster.run(fmt::format("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", pg::quoted_name(name)),
                context.scope);
    cluster.run("COMMIT", context.scope);
  } catch (const base::Error&) {
    if (cluster.usable() && cluster.in_transaction())
      cluster.run("ROLLBACK", base::Scope::lasting(std::chrono::seconds(5)));
    throw;
  }
  context.database = name;
}

}  // namespace

std::string swap_in(Context& context, pg::Session& cluster, const Marker& marker) {
  const auto& name = context.plan.target.database;
  const auto old = oid_of(cluster, name, context.scope);
  if (!old) {
    exchange(context, cluster, marker, name, std::nullopt);
    return {};
  }
  std::chrono::system_clock::time_point taken = std::chrono::system_clock::now();
  bool is_snapshot = false;
  for (const auto& snapshot : list_snapshots(cluster, context.scope)) {
    if (snapshot.oid != *old) continue;
    is_snapshot = snapshot.marker.state == Marker::State::complete;
    if (is_snapshot) taken = snapshot.marker.taken_at;
  }
  // Nobody was asked about one that was made while rows were copied.
  if (!is_snapshot && !context.plan.target.exists && !context.plan.settings.replace)
    throw base::Error(base::ErrorCode::conflict, name + " is no snapshot and was not there when this began");
  const Aside aside{*old, aside_name(cluster, name, taken, context.scope)};
  std::optional<Emptier> emptier;
  if (context.plan.settings.replace) emptier.emplace(context, *old);
  const auto patience = context.scope.at_most(swap_patience);
  while (true) {
    try {
      exchange(context, cluster, marker, name, aside);
      return aside.name;
    } catch (const pg::SqlError& error) {
      if (error.sqlstate() != database_in_use || patience.expired() || !cluster.usable()) throw;
    }
    base::sleep_for(std::chrono::milliseconds(200), context.scope);
    context.scope.check("waiting for sessions in the old snapshot to end");
  }
}

std::string keep_beside(Context& context, pg::Session& cluster, const Marker& marker) {
  auto name = aside_name(cluster, context.plan.target.database,
                         std::chrono::system_clock::time_point(marker.taken_at), context.scope);
  exchange(context, cluster, marker, name, std::nullopt);
  return name;
}

std::vector<std::string> drop_old(Context& context, pg::Session& cluster) {
  std::vector<std::string> dropped;
  std::uint32_t kept = 0;
  for (const auto& snapshot : list_snapshots(cluster, context.scope)) {
    const auto& marker = snapshot.marker;
    if (marker.state != Marker::State::complete || marker.name != context.plan.target.database) continue;
    if (++kept <= context.plan.settings.keep) continue;
    try {
      drop_snapshot(cluster, snapshot, false, context.scope);
      dropped.push_back(snapshot.database);
    } catch (const base::Error& error) {
      context.teller.message(event::Level::warning,
                             fmt::format("the old snapshot {} stays: {}", snapshot.database, error.what()));
    }
  }
  return dropped;
}

void drop_snapshot(pg::Session& session, const Snapshot& snapshot, bool disconnect,
                   const base::Scope& scope) {
  if (snapshot.sessions > 0 && !disconnect)
    throw base::Error(
        base::ErrorCode::conflict,
        fmt::format("{} open in {}", base::count_text(snapshot.sessions, "session"), snapshot.database));
  drop_database(session, snapshot.database, snapshot.oid,
                disconnect ? OpenSessions::end : OpenSessions::refuse, scope);
}

void drop_database(pg::Session& session, const std::string& name, std::uint64_t oid, OpenSessions sessions,
                   const base::Scope& scope) {
  // Before the lock: it may last, and a run that renames would wait for it.
  if (sessions == OpenSessions::end) end_sessions(session, oid, scope);
  const SwapLock lock(session, scope);
  const auto now = oid_of(session, name, scope);
  if (!now) return;
  if (*now != oid)
    throw base::Error(base::ErrorCode::conflict,
                      fmt::format("{} is another database by now; it was not dropped", name));
  // Those that came back at once end too.
  const bool forced = sessions == OpenSessions::end && session.server_version() >= 130000;
  session.run("DROP DATABASE " + pg::quoted_name(name) + (forced ? " WITH (FORCE)" : ""), scope);
}

}  // namespace staithe::stage
