#pragma once
#include "project.hpp"

#include "staithe/store/store.hpp"

#include <map>
#include <string>
#include <vector>

/// What to do about a service whose hosts run different releases, or one that is bad.
namespace staithe::cli {

/// Ids of releases, each with the hosts that run it.
using Versions = std::map<std::string, std::vector<std::string>>;

struct Way {
  std::string command, what_for;
};

struct WaysOut {
  std::map<std::string, std::string>
      bad;                ///< those of the releases that are, each with the run that found so
  std::vector<Way> ways;  ///< none where all is well, or no run tells; nothing is brought to what is bad
};

WaysOut ways_out(const App& app, store::Store& store, const Loaded& loaded, const std::string& service,
                 const Versions& versions);

}  // namespace staithe::cli
