#include "ways_out.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

namespace staithe::stage {
namespace {

/// https://www.postgresql.org/docs/current/errcodes-appendix.html
constexpr const char* disk_full = "53100";
constexpr const char* too_many_connections = "53300";
constexpr const char* conflict_with_recovery = "40001";
constexpr const char* lock_not_available = "55P03";
constexpr const char* insufficient_privilege = "42501";

std::string about_space(const SnapshotPlan& plan) {
  return fmt::format("staithe stage list    what could go there; the copy needs about {} while it is made",
                     base::bytes_text(room_of(plan)));
}

}  // namespace

std::vector<std::string> ways_out(const base::Error& error, const SnapshotPlan& plan) {
  const auto* refused = dynamic_cast<const pg::SqlError*>(&error);
  if (refused == nullptr) return {};
  const auto& state = refused->sqlstate();
  if (state == disk_full) return {about_space(plan)};
  if (state == too_many_connections)
    return {
        fmt::format("raise max_connections, or use fewer --jobs: there are up to {} sessions on each side",
                    2 * plan.settings.jobs + 3)};
  if (state == conflict_with_recovery && plan.source.in_recovery)
    return {
        "on the standby: raise max_standby_streaming_delay, or set hot_standby_feedback = on, which holds "
        "back the primary's vacuum; or read from a standby that nobody else needs"};
  if (state == lock_not_available)
    return {"look for long transactions and waiting statements in pg_stat_activity of the source"};
  if (state == insufficient_privilege) return {"grant that right to the role of databases.source"};
  return {};
}

bool are_left_on(const std::string& source_url, const std::string& application,
                 const std::string& server) noexcept {
  constexpr base::Duration patience{3'000}, once_more{200};
  try {
    const auto scope = base::Scope::lasting(patience);
    auto options = source_options();
    options.connect_timeout = patience;
    pg::Session session(source_url, options, scope);
    session.run("SET default_transaction_read_only = on", scope);
    if (server_identity(session, scope) != server) return true;
    // The server takes a moment to see that a client has gone.
    do {
      const auto answer =
          session.query("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE application_name = $1 LIMIT 1",
                        std::vector<pg::Value>{application}, scope);
      if (answer.rows.empty()) return false;
    } while (base::sleep_for(once_more, scope) == base::Woke::ready);
    return true;
  } catch (const std::exception&) {
    // Whoever refuses or cuts us off may be a proxy: what was behind it may be there.
    return true;
  }
}

std::string end_of_sessions(const std::string& application) {
  return fmt::format(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {}    on the source: "
      "ends what this run may have left there; pg_dump's session has no limit and holds its locks",
      pg::quoted_literal(application));
}

}  // namespace staithe::stage
