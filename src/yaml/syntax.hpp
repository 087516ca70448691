#pragma once
#include "builder.hpp"
#include "source.hpp"

#include "staithe/diag/diagnostic.hpp"

#include <cstddef>
#include <string>

namespace staithe::yaml {

/// Turns what yaml-cpp says about `offset` into what a person has to change, and where.
diag::Diagnostic explain_syntax_error(const std::string& message, std::size_t offset, Source& source,
                                      const Builder& builder);

}  // namespace staithe::yaml
