#pragma once
#include "project.hpp"

#include "staithe/store/store.hpp"
#include "staithe/world/faults.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

/// What to do about a service whose hosts run different releases, or one that is bad or that nobody has
/// judged.
namespace staithe::cli {

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

/// What does again what a task did, to its end.
Way way_out(const App& app, store::Store& store, const Loaded& loaded, const world::Unjudged& task);

WaysOut ways_out(const App& app, store::Store& store, const Loaded& loaded, const std::string& service,
                 const Versions& versions);

}  // namespace staithe::cli
