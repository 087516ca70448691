#pragma once
#include "project.hpp"

#include "staithe/event/event.hpp"
#include "staithe/plan/text.hpp"
#include "staithe/stage/snapshots.hpp"

#include <functional>
#include <string>

/// What the commands on databases share.
namespace staithe::cli {

/// `databases:` of the chosen environment; throws FilesWrong when there is none.
const playbook::Databases& databases_of(const Loaded& loaded);
/// One of its two databases; throws FilesWrong when it is not written down.
const playbook::Database& source_of(const Loaded& loaded);
const playbook::Database& target_of(const Loaded& loaded);

/// The value of a secret, looked up from where staithe.yml is; the redactor knows it from then on.
std::string secret_value(App& app, const Loaded& loaded, const plan::SecretRef& secret);
/// The same for a PostgreSQL URL, of which only the password is secret.
std::string url_value(App& app, const Loaded& loaded, const plan::SecretRef& secret);

/// The snapshot of that name; with an empty one the newest that was taken for the target's own database.
/// Others in that cluster may be of other projects.
stage::Snapshot chosen_snapshot(pg::Session& cluster, const std::string& target_url, const std::string& name,
                                const base::Scope& scope);
/// Refuses, and says why, a snapshot that was not taken from `source_url`; with "" that is not known, and a
/// source that does not answer is warned of. exit_done when nothing is wrong with it.
int refuse_other_origin(App& app, const stage::Snapshot& snapshot, const std::string& source_url,
                        const base::Scope& scope);

/// A plan that is ready to run, of whatever kind.
struct StagePlan {
  std::string kind;  ///< "snapshot"
  std::string id;
  std::string json;  ///< on one line
  std::string text;
  std::string question;  ///< asked before anything is changed, "" for none
  /// The second of two runs of one command: what --report writes as records or lines is added to its file.
  bool goes_on = false;
  /// Performs it and tells `sink`; returns how it ended.
  std::function<event::RunFinished(const std::string& run_id, event::EventSink& sink)> run;
};

/// From a plan to an exit code, as run_plan does for playbooks: --expect-plan, --dry-run, the question, then
/// the run with its reporters. `after`, when there is one, is told the end before the exit code is given.
int run_stage_plan(App& app, const StagePlan& plan,
                   const std::function<void(const event::RunFinished&)>& after = {});

/// The same without --expect-plan, --dry-run and the question, which somebody else has seen to.
int perform_stage_plan(App& app, const StagePlan& plan,
                       const std::function<void(const event::RunFinished&)>& after = {});

/// What stage snapshot would do now.
struct ReadySnapshot {
  StagePlan plan;
  std::string database;  ///< the name that the snapshot will have
  int refused = 0;       ///< when it is not 0, there is no plan; it is the exit code, and why has been said
};
ReadySnapshot ready_snapshot(App& app, Loaded& loaded);

}  // namespace staithe::cli
