#pragma once
#include "staithe/store/records.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace staithe::store {

/// A lock that is held. Renewed by a thread of the Store; given back by the destructor or by release(), and
/// taken over by others when its process dies (see LockInfo::abandoned). Must not outlive its Store.
class Lock {
 public:
  class State;
  explicit Lock(std::unique_ptr<State> state);
  Lock(Lock&&) noexcept;
  Lock& operator=(Lock&&) noexcept;
  ~Lock();

  const LockInfo& info() const noexcept;
  /// True when the lock was stolen, or could not be renewed for a lease, so that others may have it. Cheap,
  /// any thread: look before every action. The second case can heal: confirm() finds out.
  bool lost() const noexcept;
  /// Renews now. False: stolen or taken over, for good. Throws base::Error when the store cannot be asked.
  bool confirm();
  /// Gives the lock back, now and with errors told; what a thief has is left alone. Later calls do nothing.
  void release();
  /// The owner that had died with this lock in hand when it was taken: its run wants `recover`.
  const std::optional<LockInfo>& reclaimed_from() const noexcept;

 private:
  std::unique_ptr<State> state_;
};

/// Held, or who holds it.
using LockResult = std::variant<Lock, LockInfo>;

/// The durable state: write-ahead journal, locks, history of runs and releases, in an SQLite file or in
/// PostgreSQL. Every member may be called from any thread. What a call has returned from has reached the
/// disk and survives kill -9 and power loss. Texts must be redacted by the caller.
///
/// Errors: base::Error{io} for a full disk, a damaged file or a server that went away (after reconnecting was
/// tried for Settings::patience), {permission}, {conflict}, {not_found}, {invalid}, {timeout}, {cancelled}. A
/// call that failed with io or timeout may have taken effect; trying it again is safe.
class Store {
 public:
  class Core;

  /// Opens or creates the file (mode 0600; a missing directory is made with mode 0700). Use a local disk.
  static std::unique_ptr<Store> open_sqlite(const std::string& path, const Settings& settings = {});
  /// `url`: postgres://user@host:port/database?..., tables are made in the first schema of the search_path.
  /// The password belongs into the URL, PGPASSWORD or PGPASSFILE; no message ever contains it.
  static std::unique_ptr<Store> open_postgres(const std::string& url, const Settings& settings = {});

  explicit Store(std::unique_ptr<Core> core);
  ~Store();

  /// Where the state is, for people and without a password: a path, or "postgres://user@host:port/db".
  std::string where() const;

  // Locks: atomic, one home for each environment and service.
  LockResult try_lock(const LockRequest& request);
  /// Tries until the scope ends. `on_wait` is told the holder at first and whenever it changes. At the
  /// deadline the holder is returned; cancellation throws base::Error{cancelled}.
  LockResult lock(const LockRequest& request, const base::Scope& scope,
                  const std::function<void(const LockInfo&)>& on_wait = {});
  std::optional<LockInfo> lock_info(std::string_view scope);
  std::vector<LockInfo> locks();
  /// Ends the holder's claim, which its Lock::lost() then says, and records who did it and why. Returns who
  /// had it; nothing is taken.
  std::optional<LockInfo> steal(std::string_view scope, std::string_view reason, std::string_view who);
  /// Newest first; an empty `scope` lists all.
  std::vector<LockEvent> lock_events(std::string_view scope = {}, std::size_t limit = 100);

  // Journal.
  /// Fails with {conflict} when a run of this id exists.
  void begin_run(const Run& run);
  /// Returns the entry's seq once the entry is on the disk. Lanes that append at the same time share a write.
  std::uint64_t append(std::string_view run_id, JournalEntry entry);
  /// Returns at once. The entry reaches the disk, in its order, with the next one that somebody appends, or
  /// with end_run(), journal() or the destructor; until then a crash loses it. A write that fails is told to
  /// the next caller of those, and the entry stays in line.
  std::uint64_t enqueue(std::string_view run_id, JournalEntry entry);
  /// In order of seq, at most `limit` of them after seq `after`.
  std::vector<JournalEntry> journal(std::string_view run_id, std::uint64_t after = 0,
                                    std::size_t limit = 100'000);
  /// Ending a run again overwrites the outcome (`recover` does). {not_found}: no such run.
  void end_run(std::string_view run_id, std::string_view outcome, int exit_code,
               std::string_view summary_json);

  // History. Newest first.
  /// An empty environment or service means any. Look at Run::owner, or hold the lock, before recovering one.
  std::vector<Run> unfinished(std::string_view environment = {}, std::string_view service = {});
  std::vector<Run> history(const HistoryFilter& filter = {}, std::size_t limit = 50);
  std::optional<Run> run(std::string_view id);
  /// Removes the oldest ended runs of an environment, with their journals, so that `keep` ended ones stay,
  /// and as many of kind "exec": commands of a cron job must not make anybody forget who took a host out. At
  /// most 100 go in one call, whose number is returned. A run without an end is never touched. What locks
  /// did, releases and checks stay.
  std::size_t prune(std::string_view environment, std::size_t keep);

  // Releases of a service in an environment.
  /// Adds the release, or overwrites the one of this id.
  void record_release(const Release& release);
  /// Newest first.
  std::vector<Release> releases(std::string_view environment, std::string_view service,
                                std::size_t limit = 100);

  // What checks found.
  /// All or none. Details over 1 KiB are cut. Once an hour, of these checks, what is older than 100 days
  /// goes, but for the newest 500 of each, and of the suite everything after three years: a clock that jumps
  /// must not empty the history.
  void record_checks(const std::vector<CheckRecord>& records);
  /// Of one suite, newest first, at most `each` of every check.
  std::vector<CheckRecord> check_history(std::string_view environment, std::string_view suite,
                                         std::size_t each = 200);
  /// Of one check of a suite, newest first, at most `most`.
  std::vector<CheckRecord> check_history_of(std::string_view environment, std::string_view suite,
                                            std::string_view key, std::size_t most = 200);
  /// Start of the latest unbroken series of excused runs of one text of a check: the first excused run after
  /// the last one that held, as far back as records are kept; zero when there is none.
  Time tolerated_since(std::string_view environment, std::string_view suite, std::string_view key,
                       std::string_view text_id);
  /// Removes what is older than the newest `each` records of every check of a suite.
  void prune_checks(std::string_view environment, std::string_view suite, std::size_t each);

  // What a program that runs for long wants to know again after a restart: a text by its name.
  void keep_note(std::string_view environment, std::string_view name, std::string_view body);
  /// Several, by name: all or none. With `held`, only while that lock is held by who took it: else nothing is
  /// written, and it is base::Error{conflict}.
  void keep_notes(std::string_view environment, const std::map<std::string, std::string>& notes,
                  const LockInfo* held = nullptr);
  std::map<std::string, std::string> notes(std::string_view environment);

  // What was rehearsed.
  /// Adds it, or overwrites the one of this run. Those of an environment beyond the newest 500 go.
  void record_rehearsal(const Rehearsal& rehearsal);
  /// Newest first.
  std::vector<Rehearsal> rehearsals(std::string_view environment, std::size_t limit = 100);
  /// The newest of those files of that project in that environment.
  std::optional<Rehearsal> last_rehearsal(std::string_view project, std::string_view environment,
                                          std::string_view files_id);

 private:
  void prepare(std::string_view run_id, JournalEntry& entry);

  std::unique_ptr<Core> core_;
};

/// "staged", "good", "bad". Stable: they stand in the tables.
std::string_view name_of(ReleaseState state) noexcept;

}  // namespace staithe::store
