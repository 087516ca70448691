#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/duration.hpp"
#include "staithe/diag/diagnostic.hpp"
#include "staithe/plan/file_sums.hpp"
#include "staithe/plan/rehearsal_terms.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a rehearsal of migrations will do, as data.
namespace staithe::stage {

/// A statement with its place in the file.
struct PlannedStatement {
  std::string text;
  std::uint32_t line = 0, column = 0;
  bool in_transaction = true;  ///< the server would take it inside a transaction block
  bool operator==(const PlannedStatement&) const = default;
};

enum class Transactions {
  one,   ///< the whole file is one
  each,  ///< each statement commits by itself: "-- staithe: no-transaction"
  own,   ///< the file has its own BEGIN and COMMIT
};
const char* name_of(Transactions transactions) noexcept;

/// One file of SQL and what its headers say of it.
struct MigrationFile {
  std::string path;
  std::string sha256;
  Transactions transactions = Transactions::one;
  std::optional<base::Duration> lock_timeout;
  std::optional<base::Duration> expected;  ///< it should not take longer
  std::vector<PlannedStatement> statements;
  std::string down_path;  ///< "" for none
  std::string down_sha256;
  std::vector<PlannedStatement> down;
  bool operator==(const MigrationFile&) const = default;
};

using Accepted = plan::Accepted;
using Budgets = plan::Budgets;

/// A statement that sessions run again and again beside the migration.
struct Load {
  std::string name;
  std::string sql;     ///< with $1, $2, … for parameters
  std::string params;  ///< a query whose rows are the parameters, taken in turn; "" for none
  base::Duration every{5};
  bool read_only = false;              ///< in sessions that can write nothing
  std::chrono::microseconds alone{0};  ///< what it takes with nobody else there, which is no waiting
  bool operator==(const Load&) const = default;
};

/// A query that must be true, and one whose plan is compared.
struct Assertion {
  std::string name, sql;
  bool operator==(const Assertion&) const = default;
};
struct Query {
  std::string name, sql;
  bool operator==(const Query&) const = default;
};

/// The file that --with names.
struct RehearsalSettings {
  Budgets budgets;
  Accepted accepted;
  std::vector<Load> workload;
  std::vector<Query> queries;
  std::vector<Assertion> assertions;
  std::vector<std::string> checks;         ///< shell commands with DATABASE_URL in the environment
  base::Duration open_transaction{2'000};  ///< how long a reader stays open in the third pass
  std::uint32_t top_statements = 50;       ///< of pg_stat_statements; 0: none
  std::uint32_t replay = 8;  ///< of these, run beside the migration where no workload is declared
  std::map<std::string, double> production_rows;  ///< rows of tables there, where the copy has fewer
  bool operator==(const RehearsalSettings&) const = default;
};

/// Reads it, strictly; every mistake is a finding.
RehearsalSettings read_rehearsal_settings(const std::string& path, std::string_view text,
                                          diag::Diagnostics& diagnostics);

/// Reads the headers and takes the statements apart. Files named *.down.sql belong to the others and are
/// found beside them. Mistakes are findings, with their places. `read` gives the text of a path, or nothing
/// when there is no such file.
struct SqlSource {
  std::string path, text;
};
struct MigrationSources {
  std::vector<SqlSource> up;
  std::map<std::string, SqlSource> down;  ///< by the path of the file that it takes back
};
std::vector<MigrationFile> read_migrations(const MigrationSources& sources, diag::Diagnostics& diagnostics);

/// "x.down.sql" for "x.sql" and "x.up.sql"; "" for a file that is one itself.
std::string down_path_of(std::string_view path);

/// Which of the passes a rehearsal makes; the first, which measures, is always made.
struct Passes {
  bool load = true;              ///< again with a workload beside it
  bool open_transaction = true;  ///< again with a reader that does not end
  bool advice = true;            ///< what is advised is run on another clone
  bool operator==(const Passes&) const = default;
};

/// Everything that a rehearsal is, made from files and from what the target cluster holds.
struct RehearsalPlan {
  std::string project, environment;
  std::string snapshot;           ///< the database that is cloned; it is never written to
  std::string snapshot_taken_at;  ///< RFC 3339; "" when it has no marker
  std::string snapshot_origin;    ///< "postgres://…/database"; "" likewise
  std::string snapshot_lsn;
  std::string snapshot_version;         ///< of the server that it was taken from: "15.14"; "" likewise
  std::vector<std::string> masked;      ///< columns whose values are not production's
  std::vector<std::string> nulls_kept;  ///< those of them that are NULL just where production's are
  std::vector<std::string> partial;     ///< tables without some or all of production's rows: "app.users"
  std::vector<MigrationFile> files;
  std::string command;                       ///< a migration command instead of files; "" for none
  std::vector<plan::FileSum> command_files;  ///< that it applies, so that a deploy can ask for them
  RehearsalSettings settings;
  Passes passes;
  bool keep_clone = false;
  bool operator==(const RehearsalPlan&) const = default;
};

/// Canonical JSON (sorted keys, no white space); the id is the first 12 hexadecimal digits of its SHA-256.
std::string to_json(const RehearsalPlan& plan);
std::string id_of(const RehearsalPlan& plan);
/// What `stage rehearse --dry-run` prints.
std::string render(const RehearsalPlan& plan);

/// The files in their order, without their directories.
std::vector<plan::FileSum> file_sums(const RehearsalPlan& plan);
/// plan::id_of the files: what a deploy may ask for.
std::string migration_hash(const RehearsalPlan& plan);

}  // namespace staithe::stage
