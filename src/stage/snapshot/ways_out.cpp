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
    return {fmt::format("raise max_connections, or use fewer --jobs: there are {} sessions on each side",
                        plan.settings.jobs + 3)};
  if (state == conflict_with_recovery && plan.source.in_recovery)
    return {
        "on the standby: raise max_standby_streaming_delay, or set hot_standby_feedback = on, which holds "
        "back the primary's vacuum; or read from a standby that nobody else needs"};
  if (state == lock_not_available)
    return {"look for long transactions and waiting statements in pg_stat_activity of the source"};
  if (state == insufficient_privilege) return {"grant that right to the role of databases.source"};
  return {};
}

}  // namespace staithe::stage
