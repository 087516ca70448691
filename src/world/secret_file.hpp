#pragma once
#include "staithe/base/cancel.hpp"

#include <string>

namespace staithe::world {

/// All of a file that holds a secret, which may be a pipe (`<(…)` of a shell): nobody who writes to it is
/// waited for longer than the scope. Throws base::Error: not_found, invalid for more than 64 KiB, timeout,
/// cancelled.
std::string read_secret_file(const std::string& path, const base::Scope& scope);

/// Why it surely cannot be read, without opening it: whoever writes to a pipe would take that for the
/// reading; "" when it may be.
std::string unreadable(const std::string& path);

}  // namespace staithe::world
