#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/duration.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace staithe::store {

/// A moment in UTC. What the store stamps itself comes from the server's clock with PostgreSQL and from this
/// machine's with SQLite.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// This machine's clock, to the precision that the store keeps.
Time now();

struct Settings {
  /// How long one call may try, reconnecting and waiting for other threads' calls included.
  base::Duration patience = std::chrono::seconds(10);
  /// A lock whose owner cannot be looked at (another machine, another container) counts as abandoned once
  /// it has not been heard from for this long.
  base::Duration lease = std::chrono::seconds(30);
  /// How often a held lock is renewed. At most a third of the lease.
  base::Duration heartbeat = std::chrono::seconds(5);
  /// Cuts every call short; null: only `patience` does. Give it the hard stop, not the soft one: putting
  /// things back needs its journal. Must outlive the Store.
  const base::Cancel* stop = nullptr;
};

/// What is known of the process that started a run or took a lock.
enum class Owner {
  running,  ///< it is alive on this machine
  gone,     ///< it was on this machine and is no more
  unknown,  ///< another machine or container: only its heartbeat tells
};

struct LockInfo {
  std::string scope;   ///< what is locked: "production/payments"
  std::string holder;  ///< for people: "ann@build1 pid 4711"
  std::string reason;
  std::string run_id;
  std::string token;  ///< unique to this taking of the lock
  Time taken{};
  Time heartbeat{};  ///< last sign of life
  Owner owner = Owner::unknown;
  /// Nobody holds it any more (owner gone, or not heard from for a lease): the next try_lock takes it over.
  bool abandoned = false;
};

/// One line of the locks' own history.
struct LockEvent {
  Time time{};
  std::string scope;
  std::string what;         ///< "stolen" by a person, or "reclaimed" from an owner that died
  std::string who;          ///< who did it
  std::string reason;       ///< why, in their words
  std::string from_holder;  ///< who had it
  std::string from_run_id;
};

struct LockRequest {
  std::string scope;
  std::string reason;
  std::string run_id;
  std::string holder;  ///< empty: this_process()
};

struct Run {
  std::string id;
  std::string kind;  ///< "deploy", "rollback", "run", ...
  std::string environment;
  std::string service;
  std::string title;
  std::string plan_id;
  std::string plan_json;  ///< left empty by history() and unfinished(), which may list many
  std::string user;
  std::string release;
  std::string sha;
  Time started{};             ///< left at zero: stamped by begin_run
  std::optional<Time> ended;  ///< none: the run is unfinished
  std::string outcome;
  std::optional<int> exit_code;
  std::string summary_json;
  Owner owner = Owner::unknown;  ///< of an unfinished run: whether its process lives; set by the store
};

/// One record of the write-ahead journal. The vocabulary of `kind` and `body` belongs to the caller.
struct JournalEntry {
  std::uint64_t seq = 0;  ///< given by append(): grows within a run, may have gaps after a failed append
  Time time{};            ///< left at zero: stamped by append() with this machine's clock
  std::string host;
  std::string action_id;
  std::string kind;  ///< "intent", "outcome", "note", ...
  std::string body;  ///< JSON text, at most 1 MiB
};

enum class ReleaseState {
  staged,  ///< brought to a host, and maybe live there; not yet judged
  good,
  bad
};

struct Release {
  std::string environment;
  std::string service;
  std::string id;
  std::string sha;
  std::string ref;
  ReleaseState state = ReleaseState::staged;
  Time time{};  ///< left at zero: stamped by record_release
  std::string run_id;
};

/// What one run found of one check.
struct CheckRecord {
  std::string environment;
  std::string suite;
  std::string key;      ///< the check, the same in every run
  std::string text_id;  ///< of what it asked and expected
  std::string run_id;
  std::string release;  ///< what was judged; "" when nobody knew
  std::string verdict;
  bool flaky = false;  ///< it passed, but not at once
  std::uint32_t attempts = 1;
  std::uint64_t duration_ms = 0;
  Time time{};
  std::string detail;
  std::string excused_by;  ///< the neighbour whose absence was in evidence
};

/// A rehearsal of migrations that came to its end.
struct Rehearsal {
  std::string run_id;
  std::string project;
  std::string environment;
  std::string snapshot;
  Time snapshot_taken{};
  std::string files_id;  ///< the same for the same files in the same order
  std::string files;     ///< for people: a line each, as sha256sum(1) writes them; up to 64 KiB
  bool passed = false;
  std::string verdict;
  std::string terms;  ///< what it was judged by, as JSON: plan::RehearsalTerms
  std::uint64_t duration_ms = 0;
  Time time{};  ///< left at zero: stamped by record_rehearsal
};

struct HistoryFilter {
  std::string environment;  ///< empty: any, here and below
  std::string service;
  std::string kind;
  std::string outcome;
  std::string other_than;  ///< no run of this kind
  std::optional<Time> since;
  /// Only what stands behind this run in the list, which need not be there any more: how to go on.
  struct Place {
    Time started;
    std::string id;
  };
  std::optional<Place> behind;
};

/// "ann@build1 pid 4711": this process as people know it.
std::string this_process();

}  // namespace staithe::store
