#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/event/event.hpp"
#include "staithe/stage/catalogue.hpp"
#include "staithe/stage/masks.hpp"
#include "staithe/stage/snapshots.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A copy of a source database in a target cluster: whole, consistent, masked on its way, or not there.
namespace staithe::stage {

/// Roles of production and the ones of staging that stand for them; "" for none.
using RoleMap = std::map<std::string, std::string>;

struct SnapshotSettings {
  std::string name;  ///< of the snapshot and its database; "" for the one of the target's URL
  std::uint32_t jobs = 2;
  std::uint32_t keep = 1;
  bool keep_live = false;
  bool keep_grants = false;
  bool replace = false;  ///< a database of that name that is no snapshot may go; its sessions are ended
  std::string owner;
  RoleMap roles;
  std::vector<std::string> leave_out;
  base::Duration lock_wait{2'000};
  base::Duration blocked{3'000};
  base::Duration replication_lag{30'000};
  base::Duration longest_snapshot{6 * 3'600'000};
};

/// One table's way.
struct TableCopy {
  Oid oid = 0;
  std::string name;  ///< "schema.table"
  std::uint64_t bytes = 0, rows = 0;
  std::string copy_out, copy_in;  ///< the two COPY statements; both "" for a table that comes empty
  /// Instead of `copy_out`, for a table that most of the rows are in: ranges of its pages, each by a job.
  std::vector<std::string> parts;
  std::string target;    ///< quoted
  std::string emptying;  ///< the statement that does it, where there may be rows
  /// An extension that makes it puts rows in, which the source's take the place of.
  bool is_prefilled = false;
  bool binary = true;
  bool is_small = true;   ///< goes by itself, with all that belongs to it at once
  bool filtered = false;  ///< not all rows are taken
  std::vector<std::pair<std::string, std::string>> masks;  ///< column and mask, those that alter something
  std::vector<std::string>
      nulls_kept;  ///< masked columns that are NULL where the source's are, and only there
};

/// Something that the copy does not have or does not have as the source has it.
struct Difference {
  std::string what, why;
  bool operator==(const Difference&) const = default;
};

/// An extension that the target's files have.
struct AvailableExtension {
  std::string name;
  std::string version;  ///< that CREATE EXTENSION makes when it is not told one
  bool can_be_made =
      true;  ///< surely, by the role that makes the copy; some hosts let others than superusers
  bool will_be_ours = true;  ///< and that role may write to its tables
};

/// What the target cluster says of itself.
struct TargetFacts {
  std::string where;
  std::string system_identifier;
  int version = 0;
  std::string database;  ///< that the snapshot will be called
  bool exists = false;
  bool is_snapshot = false;
  bool is_empty = true;  ///< no table of a user in it
  std::uint32_t sessions = 0;
  std::vector<std::string> production;  ///< databases of the cluster that are marked as production
  std::string maker;                    ///< the role that will own the copy
  std::vector<AvailableExtension> extensions;
  std::vector<std::string> unfinished;     ///< databases that a run that died was building
  std::vector<std::string> missing_roles;  ///< of the settings
  std::vector<std::string> foreign_roles;  ///< of the settings; nothing can be given to them
  std::vector<Collation> collations;       ///< that its libraries have
};

/// Everything that a run does; made once, then never changed.
struct SnapshotPlan {
  SnapshotSettings settings;
  Catalogue source;
  TargetFacts target;
  std::string masks_path;
  bool needs_key = false;
  std::vector<TableCopy> tables;  ///< in the order in which they are copied: largest first
  std::vector<Difference> differences;
  std::vector<Difference> defanged;
};

std::string to_json(const SnapshotPlan& plan);
/// Hash of what is done; sizes and estimates, which change from minute to minute, are not in it.
std::string id_of(const SnapshotPlan& plan);
std::string render(const SnapshotPlan& plan, bool full);
/// Bytes that the target's disks need while the copy is made, beside what is there: an upper bound where rows
/// are left out by a condition.
std::uint64_t room_of(const SnapshotPlan& plan);

/// Sets a session up for reading production: whatever the role may do, it can only read; nothing of the
/// database's or role's settings ends or alters it.
void guard_source(pg::Session& session, const SnapshotSettings& settings, const base::Scope& scope);
/// The options of every session: application_name and limits.
pg::Options source_options();
pg::Options target_options();

/// pg_dump and pg_restore that are no older than the source are on this machine; base::Error{unavailable}
/// says which are.
void require_programs(const Catalogue& source, const base::Scope& scope);

TargetFacts read_target(std::string_view url, const SnapshotSettings& settings, const base::Scope& scope);

/// Why this target must not be written to; "" when it may. `next` is the way out, if there is one.
struct Refusal {
  std::string why, next;
};
std::optional<Refusal> refuse_target(const Catalogue& source, const TargetFacts& target,
                                     const SnapshotSettings& settings);

/// Pure. Findings about masks and about live things without a word go to `diagnostics`.
SnapshotPlan make_snapshot_plan(Catalogue source, TargetFacts target, const Masks& masks,
                                SnapshotSettings settings, diag::Diagnostics& diagnostics);

/// What a run needs beside the plan.
struct SnapshotRun {
  std::string run_id;
  std::string source_url, target_url;  ///< with their passwords
  std::string mask_key;
  std::chrono::milliseconds limit{24 * 3'600'000};
};

/// Performs the plan. `interrupted_exit_code` is that of a run that `stop` ended. Blocks; `jobs` threads and
/// one that watches the source. Never throws for a failure of the world. On failure the target has what it
/// had, and perhaps an unfinished database that nobody uses.
event::RunFinished run_snapshot(const SnapshotPlan& plan, const SnapshotRun& run, event::EventSink& sink,
                                const base::Cancel& stop, const std::atomic<int>& interrupted_exit_code);

/// drop_database() of a snapshot; base::Error conflict also when somebody was seen to be connected to it and
/// `disconnect` is false.
void drop_snapshot(pg::Session& session, const Snapshot& snapshot, bool disconnect, const base::Scope& scope);

}  // namespace staithe::stage
