#pragma once
#include "staithe/playbook/make_plan.hpp"

#include <string>
#include <utility>
#include <vector>

namespace staithe::playbook {

/// The texts of a service that playbooks know as variables, by name.
std::vector<std::pair<std::string, const Text*>> values_of(const Service& service);

/// Finds mistakes in values that nothing in the playbook uses: making a plan expands only what is used. An
/// error in the playbook's own variables; a warning in those of staithe.yml, where another playbook may set
/// what is missing. Call it last: what stands among the findings already is not told again.
void check_unused_values(const Project& project, const Environment& environment, const Playbook* playbook,
                         const Request& request, diag::Diagnostics& diagnostics);

}  // namespace staithe::playbook
