#pragma once
#include "staithe/pg/session.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Snapshots in a target cluster. A snapshot is a database; its name is the database's. What it is stands in
/// the comment of the database, as JSON: the owner may set it, it survives renaming, and TEMPLATE does not
/// carry it to another database, which would then pass for a snapshot; nor does pg_dump, unless it is told
/// --create.
namespace staithe::stage {

/// Where the rows came from.
struct Origin {
  std::string system_identifier;  ///< of the cluster, as pg_control_system() has it
  std::string database;
  std::string where;           ///< "postgres://user@host:port/database", without a password
  std::string server_version;  ///< "15.14"
  bool operator==(const Origin&) const = default;
};

using Instant = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// What is written down about one snapshot.
struct Marker {
  enum class State {
    building,  ///< a run is at it, or died; of no use to anybody else
    complete,  ///< verified
  };
  std::string name;  ///< the one that it was made under; an older one has another database name by now
  State state = State::building;
  Origin origin;
  std::string lsn;  ///< of the source when the snapshot was taken
  Instant taken_at;
  std::vector<std::string> masked;      ///< columns whose values were altered: "schema.table.column"
  std::vector<std::string> nulls_kept;  ///< those of them that are NULL just where the source's are
  std::vector<std::string> partial;     ///< tables that came without some or all of their rows
  std::uint64_t rows = 0;
  std::string plan_id;
  std::string run_id;
  bool operator==(const Marker&) const = default;
};

/// As canonical JSON, under a key of our own so that no other comment is taken for one.
std::string to_comment(const Marker& marker);
/// Nothing for a comment that is no marker; a marker of a later format is none either.
std::optional<Marker> from_comment(std::string_view comment);

struct Snapshot {
  std::string database;   ///< as it is called now
  std::uint64_t oid = 0;  ///< of the database: another one may have its name by now
  Marker marker;
  std::uint64_t size_bytes = 0;
  std::uint32_t sessions = 0;  ///< open now; a database with any cannot be a template
};

/// All of the cluster that `session` is connected to, in whatever state, newest first.
std::vector<Snapshot> list_snapshots(pg::Session& session, const base::Scope& scope);

/// The complete snapshot of that database name. Throws base::Error: not_found (the text lists what there is),
/// conflict for one that is not complete.
Snapshot find_snapshot(pg::Session& session, const std::string& name, const base::Scope& scope);
/// The newest complete one that was made under that name, whatever it is called now; not_found likewise.
Snapshot newest_snapshot(pg::Session& session, const std::string& made_as, const base::Scope& scope);

enum class OpenSessions { refuse, end };
/// Drops the database that has that name and that oid; nothing when there is none of the name. base::Error
/// conflict when another one has the name by now; SqlError 55006 when somebody is connected to it and is not
/// to be ended. Waits for a run that just renames databases there.
void drop_database(pg::Session& session, const std::string& name, std::uint64_t oid, OpenSessions sessions,
                   const base::Scope& scope);

/// Whether a run builds a snapshot in the cluster now: one of the unfinished may be its own, also while no
/// session is in it. One that is just ending is waited for, some seconds.
bool is_being_built(pg::Session& session, const base::Scope& scope);

/// The shared advisory lock that a snapshot holds on the database that it reads, which has a lock on every
/// table: whoever wants to alter tables there can look for it.
inline constexpr long long source_lock = 0x7374'6169'7472'64;  // "staitrd"

/// The cluster's identity: the same for a primary, its standbys, and every alias and pooler before them.
std::string system_identifier(pg::Session& session, const base::Scope& scope);

/// Which server of a cluster answers, since it was started: no other one says the same, a standby least of
/// all.
std::string server_identity(pg::Session& session, const base::Scope& scope);

/// Throws base::Error{conflict} when something that hands server sessions around stands between: a SET would
/// stick to the pooled session and reach its next user, not us. To be called before the first SET.
void refuse_pooler(pg::Session& session, const base::Scope& scope);

/// The databases of a cluster that a comment marks as production: COMMENT ON DATABASE shop IS 'production'.
std::vector<std::string> production_databases(pg::Session& session, const base::Scope& scope);

/// Throws base::Error{conflict} when there is one: nothing is written there.
void refuse_production(pg::Session& session, const base::Scope& scope);

/// Statements after which the server notices within some 20 s that its client vanished without a word, whose
/// locks, transaction and snapshot it would else keep for two hours.
inline constexpr const char* keepalives =
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;"
    "SET tcp_user_timeout = 20000;";

/// No limit that staging's roles or databases have ends a session of ours, whose statements may last for
/// hours and which may have nothing to do for as long. Whether it may write is not altered. Never for a
/// session on the source.
void lift_limits(pg::Session& session, const base::Scope& scope);

/// From here on the session writes, also where its role or database reads by default. To be called when it is
/// known whose server it is. Throws as refuse_production() does, and leaves it as it is then.
void allow_writes(pg::Session& session, const base::Scope& scope);

/// A session on the cluster of `url` in a database that is no snapshot: "postgres", else "template1". Its
/// limits are lifted, and it is read only until allow_writes(): nobody knows yet which server answers there.
/// Throws base::Error{conflict} when it leads through a pooler.
pg::Session connect_cluster(std::string_view url, const pg::Options& options, const base::Scope& scope);

}  // namespace staithe::stage
