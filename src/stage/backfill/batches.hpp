#pragma once
#include "staithe/stage/backfill.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// A session of a backfill. Behind a pooler its settings and its advisory lock would stay with the sessions
/// of the application: base::Error{conflict} before anything is set.
pg::Session connect_backfill(const std::string& url, const std::string& name, const base::Scope& scope);

/// A table and how it is walked over.
struct Walk {
  std::string table;                     ///< "schema.name", quoted where needed
  std::string schema;                    ///< SQL name
  std::string bare;                      ///< the table's name without schema, unquoted
  std::vector<std::string> keys, types;  ///< of the primary key; empty: by page
  std::uint64_t rows = 0;                ///< as the planner guesses
  std::uint64_t pages = 0;
};
/// Throws base::Error{not_found} when there is no such table, {invalid} for a view and the like.
Walk look_at_table(pg::Session& session, const std::string& table, const base::Scope& scope);

/// How far a backfill is: what the checkpoint holds.
struct Checkpoint {
  std::vector<std::string> last_key;  ///< empty: nothing done yet
  std::uint64_t last_page = 0;
  std::uint64_t end_page = 0;  ///< pages when it began: updated rows move behind, and need no second visit
  std::uint64_t updated = 0, seen = 0, batches = 0;
  std::uint64_t still = 0;  ///< of the updated rows: those that match `where` afterwards too
  std::uint64_t size = 0;   ///< of the next batch
  std::uint64_t pass = 1;   ///< 2: rows that came in while the first was under way, behind the check
};

/// The table that holds the checkpoints, in the schema of the filled one.
class Checkpoints {
 public:
  Checkpoints(const Walk& walk, const BackfillSpec& spec);
  /// Makes the table and the row when they are not there. True when there was one: an earlier run's.
  bool open(pg::Session& session, Checkpoint& checkpoint, const base::Scope& scope);
  void save(pg::Session& session, const Checkpoint& checkpoint, const base::Scope& scope) const;
  /// What somebody has told it since it was opened.
  struct Told {
    std::string wish;  ///< "go", "pause" or "abort"
    BackfillLimits limits;
  };
  Told told(pg::Session& session, const base::Scope& scope) const;
  /// Takes the row away, and the table when it was the last.
  void close(pg::Session& session, const BackfillSpec& spec, const base::Scope& scope) const;

 private:
  std::string table_;  ///< of the checkpoints
  std::string id_;     ///< what is filled, and how: another SET is another backfill
  std::string target_;
};

struct Batch {
  std::uint64_t updated = 0, seen = 0, still = 0;
  bool last = false;
};
/// One batch in the open transaction; moves the checkpoint on. Throws Error{failed} when SET gives NULL to
/// the column that is to become NOT NULL.
Batch run_batch(pg::Session& session, const Walk& walk, const BackfillSpec& spec, Checkpoint& checkpoint,
                const base::Scope& scope);

}  // namespace staithe::stage
