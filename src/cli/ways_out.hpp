#pragma once
#include "project.hpp"
#include "suggest.hpp"

#include "staithe/event/event.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/faults.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What to do about a release that not every host runs, about a service whose hosts run different releases,
/// or one that is bad or that nobody has judged.
namespace staithe::cli {

/// How it stands about a release that a run has brought to some hosts.
struct Standing {
  bool behind = false;    ///< others are not on it that were to be
  bool bad = false;       ///< nothing more is to be brought to it
  bool unjudged = false;  ///< the run has not come to the end at which it is called good
  bool first = false;     ///< something else comes first: a run left what a recovery is for, or is under way
};

/// The ways that are open from there. Who ends a run and who looks at everything later both go by this.
struct OpenWays {
  bool on = false;    ///< the others are brought to the release
  bool back = false;  ///< all are brought back to the one before
};
OpenWays open_ways(const Standing& standing) noexcept;

/// Ids of releases, each with the hosts that run it.
using Versions = std::map<std::string, std::vector<std::string>>;

struct Way {
  std::string command, what_for;
};

struct WaysOut {
  std::map<std::string, std::string>
      bad;  ///< those of the releases that are, each with the run that found so
  std::optional<world::Unjudged> unjudged;  ///< what brought the newest of them, where that did not end
  std::vector<Way> ways;  ///< none where all is well, or no run tells; nothing is brought to what is bad
};

/// What brings the release of `plan` to these hosts, where its rollout goes on. With --resume, which also
/// calls the release good on the others, only where that goes to these hosts alone: never to one that a
/// person left out. `ending` as in world::left_of_rollout.
std::string on_command(const App& app, store::Store& store, const Loaded& loaded, const Asked& asked,
                       const plan::Plan& plan, std::vector<std::string> hosts,
                       const event::RunFinished* ending = nullptr);

/// What does again what a task did, to its end.
Way way_out(const App& app, store::Store& store, const Loaded& loaded, const world::Unjudged& task);

/// `first`: as in Standing.
WaysOut ways_out(const App& app, store::Store& store, const Loaded& loaded, const std::string& service,
                 const Versions& versions, bool first);

}  // namespace staithe::cli
