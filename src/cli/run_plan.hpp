#pragma once
#include "project.hpp"
#include "suggest.hpp"

#include "staithe/event/event.hpp"
#include "staithe/exec/runner.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/reached.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace staithe::cli {

/// A drain of a dead run that this run goes on with.
struct Adopted {
  std::string host;
  std::string found;
  bool keep_out = true;                     ///< visitors should not meet it before its turn comes
  std::optional<world::LastKnown> known{};  ///< of a run that died; without it a person wants the host back
};

/// Whether the run that this one is for has its end, whether that needs a person, and what to run next then.
struct Concluded {
  bool has_end = false;
  bool needs_person = false;
  std::vector<std::string> next{};
};

/// What a run goes on with, and whether that still stands.
struct Earlier {
  std::vector<Adopted> adopted;
  std::map<std::string, std::string> given_back{};  ///< hosts with what was found; as World::given_back
  /// Asked once the run's lock is held, from any thread, with the run's own store: why the run must not go on
  /// with what was looked at before the person was asked and the hosts connected; "" for nothing. May be
  /// empty.
  std::function<std::string(store::Store&)> in_the_way{};
  std::string recovers{};            ///< the id of the run that this one is to put right; "" for none
  std::vector<std::string> hosts{};  ///< all that that run was for
  /// Called with how the run ended, while it still holds its locks and before its end is told or in the
  /// state. Returns what became of the run that this one is for. May be empty; throws base::Error when
  /// something could not be written down.
  std::function<Concluded(store::Store&, const event::RunFinished&)> ended{};
};

struct RunRequest {
  const plan::Plan& plan;
  const Loaded& loaded;  ///< the files it was made from
  Earlier earlier{};
  /// Commands to run next, from how it ended, as exec::RunOptions::Advise; `bad`: nothing more is to be
  /// brought to its release.
  std::function<std::vector<std::string>(store::Store&, const event::RunFinished&,
                                         const std::vector<std::string>& untidied, bool bad)>
      advise{};
  Asked asked{};           ///< for the journal: what the commands that go on with it need to know
  std::string question{};  ///< asked before anything is changed; "" for none
};

/// From a plan to an exit code: the plan's id is checked, the person asked, host keys looked at, the run
/// journalled, performed and reported. With --dry-run the plan is printed instead.
int run_plan(App& app, const RunRequest& request);

/// Whether run_plan prints only; the one place that reads the option. For commands that do something more
/// once a run has ended.
bool only_prints(const App& app);

/// "20261120-204512-3f9c": sorts by time, unique enough for one project.
std::string new_run_id();

/// exit_done when --expect-plan is not given or names this plan; else it has been refused.
int refuse_other_plan(App& app, const std::string& id);

}  // namespace staithe::cli
