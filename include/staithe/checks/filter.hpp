#pragma once
#include "staithe/checks/suite.hpp"

#include <string>
#include <vector>

namespace staithe::checks {

/// What part of the suites is wanted. Empty lists and false mean everything.
struct Filter {
  bool critical = false;
  std::vector<std::string> tags;  ///< any of them
  std::vector<std::string> only;  ///< names of checks or steps
};

/// Leaves out the checks that are not wanted, except those whose saved values a wanted one needs, also as
/// what another suite exports. Suites that nothing is left of go. Names in `only` that no check has are
/// returned.
std::vector<std::string> select(SuitePlan& plan, const Filter& filter);

}  // namespace staithe::checks
