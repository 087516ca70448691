#pragma once
#include "staithe/checks/suite.hpp"

/// The names of a suite's checks, by which their histories go.
namespace staithe::checks {

/// What steps without a name ask may differ only in secrets, which their names do not show: those that come
/// later get a number.
void tell_apart(Suite& suite);

void require_unique_names(const Suite& suite, diag::Diagnostics& diagnostics);

}  // namespace staithe::checks
