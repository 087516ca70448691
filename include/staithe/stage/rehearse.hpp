#pragma once
#include "staithe/event/event.hpp"
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>

namespace staithe::stage {

/// What a run needs beyond its plan.
struct RehearsalRun {
  std::string cluster_url;  ///< the target's: clones are made there
  std::string source_url;   ///< production, asked read-only for its settings and its statements; "" for none
  std::string run_id;
  std::string directory;                                  ///< where commands run
  std::function<std::string(const std::string&)> redact;  ///< for what commands print
  std::string again{};                                    ///< the command that tries again; "" for none
  /// The command that drops a clone of that name, whoever is connected to it.
  std::function<std::string(const std::string&)> drop_command{};
  std::string revision{};  ///< as RehearsalReport has it
  bool is_altered = false;
  bool has_unknown = false;
};

/// What is written down beside the verdict: passes that could not be made do not count as made.
plan::RehearsalTerms terms_of(const RehearsalPlan& plan, const RehearsalReport& report);

struct RehearsalEnd {
  /// As it was told: 0 or 1 as the migration passed, 4 when the rehearsal itself could not be made (no
  /// connection, no right to clone, no memory), `interrupted_exit_code` when it was stopped, 5 when a clone
  /// is left.
  event::RunFinished finished;
  std::optional<RehearsalReport> report;  ///< of one that was made to its end
};

/// Runs all passes and emits events from RunStarted to RunFinished. What is wrong with the migration is in
/// the report. The clones are dropped however it ends; where that cannot be done, the last event has the
/// commands that do it. Throws std::bad_alloc where not even that could be told. Blocking; cancellable by
/// `scope`.
RehearsalEnd run_rehearsal(const RehearsalPlan& plan, const RehearsalRun& run, event::EventSink& sink,
                           const base::Scope& scope, const std::atomic<int>& interrupted_exit_code);

}  // namespace staithe::stage
