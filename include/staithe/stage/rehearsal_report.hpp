#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/plan/rehearsal_terms.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What a rehearsal found out, as data. Times are since the beginning of the pass that they belong to.
namespace staithe::stage {

using Micros = std::chrono::microseconds;

enum class Severity { error, warning, note };
const char* name_of(Severity severity) noexcept;

/// Whom a lock keeps out.
enum class Blocks { nobody, ddl, writers, everybody };
/// "nobody", "schema changes", "writers", "readers and writers".
const char* name_of(Blocks blocks) noexcept;
/// By PostgreSQL's conflict table; `mode` as pg_locks writes it: "AccessExclusiveLock".
Blocks blocked_by(const std::string& mode) noexcept;

struct LockSpan {
  std::string object;  ///< "app.users", "app.users_pkey"
  std::string mode;    ///< "AccessExclusiveLock"
  Blocks blocks = Blocks::nobody;
  bool is_new = false;  ///< on something that the migration made: nobody can wait for it
  Micros waited{0};     ///< in the queue before it was granted
  Micros from{0};       ///< when it was granted, or asked for where it never was
  Micros held{0};
  std::size_t statement = 0;  ///< index of the statement that asked for it
  bool not_seen = false;      ///< too short for a sample: what the manual says that it takes
  Micros in_production{0};    ///< how long it would be held there; 0 when nothing says that it differs
};

/// What the server said it did, from its debug notices and catalogues.
struct Deed {
  enum class Kind { rewrite, scan, scan_skipped, foreign_key_check, index_build, new_table, dropped };
  Kind kind = Kind::scan;
  std::string object;
  std::string detail;  ///< "2 parallel workers"
  std::uint64_t rows = 0, bytes = 0;
};
const char* name_of(Deed::Kind kind) noexcept;

/// Rows that a table's statement touched.
struct Touched {
  std::string table;
  std::uint64_t read = 0, inserted = 0, updated = 0, deleted = 0, hot = 0;
};

/// A trigger that users have made: when it fires, and what it calls.
struct Trigger {
  bool on_insert = false, on_update = false, on_delete = false;
  std::string function;
  bool on_truncate = false;
};

/// Why the server refused a statement, with the rows that are in its way.
struct Violation {
  std::string kind;  ///< "not null", "check", "foreign key", "unique", "type"
  std::string table, column, constraint, expression;
  std::uint64_t violating = 0, total = 0;
  std::string key_columns;
  std::vector<std::string> sample_keys;  ///< spread over the key range
  std::string first_key, last_key;
  std::string newest_violating, newest_row;  ///< by a time column; "" when there is none
  std::string time_column;
  std::vector<std::uint64_t> histogram;  ///< violating rows in ten equal parts of the key range
  std::string backfill_set;              ///< "country = 'DE'": a proposal
  std::string backfill_why;
  std::string backfill_where;
  std::vector<std::string> side_effects;  ///< triggers that will fire, indexes that are written, …
};

struct Failure {
  std::string sqlstate, message, detail, hint;
  std::optional<Violation> violation;
};

struct StatementReport {
  std::string file;
  std::uint32_t line = 0;
  std::string text;  ///< "COMMIT" where the file is one transaction
  Micros began{0}, took{0};
  std::uint64_t rows = 0;
  std::uint64_t wal_bytes = 0, temp_bytes = 0;
  std::int64_t size_change_bytes = 0;
  std::uint64_t peak_bytes = 0;  ///< more than before, while it ran
  std::vector<LockSpan> locks;
  std::vector<Deed> deeds;
  std::vector<Touched> touched;
  std::vector<std::string> side_effects;
  std::optional<Failure> failure;
  Micros worst_read_stall{0}, worst_write_stall{0};  ///< second pass
  Micros open_wait{0};   ///< third pass: how long it queued behind the open reader
  Micros open_stall{0};  ///< third pass: how long others queued behind it
  bool open_measured = false;
  double times_rows = 1;  ///< rows in production for each one here, of the tables that it works on
  std::string estimate;   ///< "about 4.1 s to 6.3 s on production (x 3.2 rows)"
};

struct Stall {
  std::string load;  ///< name of the workload's statement
  bool writes = false;
  Micros at{0}, lasted{0};
  std::string error;  ///< when it failed
};

struct PassReport {
  std::string name;  ///< "measure", "under load", "open transaction"
  Micros took{0};
  bool passed = false;
  std::string error;       ///< why it did not pass
  std::string file;        ///< of the statement that failed
  std::uint32_t line = 0;  ///< likewise
  std::uint64_t load_runs = 0, load_errors = 0;
  std::vector<Stall> stalls;  ///< the longest, in order of time
};

struct Advice {
  std::string code;
  std::vector<std::string> sql;
  enum class Verdict { untested, passed, failed } verdict = Verdict::untested;
  std::string detail;  ///< how it went
  Micros took{0}, worst_stall{0};
};

struct Finding {
  Severity severity = Severity::note;
  std::string code;  ///< "set-not-null-fails"
  std::string file;
  std::uint32_t line = 0;
  std::string object;
  std::string text;
  std::string advice;
  std::optional<Advice> instead;
  bool gate = false;  ///< it is a reason for exit 1
};

struct PlanChange {
  std::string query;
  std::uint64_t calls = 0;
  enum class Kind { broken, worse, better, changed } kind = Kind::changed;
  double cost_before = 0, cost_after = 0;
  std::string shape_before, shape_after;
  std::string error;
};

struct CheckReport {
  std::string name;
  bool passed = false;
  std::string detail;
};

struct DownReport {
  bool ran = false, passed = false;
  std::string error;
  Micros took{0};
  std::vector<std::string> schema_difference;  ///< "+ column app.users.x integer"
  std::vector<std::string> data_difference;    ///< tables whose rows are not what they were
};

/// What production's statistics say of a column that becomes NOT NULL.
struct NullsThere {
  std::size_t statement = 0;  ///< its index
  std::string table, column;  ///< as written
  std::uint64_t nulls = 0, rows = 0;
};

struct RehearsalReport {
  std::string plan_id, run_id, migration_hash;
  std::string revision;     ///< the commit that is checked out; "" where there is none
  bool is_altered = false;  ///< the files are not as that commit has them
  /// Files that were never added lie beside them: another tool may have run one. Only without named files.
  bool has_unknown = false;
  std::string snapshot, snapshot_taken_at, snapshot_origin, snapshot_lsn;
  std::string server_version;
  std::string production_version;  ///< now, or when the snapshot was taken; "" when nobody knows
  std::vector<std::string> masked, partial;
  std::string started;  ///< RFC 3339
  base::Duration took{0};
  Micros clone_took{0};
  std::uint64_t clone_bytes = 0;
  std::string verdict;  ///< "would fail", "would block readers for 3.1 s", "safe"
  bool passed = false;
  std::vector<StatementReport> statements;
  std::vector<PassReport> passes;
  std::vector<Finding> findings;
  std::vector<PlanChange> plans;
  std::uint64_t plans_compared = 0, plans_skipped = 0;
  std::vector<CheckReport> checks;
  std::optional<DownReport> down;
  std::vector<std::string> disagreements;  ///< between what was expected from the words and what was seen
  std::vector<std::string> differences;    ///< settings that are not production's
  std::vector<std::string> in_the_way;     ///< of altering the same tables in production, when it was asked
  std::vector<std::string> clones_left;    ///< that could not be dropped
  std::vector<std::string> left_invalid;   ///< indexes that a failed CONCURRENTLY left behind
  std::vector<NullsThere> nulls_there;     ///< in production, where there may be none
  std::uint64_t standbys = 0;              ///< of production
  double production_wal_rate = 0;          ///< bytes a second that it writes on average; 0 when not known
  std::map<std::string, double> production_rows, clone_rows;
  /// Those that users have made, as they were before, as they are afterwards and as the statements made them:
  /// the bodies by the name; "" where one of them cannot be read.
  std::map<std::string, std::string> functions;
  std::map<std::string, std::vector<Trigger>> triggers;  ///< of each table, likewise
  /// The migration makes functions or triggers whose names it puts together, and drops such: some may have
  /// run that nobody knows.
  bool has_unseen_code = false;
  std::map<std::string, std::string>
      parents;              ///< of a partition the table that it is of: "app.a_1" to "app.a"
  plan::Accepted accepted;  ///< what was declared and mattered
  bool asked = false;       ///< production said how large it is, and what is sent to it
  std::vector<std::string>
      not_observed;                  ///< why locks or statements may have gone unseen; a reason for exit 1
  std::vector<std::string> remarks;  ///< what could not be looked at, and why
  Micros total{0};
  std::uint64_t wal_bytes = 0, temp_bytes = 0;
};

/// Of the clone's database behind the last statement.
std::uint64_t bytes_afterwards(const RehearsalReport& report);

/// "820 us", "9.4 ms", "340 ms", "1.2 s", "2 m 05 s".
std::string micros_text(Micros micros);
/// SQL on one line, at most `most` bytes.
std::string short_sql(const std::string& sql, std::size_t most);

/// "17.2, production 15.14"; "17.2" where that is the same, or not known.
std::string versions_text(const RehearsalReport& report);

/// "migrations of commit 139850277244, altered since, with files that were never added".
std::string revision_text(const RehearsalReport& report);

/// Canonical JSON of all of it.
std::string to_json(const RehearsalReport& report);

}  // namespace staithe::stage
