#pragma once
#include "staithe/plan/plan.hpp"

#include <functional>
#include <vector>

namespace staithe::plan {

/// Every text of the effect that may have holes.
void each_text(const Effect& effect, const std::function<void(const Text&)>& visit);

/// Every secret that a run of the plan may need, reverts and suites of checks included, each once; what only
/// notices name is none of them.
std::vector<SecretRef> needed_secrets_of(const Plan& plan);

/// Those that nothing but notices needs: nobody's host hangs on them.
std::vector<SecretRef> secrets_of_notices(const Plan& plan);

}  // namespace staithe::plan
