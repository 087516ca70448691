#pragma once
#include "builds.hpp"
#include "dump.hpp"
#include "teller.hpp"

#include "staithe/pg/copy.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace staithe::stage {

/// What all parts of a run share.
struct Context {
  const SnapshotPlan& plan;
  const SnapshotRun& run;
  Teller& teller;
  base::Scope scope;        ///< ends with the run, or when it is stopped from inside or outside
  std::string application;  ///< the name of our sessions on the source
  std::string database;     ///< that is being built
  std::string exported;     ///< the snapshot's name on the source
  std::atomic<bool> throttled{false};

  /// base::Error{conflict} when another server answers than the plan's: a watch there would see nobody who
  /// waits for our locks.
  pg::Session source() const;
  /// In the open transaction of `source`: ACCESS SHARE on every table that is copied.
  void lock_tables(pg::Session& source) const;
  /// On the database that is being built.
  pg::Session target() const;
};

/// How long a session of a run stays on the source without being heard of, when it holds the snapshot or
/// watches; the others that have locks, five minutes.
constexpr base::Duration holding_alone{60'000};

/// Throws `error` as one of `context`; a refusal of the server keeps its SQLSTATE.
[[noreturn]] void rethrow_within(const base::Error& error, const std::string& context);

/// Copies rows and builds what belongs to each table once they are there, with as many threads as the plan
/// has jobs; rows first, then the largest thing that waits.
class Loader {
 public:
  /// `after` are the dump's entries; those that the loader takes care of are removed from it. `may_resume` is
  /// asked, from any job, whether a table whose connection broke can be begun again.
  Loader(Context& context, std::vector<Entry>& after, std::function<bool()> may_resume);

  /// Blocks. `copied` is called once, when the last row is there: nothing more is read from the source.
  /// Throws what the first job that failed threw.
  void run(const std::function<void()>& copied);

  std::uint64_t rows() const { return rows_; }

 private:
  struct Job {
    std::string host;
    std::unique_ptr<pg::Session> source, target;
    bool is_reading = false;  ///< counted in reading_
    std::uint64_t actions = 0;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  };

  /// A table's rows, or one of its parts.
  struct Rows {
    const TableCopy* table = nullptr;
    std::size_t part = 0;
    const std::string& copy_out() const {
      return table->parts.empty() ? table->copy_out : table->parts[part];
    }
    std::uint64_t bytes() const { return table->bytes / std::max<std::size_t>(1, table->parts.size()); }
    std::string title() const;
  };

  void work(std::uint32_t number);
  bool step(Job& job);
  void copy_table(Job& job, const Rows& rows);
  pg::Copied copy_patiently(Job& job, const Rows& rows, Telling& telling);
  /// One attempt: how far it came, for the next.
  struct Attempt {
    bool again = false;
    std::uint64_t done = 0;
    bool is_committing = false;  ///< what is cut off now may hold all the same
  };
  pg::Copied copy_rows(Job& job, const Rows& rows, Telling& telling, Attempt& attempt);
  void wait_while_throttled(const base::Scope& scope) const;
  void verify_sample(Job& job, const TableCopy& table, std::uint64_t rows);
  void build(Job& job, const Build& build);
  bool is_crowded();
  void table_done(Oid table);
  void release_next(Oid table);
  bool is_last_part(const Rows& rows);
  void copied_one(Job& job);
  void fail(std::exception_ptr error);
  void count_bytes(std::uint64_t bytes);
  pg::Session& target_of(Job& job);
  void connect_source(Job& job);
  void disconnect_source(Job& job);

  Context& context_;
  std::function<bool()> may_resume_;
  std::function<void()> copied_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Rows> tables_;
  std::size_t copying_ = 0;                ///< of those, not yet copied, those in hand included
  std::size_t reading_ = 0;                ///< jobs with a session on the source
  std::map<Oid, std::size_t> parts_left_;  ///< of tables that have some
  std::vector<Build> builds_;
  std::size_t unbuilt_ = 0;                     ///< builds not yet done, those not yet possible included
  std::map<Oid, std::vector<Build>> of_table_;  ///< not yet done
  std::exception_ptr error_;
  std::uint64_t rows_ = 0;

  std::unique_ptr<Telling> phase_;
  std::chrono::steady_clock::time_point began_, told_;
  std::atomic<std::uint64_t> bytes_{0};
  std::uint64_t total_bytes_ = 0;
  base::Cancel halt_;
  base::Scope job_scope_{};
};

}  // namespace staithe::stage
