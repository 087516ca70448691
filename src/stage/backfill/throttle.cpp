#include "throttle.hpp"

#include "staithe/base/count_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace staithe::stage {
namespace {

using base::Duration;
using base::Scope;
using std::chrono::steady_clock;

constexpr Duration look_every{500};

/// Standbys are asked only of a primary. Without pg_read_all_stats their lag and positions are NULL, and so
/// is what others' sessions do, which the preconditions say; who waits for a lock is seen in pg_locks by all.
const std::string look_sql =
    "SELECT (SELECT max(extract(epoch FROM replay_lag)) * 1000 FROM pg_stat_replication WHERE " + is_standby +
    ")::bigint, "
    "count(*) FILTER (WHERE pid IN (SELECT pid FROM pg_locks WHERE NOT granted)), count(*) FILTER (WHERE "
    "state = 'active'), " +
    lag_positions + " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

}  // namespace

std::string Throttle::reason(pg::Session& session, const Scope& scope) {
  if (!spec_.pause_file.empty() && std::filesystem::exists(spec_.pause_file))
    return "the file " + spec_.pause_file;
  if (const auto now = steady_clock::now(); now - looked_ >= look_every || !last_.empty()) {
    looked_ = now;
    last_ = look(session, scope);
  }
  return last_;
}

std::string Throttle::look(pg::Session& session, const Scope& scope) {
  const auto found = session.run(look_sql, scope);
  const auto number = [&](std::size_t column) {
    const auto& text = found.rows.at(0)[column];
    std::int64_t value = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
  };
  Duration lag{number(0)};
  if (found.rows.at(0)[4])
    lag = std::max(lag, lag_.behind(static_cast<std::uint64_t>(number(3)),
                                    static_cast<std::uint64_t>(number(4)), steady_clock::now()));
  if (lag > spec_.most_lag) return fmt::format("replication, {} behind", base::to_text(lag));
  if (number(1) > spec_.most_waiting)
    return base::count_text(number(1), "session") + (number(1) == 1 ? " that waits" : " that wait") +
           " for locks";
  if (spec_.most_active > 0 && number(2) > spec_.most_active)
    return base::count_text(number(2), "active session");
  return {};
}

}  // namespace staithe::stage
