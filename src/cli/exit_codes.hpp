#pragma once
#include "staithe/event/exit_codes.hpp"

namespace staithe::cli {

using enum event::ExitCode;

}  // namespace staithe::cli
