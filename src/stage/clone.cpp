#include "staithe/stage/clone.hpp"

#include "numbers.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace staithe::stage {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

constexpr base::Duration template_patience{15'000};
constexpr base::Duration drop_patience{20'000};
constexpr base::Duration claim_pause{10'000}, claim_patience{20'000}, claim_retry{1'000};
constexpr const char* mark_key = "staithe_clone";
/// Of the advisory locks of runs; the other half of the key is the run's, as their clones' names have it.
constexpr std::uint32_t claim_class = 0x7374'636c;  // "stcl"
constexpr std::size_t run_digits = 8;
constexpr std::string_view our_sessions =
    "staithe clone ";  ///< what those on clones are called, with more behind

std::string run_part(std::string_view run_id) {
  return base::sha256_hex(run_id).substr(0, run_digits);
}

/// As PostgreSQL takes it: an integer with a sign.
std::string lock_key(std::uint32_t number) {
  return std::to_string(static_cast<std::int32_t>(number));
}

/// The run in the name of a clone; nothing for a database of another name.
std::optional<std::uint32_t> run_of(std::string_view database) {
  for (const auto prefix : {rehearsal_clones, backfill_clones}) {
    if (!database.starts_with(prefix) || database.size() < prefix.size() + 1 + run_digits) continue;
    const auto digits = database.substr(prefix.size() + 1, run_digits);
    auto rest = database.substr(prefix.size() + 1 + run_digits);
    if (rest.ends_with(untouched_clone)) rest.remove_suffix(untouched_clone.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    const bool is_number = error == std::errc{} && end == digits.data() + digits.size();
    if (is_number && rest.size() > 1 && rest[0] == '_' &&
        rest.find_first_not_of("0123456789", 1) == std::string_view::npos)
      return number;
  }
  return std::nullopt;
}

std::set<std::uint32_t> claimed_runs(pg::Session& cluster, const Scope& scope) {
  const auto rows = cluster.run(
      "SELECT objid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = " +
          std::to_string(claim_class),
      scope);
  std::set<std::uint32_t> runs;
  for (const auto& row : rows.rows) runs.insert(static_cast<std::uint32_t>(number_of(row[0])));
  return runs;
}

std::optional<CloneMark> from_comment(const std::string& comment) {
  const auto document = nlohmann::json::parse(comment, nullptr, false);
  if (!document.is_object() || !document.contains(mark_key) || !document[mark_key].is_object())
    return std::nullopt;
  const auto& mark = document[mark_key];
  try {
    CloneMark out;
    out.snapshot = mark.value("snapshot", "");
    out.run_id = mark.value("run", "");
    out.made_at = mark.value("made_at", std::int64_t{0});
    out.kept = mark.value("kept", false);
    return out;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // somebody else wrote it
  }
}

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A session that has just ended is still counted for a moment.
void create(pg::Session& cluster, const std::string& sql, const Scope& scope) {
  const Scope patience = scope.at_most(template_patience);
  for (base::Duration pause{50};; pause *= 2) {
    try {
      cluster.run(sql, scope);
      return;
    } catch (const pg::StatementError& error) {
      if (error.sqlstate() != "55006" || patience.left() <= pause) throw;
    }
    base::sleep_for(pause, scope);
    scope.check("waiting for sessions on the snapshot to end");
  }
}

/// 0 when there is no such database.
std::uint64_t oid_of(pg::Session& cluster, const std::string& name, const Scope& scope) {
  const pg::Value database(name);
  const auto answer =
      cluster.query("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", {&database, 1}, scope);
  return answer.rows.empty() ? 0 : number_of(answer.rows[0][0]);
}

/// The process of this session, and when it began: a number may be another one's later.
std::vector<pg::Value> maker_of(pg::Session& cluster, const Scope& scope) {
  const auto answer = cluster.run(
      "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_catalog.pg_stat_activity"
      " WHERE pid = pg_catalog.pg_backend_pid()",
      scope);
  return {answer.rows.at(0).at(0), answer.rows.at(0).at(1)};
}

/// Ends it where it is there still, and waits until it has gone.
void end_maker(pg::Session& cluster, const std::vector<pg::Value>& maker, const Scope& scope) {
  while (
      !cluster
           .query(
               "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = $1"
               " AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
               maker, scope)
           .rows.empty()) {
    base::sleep_for(base::Duration{50}, scope);
    scope.check("waiting for the session to end that makes a clone");
  }
}

void write_mark(pg::Session& cluster, const std::string& name, const CloneMark& mark, const Scope& scope) {
  cluster.run("COMMENT ON DATABASE " + pg::quoted_name(name) + " IS " + pg::quoted_literal(to_comment(mark)),
              scope);
}

/// TEMPLATE copies what is in the database, not what ALTER DATABASE … SET says of it.
void copy_settings(pg::Session& cluster, const std::string& snapshot, const std::string& name,
                   const Scope& scope) {
  const pg::Value from(snapshot);
  const auto settings = cluster.query(
      "SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1) FROM pg_db_role_setting r "
      "JOIN pg_database d ON d.oid = r.setdatabase, unnest(r.setconfig) s "
      "WHERE d.datname = $1 AND r.setrole = 0",
      {&from, 1}, scope);
  for (const auto& row : settings.rows) {
    // Settings that are lists are stored as they were written after SET, each part quoted already.
    const bool list = *row[0] == "search_path" || *row[0] == "DateStyle" || row[0]->ends_with("_libraries");
    cluster.run("ALTER DATABASE " + pg::quoted_name(name) + " SET " + *row[0] + " = " +
                    (list && !row[1]->empty() ? *row[1] : pg::quoted_literal(*row[1])),
                scope);
  }
}

}  // namespace

std::string to_comment(const CloneMark& mark) {
  nlohmann::json fields{{"snapshot", mark.snapshot}, {"run", mark.run_id}, {"made_at", mark.made_at}};
  if (mark.kept) fields["kept"] = true;
  return nlohmann::json{{mark_key, fields}}.dump();
}

std::string clone_name(std::string_view prefix, std::string_view run_id, int number) {
  return fmt::format("{}_{}_{}", prefix, run_part(run_id), number);
}

CloneClaim::CloneClaim(const std::string& cluster_url, const std::string& run_id, const Scope& scope)
    : cluster_url_(cluster_url), run_(static_cast<std::uint32_t>(std::stoul(run_part(run_id), nullptr, 16))) {
  claim(scope);
  thread_ = std::thread([this] { show_life(); });
}

CloneClaim::~CloneClaim() {
  done_.request();
  thread_.join();
}

void CloneClaim::claim(const Scope& scope) {
  session_.reset();
  auto session = connect_cluster(cluster_url_, {}, scope);
  if (session.server_version() >= 140000)
    session.run(fmt::format("SET idle_session_timeout = {}", claim_unheard.count()), scope);
  session.run(
      "SELECT pg_catalog.pg_advisory_lock_shared(" + lock_key(claim_class) + ", " + lock_key(run_) + ")",
      scope);
  session_.emplace(std::move(session));
}

bool CloneClaim::is_held() noexcept {
  try {
    if (!session_ || !session_->usable()) return false;
    session_->run("SELECT 1", Scope::lasting(claim_patience, &done_));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool CloneClaim::is_claimed_anew() noexcept {
  try {
    claim(Scope::lasting(claim_patience, &done_));
    return true;
  } catch (const std::exception&) {
    return false;  // what the run itself does there says how it is with the server
  }
}

void CloneClaim::show_life() noexcept {
  auto pause = claim_pause;
  while (base::sleep_for(pause, Scope::lasting(2 * claim_pause, &done_)) == base::Woke::ready)
    pause = is_held() || is_claimed_anew() ? claim_pause : claim_retry;
}

std::string clone_session(std::string_view what) {
  return fmt::format("{}{}", our_sessions, what);
}

pg::Session connect_clone(const std::string& url, std::string_view what, const Scope& scope) {
  pg::Session session(url, {clone_session(what), std::chrono::seconds(10), pg::usual_silence}, scope);
  lift_limits(session, scope);
  allow_writes(session, scope);
  return session;
}

std::vector<CloneInfo> list_clones(pg::Session& cluster, const Scope& scope) {
  const auto rows = cluster.run(
      fmt::format(
          "SELECT d.datname, shobj_description(d.oid, 'pg_database'),"
          " CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END,"
          " (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid), d.oid,"
          " (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid"
          " AND coalesce(a.application_name, '') NOT LIKE '{}%') FROM pg_database d"
          " WHERE shobj_description(d.oid, 'pg_database') LIKE '%staithe_clone%'"
          " OR (shobj_description(d.oid, 'pg_database') IS NULL AND d.datname LIKE 'staithe\\_%')",
          our_sessions),
      scope);
  // Asked afterwards: a run has its lock before it has a clone.
  const auto claimed = claimed_runs(cluster, scope);
  std::vector<CloneInfo> clones;
  for (const auto& row : rows.rows) {
    const auto mark = from_comment(row[1].value_or(""));
    CloneInfo one{row[0].value_or(""),
                  number_of(row[4]),
                  mark.value_or(CloneMark{}),
                  number_of(row[2]),
                  static_cast<std::uint32_t>(number_of(row[3])),
                  static_cast<std::uint32_t>(number_of(row[5])),
                  false};
    const auto run = run_of(one.database);
    // Only what has no comment at all is known by its name alone.
    if (!mark && (row[1] || !run)) continue;
    one.claimed = run && claimed.contains(*run);
    if (!run) one.mark.kept = true;
    clones.push_back(std::move(one));
  }
  std::sort(clones.begin(), clones.end(),
            [](const auto& a, const auto& b) { return a.mark.made_at < b.mark.made_at; });
  return clones;
}

void drop_left_behind(pg::Session& cluster, const CloneInfo& clone, const Scope& scope) {
  if (clone.sessions > 0 && !clone.mark.kept) {
    const pg::Value oid(std::to_string(clone.oid));
    cluster.query(fmt::format("SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
                              " WHERE datid = $1::oid AND application_name LIKE '{}%'",
                              our_sessions),
                  {&oid, 1}, scope);
  }
  drop_database(cluster, clone.database, clone.oid, OpenSessions::refuse, scope);
}

std::vector<std::string> drop_stale_clones(pg::Session& cluster, const Scope& scope) {
  std::vector<std::string> dropped;
  for (const auto& clone : list_clones(cluster, scope)) {
    if (!clone.is_left_behind()) continue;
    try {
      drop_left_behind(cluster, clone, scope);
      dropped.push_back(clone.database);
    } catch (const Error& error) {
      // What is in nobody's way does not keep a rehearsal from being made, nor does one that got its name.
      const bool stays =
          error.code() == ErrorCode::conflict || dynamic_cast<const pg::SqlError*>(&error) != nullptr;
      if (!stays) throw;
    }
  }
  return dropped;
}

Clone::Clone(std::string cluster_url, const std::string& snapshot, const std::string& name,
             const std::string& run_id, std::vector<std::string>& left, const Scope& scope)
    : cluster_url_(std::move(cluster_url)),
      name_(name),
      url_(pg::with_database(cluster_url_, name)),
      left_(left) {
  try {
    make(snapshot, run_id, scope);
  } catch (...) {
    if (made_) drop();
    throw;
  }
}

void Clone::make(const std::string& snapshot, const std::string& run_id, const Scope& scope) {
  const auto began = std::chrono::steady_clock::now();
  auto cluster = connect_cluster(cluster_url_, {}, scope);
  allow_writes(cluster, scope);
  std::string sql = "CREATE DATABASE " + pg::quoted_name(name_) + " TEMPLATE " + pg::quoted_name(snapshot);
  // Two checkpoints instead of every page through the WAL.
  if (cluster.server_version() >= 150000) sql += " STRATEGY FILE_COPY";
  maker_ = maker_of(cluster, scope);
  try {
    create(cluster, sql, scope);
  } catch (const pg::StatementError& error) {
    if (error.sqlstate() == "55006")
      throw Error(ErrorCode::conflict, "somebody is connected to the snapshot " + snapshot +
                                           ", so that it cannot be cloned: " + error.refusal().detail);
    throw error.within("cloning " + snapshot);
  } catch (const Error&) {
    made_ = true;  // as far as anybody knows
    throw;
  }
  made_ = true;
  // Also after a stop: by it, it is dropped.
  oid_ = oid_of(cluster, name_, Scope::lasting(drop_patience));
  mark_ = CloneMark{snapshot, run_id, now_seconds(), false};
  write_mark(cluster, name_, mark_, scope);
  copy_settings(cluster, snapshot, name_, scope);
  took_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
}

Clone::Clone(Clone&& other) noexcept
    : cluster_url_(std::move(other.cluster_url_)),
      name_(std::move(other.name_)),
      url_(std::move(other.url_)),
      left_(other.left_),
      mark_(std::move(other.mark_)),
      took_(other.took_),
      oid_(other.oid_),
      maker_(std::move(other.maker_)),
      made_(std::exchange(other.made_, false)),
      kept_(other.kept_) {}

Clone::~Clone() {
  if (made_ && !kept_) drop();
}

void Clone::keep(const Scope& scope) {
  auto cluster = connect_cluster(cluster_url_, {}, scope);
  allow_writes(cluster, scope);
  mark_.kept = true;
  write_mark(cluster, name_, mark_, scope);
  kept_ = true;
}

void Clone::drop() noexcept {
  try {
    drop_it();
    made_ = false;
  } catch (const std::exception&) {
    // The cluster is gone or will not.
    try {
      left_.push_back(name_);
    } catch (const std::bad_alloc&) {
      // The next rehearsal drops what is stale.
    }
  }
}

void Clone::drop_it() {
  // A stop that was asked for must not leave the clone behind: shielded, with a limit of its own.
  const Scope scope = Scope::lasting(drop_patience);
  auto cluster = connect_cluster(cluster_url_, {}, scope);
  // It may go on by itself, and nobody sees its database before it has committed.
  if (oid_ == 0) end_maker(cluster, maker_, scope);
  const auto there = oid_of(cluster, name_, scope);
  // Gone, or somebody else has its name by now.
  if (there == 0 || (oid_ != 0 && there != oid_)) return;
  allow_writes(cluster, scope);
  drop_database(cluster, name_, there, OpenSessions::end, scope);
}

}  // namespace staithe::stage
