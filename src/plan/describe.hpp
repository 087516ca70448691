#pragma once
#include "staithe/plan/plan.hpp"

#include <string>
#include <vector>

namespace staithe::plan {

/// How one effect reads in a plan: a line, and below it what does not fit on one (a script of many lines).
struct Description {
  std::string line;
  std::vector<std::string> block;
};

Description describe(const Effect& effect, const Plan& plan);

}  // namespace staithe::plan
