#pragma once
#include "staithe/store/store.hpp"
#include "staithe/verify/memory.hpp"
#include "staithe/verify/runner.hpp"
#include "staithe/watch/courier.hpp"
#include "staithe/watch/service_manager.hpp"
#include "staithe/watch/views.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace staithe::watch {

/// What the files say: what is run, and who is told.
struct Programme {
  checks::SuitePlan plan;
  std::vector<Destination> destinations;
  /// Runs a part of the plan; called from several threads at once, never for one suite at the same time. What
  /// it found is kept by the watcher, which waits for no store meanwhile.
  std::function<verify::RunResult(const checks::SuitePlan& part, const verify::Options& options)> run;
  /// Whether something has changed that the files are read for: they are read anew. Asked every second or so
  /// by the thread that writes, when nothing waits to be written; may block as the store does. Empty:
  /// nothing has.
  std::function<bool()> outdated;
};

/// Reads the files again. What is wrong with them is thrown as std::exception, in words for people.
using ReadProgramme = std::function<Programme()>;

/// One line of the log: what happened, and facts about it.
struct Note {
  std::string event;
  std::vector<std::pair<std::string, std::string>> facts;
};

struct Settings {
  std::string version, project;
  std::size_t at_once = 8;  ///< suites
  base::Duration remind{std::chrono::hours(4)};
  const base::Cancel* soft = nullptr;  ///< the end: nothing more is begun, what runs is cleaned up
  const base::Cancel* hard = nullptr;
  store::Store* store = nullptr;  ///< null: nothing outlives the process
  /// What makes this the only watch of the environment; null: nothing does. It outlives the watcher.
  store::Lock* lock = nullptr;
  /// Another one watches: alerts are told no more and nothing is written. Called once, by a thread of the
  /// watcher's; what it should do is end the watch.
  std::function<void()> lock_lost;
  /// How long alerts wait while nobody knows whether another one watches.
  base::Duration unsure_for{std::chrono::minutes(2)};
  ServiceManager* service = nullptr;
  Courier::Ways ways;                    ///< `happened` is the watcher's own
  std::function<void(const Note&)> log;  ///< any thread
  ReadProgramme read;                    ///< called from a thread of its own
};

/// Runs suites on their schedules until it is told to stop: one scheduler, a thread for each run in hand.
class Watcher {
 public:
  /// Throws base::Error when what an earlier process has left in the store cannot be read.
  Watcher(Programme first, Settings settings);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Blocks until `soft`, and then until every run in hand has cleaned up, what is left is written and every
  /// thread has ended: none of the ways is called any more. A store that hangs delays that by twice its
  /// patience at the most.
  void run();
  /// The files are read anew soon; what is wrong with them leaves the old ones in use. Any thread.
  void reload();
  /// Everything that is known now. Any thread.
  Overview overview() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace staithe::watch
