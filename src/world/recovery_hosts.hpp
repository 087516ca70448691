#pragma once
#include "staithe/plan/plan.hpp"

#include <set>
#include <string>

namespace staithe::world {

/// Leaves in the plan only the hosts that its actions or its balancers are reached on or through, and those
/// in `also`: what is the matter with any other host must not keep a recovery from its work.
void keep_needed_hosts(plan::Plan& plan, std::set<std::string> also);

}  // namespace staithe::world
