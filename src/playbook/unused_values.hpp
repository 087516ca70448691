#pragma once
#include "staithe/playbook/make_plan.hpp"

namespace staithe::playbook {

/// Finds mistakes in values that nothing in the playbook uses: making a plan expands only what is used. An
/// error in the playbook's own variables; a warning in those of staithe.yml, where another playbook may set
/// what is missing. Where hosts are not known, only what is wrong whatever they are. Call it last: what
/// stands among the findings already is not told again.
void check_unused_values(const Project& project, const Environment& environment, const Playbook* playbook,
                         const Request& request, diag::Diagnostics& diagnostics);

}  // namespace staithe::playbook
