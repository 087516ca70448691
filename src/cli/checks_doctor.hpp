#pragma once
#include "project.hpp"

namespace staithe::cli {

/// Whether an environment has checks and nothing else that a doctor could look at.
bool has_only_checks(const Loaded& loaded);

/// `doctor` of such an environment: its suites, the secrets that are declared, whom a watch would tell, the
/// state. Only reads, but for what a secret's command does. The exit code. Throws FilesWrong.
int doctor_of_checks(App& app);

/// The same of the suites of an environment that has hosts as well, behind what was found of these; whether
/// all is well. Throws FilesWrong.
bool doctor_of_checks_too(App& app, Loaded project, plan::Plan survey);

}  // namespace staithe::cli
