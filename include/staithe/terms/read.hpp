#pragma once
#include "staithe/plan/rehearsal_terms.hpp"
#include "staithe/yaml/reader.hpp"

/// The keys of `budgets:` and `accept:`, which the settings of a rehearsal and the step that asks for one
/// share.
namespace staithe::terms {

/// What is not there stays as it is in `into`. Mistakes are findings of the mapping's.
void read_budgets(yaml::Mapping& budgets, plan::Budgets& into);
void read_accepted(yaml::Mapping& accepted, plan::Accepted& into);

}  // namespace staithe::terms
