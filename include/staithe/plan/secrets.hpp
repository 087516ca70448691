#pragma once
#include "staithe/plan/plan.hpp"

#include <functional>
#include <vector>

namespace staithe::plan {

/// Every text of the effect that may have holes.
void each_text(const Effect& effect, const std::function<void(const Text&)>& visit);

/// Every secret that a run of the plan may need, reverts, suites of checks and notices included, each once.
std::vector<SecretRef> secrets_of(const Plan& plan);

/// Those of them that nothing but notices needs: nobody's host hangs on them.
std::vector<SecretRef> secrets_of_notices(const Plan& plan);

}  // namespace staithe::plan
