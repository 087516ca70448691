#pragma once
#include "catalog.hpp"

#include "staithe/pg/session.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace staithe::stage {

/// Finds out what a migration command does that opens its own sessions. Changes of the schema are written
/// down by event triggers on the clone, with the locks that they hold, so that none is missed; other
/// statements are seen in pg_stat_activity every 2 ms. Without the right to make event triggers (a
/// superuser's), the second is all there is.
class CommandTrace {
 public:
  CommandTrace(const std::string& url, const base::Scope& scope);
  ~CommandTrace();
  CommandTrace(const CommandTrace&) = delete;
  CommandTrace& operator=(const CommandTrace&) = delete;

  /// Ends the tracing, removes what it put into the clone, and gives the statements in their order, with
  /// their locks; `relations` are those of before the command. Times count from the constructor.
  std::vector<StatementReport> finish(const std::map<Oid, Relation>& relations);
  /// Why less was seen than could have been; "" when nothing was in the way.
  const std::string& remark() const { return remark_; }
  /// Why the sampling ended early; "" when it did not. After finish.
  const std::string& problem() const { return problem_; }

  /// One statement as it was noticed.
  struct Seen {
    int pid = 0;
    std::int64_t transaction = 0;  ///< 0 when nobody knows
    std::string text;
    std::int64_t began = 0, ended = 0;  ///< microseconds since 1970, by the server
    bool certain = false;               ///< from an event trigger
    std::vector<std::pair<Oid, std::string>> locks;
  };

 private:
  void install();
  void run(const base::Scope& scope);
  std::vector<Seen> triggered();

  pg::Session session_, watcher_;
  base::Scope scope_;
  std::int64_t zero_ = 0;
  bool has_triggers_ = false;
  std::string remark_, problem_;
  base::Cancel done_;
  std::mutex mutex_;
  std::map<std::pair<int, std::int64_t>, Seen> sampled_;  ///< by session and beginning
  std::thread thread_;
};

/// Both kinds in one list, by time: a sample of a statement that a trigger has told of too is left out, and
/// so is what only looks and is over at once.
std::vector<CommandTrace::Seen> merged(std::vector<CommandTrace::Seen> triggered,
                                       const std::vector<CommandTrace::Seen>& sampled);

}  // namespace staithe::stage
