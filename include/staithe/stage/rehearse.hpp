#pragma once
#include "staithe/event/event.hpp"
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <functional>
#include <string>

namespace staithe::stage {

/// What a run needs beyond its plan.
struct RehearsalRun {
  std::string cluster_url;  ///< the target's: clones are made there
  std::string source_url;   ///< production, asked read-only for its settings and its statements; "" for none
  std::string run_id;
  std::string directory;                                  ///< where commands run
  std::function<std::string(const std::string&)> redact;  ///< for what commands print
  std::string revision{};                                 ///< as RehearsalReport has it
  bool is_altered = false;
  bool has_unknown = false;
};

/// What is written down beside the verdict: passes that could not be made do not count as made.
plan::RehearsalTerms terms_of(const RehearsalPlan& plan, const RehearsalReport& report);

/// Runs all passes and emits events from RunStarted to RunFinished. What is wrong with the migration is in
/// the report; base::Error is thrown when the rehearsal itself could not be made (no connection, no right to
/// clone). The clones are dropped however it ends. Blocking; cancellable.
RehearsalReport run_rehearsal(const RehearsalPlan& plan, const RehearsalRun& run, event::EventSink& sink,
                              const base::Scope& scope);

}  // namespace staithe::stage
