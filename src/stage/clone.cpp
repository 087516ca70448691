#include "staithe/stage/clone.hpp"

#include "numbers.hpp"

#include "staithe/stage/snapshots.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace staithe::stage {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;

constexpr base::Duration template_patience{15'000};
constexpr base::Duration drop_patience{20'000};
constexpr const char* mark_key = "staithe_clone";

std::optional<CloneMark> from_comment(const std::string& comment) {
  const auto document = nlohmann::json::parse(comment, nullptr, false);
  if (!document.is_object() || !document.contains(mark_key) || !document[mark_key].is_object())
    return std::nullopt;
  const auto& mark = document[mark_key];
  CloneMark out;
  out.snapshot = mark.value("snapshot", "");
  out.run_id = mark.value("run", "");
  out.made_at = mark.value("made_at", std::int64_t{0});
  return out;
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
  return nlohmann::json{
      {mark_key, {{"snapshot", mark.snapshot}, {"run", mark.run_id}, {"made_at", mark.made_at}}}}
      .dump();
}

std::vector<CloneInfo> list_clones(pg::Session& cluster, const Scope& scope) {
  const auto rows = cluster.run(
      "SELECT d.datname, shobj_description(d.oid, 'pg_database'), pg_database_size(d.oid), "
      "(SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid) "
      "FROM pg_database d WHERE shobj_description(d.oid, 'pg_database') LIKE '%staithe_clone%'",
      scope);
  std::vector<CloneInfo> clones;
  for (const auto& row : rows.rows)
    if (const auto mark = from_comment(row[1].value_or("")))
      clones.push_back(
          {row[0].value_or(""), *mark, number_of(row[2]), static_cast<std::uint32_t>(number_of(row[3]))});
  std::sort(clones.begin(), clones.end(),
            [](const auto& a, const auto& b) { return a.mark.made_at < b.mark.made_at; });
  return clones;
}

std::vector<std::string> drop_stale_clones(pg::Session& cluster, std::chrono::seconds age,
                                           const Scope& scope) {
  std::vector<std::string> dropped;
  for (const auto& clone : list_clones(cluster, scope)) {
    if (clone.sessions > 0 || now_seconds() - clone.mark.made_at < age.count()) continue;
    cluster.run("DROP DATABASE IF EXISTS " + pg::quoted_name(clone.database), scope);
    dropped.push_back(clone.database);
  }
  return dropped;
}

Clone::Clone(std::string cluster_url, const std::string& snapshot, const std::string& name,
             const std::string& run_id, const Scope& scope)
    : cluster_url_(std::move(cluster_url)), name_(name), url_(pg::with_database(cluster_url_, name)) {
  const auto began = std::chrono::steady_clock::now();
  auto cluster = connect_cluster(cluster_url_, {}, scope);
  std::string sql = "CREATE DATABASE " + pg::quoted_name(name) + " TEMPLATE " + pg::quoted_name(snapshot);
  // Two checkpoints instead of every page through the WAL.
  if (cluster.server_version() >= 150000) sql += " STRATEGY FILE_COPY";
  try {
    create(cluster, sql, scope);
  } catch (const pg::StatementError& error) {
    if (error.sqlstate() == "55006")
      throw Error(ErrorCode::conflict, "somebody is connected to the snapshot " + snapshot +
                                           ", so that it cannot be cloned: " + error.refusal().detail);
    throw error.within("cloning " + snapshot);
  }
  made_ = true;
  try {
    cluster.run("COMMENT ON DATABASE " + pg::quoted_name(name) + " IS " +
                    pg::quoted_literal(to_comment(CloneMark{snapshot, run_id, now_seconds()})),
                scope);
    copy_settings(cluster, snapshot, name, scope);
  } catch (...) {
    drop();
    throw;
  }
  took_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
}

Clone::Clone(Clone&& other) noexcept
    : cluster_url_(std::move(other.cluster_url_)),
      name_(std::move(other.name_)),
      url_(std::move(other.url_)),
      took_(other.took_),
      made_(std::exchange(other.made_, false)),
      kept_(other.kept_) {}

Clone::~Clone() {
  if (made_ && !kept_) drop();
}

void Clone::drop() noexcept {
  try {
    // A stop that was asked for must not leave the clone behind: shielded, with a limit of its own.
    const Scope scope = Scope::lasting(drop_patience);
    auto cluster = connect_cluster(cluster_url_, {}, scope);
    const bool forced = cluster.server_version() >= 130000;
    cluster.run("DROP DATABASE IF EXISTS " + pg::quoted_name(name_) + (forced ? " WITH (FORCE)" : ""), scope);
    made_ = false;
  } catch (const std::exception&) {
    // The cluster is gone or will not; the next rehearsal drops what is stale.
  }
}

}  // namespace staithe::stage
