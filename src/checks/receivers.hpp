#pragma once
#include "staithe/checks/suite.hpp"
#include "staithe/yaml/reader.hpp"

namespace staithe::checks {

/// Somebody whom nobody can reach is found now, not when it burns.
void check_receiver(const yaml::Located<std::string>& to, const Context::Receivers& receivers,
                    diag::Diagnostics& diagnostics);

}  // namespace staithe::checks
