#pragma once
#include "staithe/plan/plan.hpp"

#include <map>
#include <set>
#include <string>

namespace staithe::world {

/// What a plan means to do with its hosts' place in rotation, as its effects say.
struct RotationRoles {
  /// How many servers each host's guard will ask for.
  std::map<std::string, plan::Amount> guards;
  /// Their guard stands before a proof and no drain: a person's restore, and a recovery of one.
  std::set<std::string> restored;
  /// Proven or let in by a lane that has not taken them out: restores, and what a recovery goes on with.
  std::set<std::string> let_in;
  /// Taken out and not let in again: an operator's drain.
  std::set<std::string> left_out;
};

RotationRoles rotation_roles(const plan::Plan& plan);

}  // namespace staithe::world
