#pragma once
#include "project.hpp"

namespace staithe::cli {

/// Finds out whether the ssh_config that the environment names is there and can be read. No program of it is
/// run, and nobody is asked for a name: what a host alone brings to light is told when it is connected to.
void check_ssh_config(const Loaded& loaded, const playbook::Environment& environment,
                      diag::Diagnostics& diagnostics);

}  // namespace staithe::cli
