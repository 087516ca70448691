#pragma once
#include "staithe/ssh/command.hpp"

#include <string>

namespace staithe::ssh {

/// The values of a command's inputs as its leash reads them: one line each, backslash and newline escaped.
std::string encode_inputs(const Command& command);

}  // namespace staithe::ssh
