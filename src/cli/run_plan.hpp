#pragma once
#include "app.hpp"

#include "staithe/event/event.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace staithe::cli {

/// A drain of a dead run that this run goes on with.
struct Adopted {
  std::string host;
  std::string found;
};

struct RunRequest {
  const plan::Plan& plan;
  std::vector<Adopted> adopted;
  /// Commands to run next, from how it ended.
  std::function<std::vector<std::string>(const event::RunFinished&)> advise;
  std::string question;  ///< asked before anything is changed; "" for none
  std::function<std::unique_ptr<store::Store>()> open_store;
  std::string directory;         ///< of staithe.yml: what the plan's relative paths start from
  std::size_t keep_runs = 1000;  ///< ended runs that stay in the history
};

/// From a plan to an exit code: the plan's id is checked, the person asked, host keys looked at, the run
/// journalled, performed and reported. With --dry-run the plan is printed instead.
int run_plan(App& app, const RunRequest& request);

/// The lines to add where host keys are not trusted; `hosts` are names, a blank in front of each.
std::string hostkeys_hint(const std::string& hosts);

/// Whether run_plan prints only; the one place that reads the option. For commands that do something more
/// once a run has ended.
bool only_prints(const App& app);

/// "20261120-204512-3f9c": sorts by time, unique enough for one project.
std::string new_run_id();

/// exit_done when --expect-plan is not given or names this plan; else it has been refused.
int refuse_other_plan(App& app, const std::string& id);

}  // namespace staithe::cli
