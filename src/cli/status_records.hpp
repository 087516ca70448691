#pragma once
#include "staithe/world/faults.hpp"
#include "staithe/world/survey.hpp"

#include <nlohmann/json_fwd.hpp>

/// Records of `status --json` that need no more than what they are about.
namespace staithe::cli {

nlohmann::json balancer_json(const world::BalancerLook& balancer);
nlohmann::json unjudged_json(const world::Unjudged& unjudged);

}  // namespace staithe::cli
