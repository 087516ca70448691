#pragma once
#include "table.hpp"

#include <string>

namespace staithe::cli {

/// What `staithe` alone prints.
std::string overview();
std::string help_for(const Command& command);
/// For a noun with several commands: "hostkeys".
std::string group_help(const std::string& noun);
std::string version_text();

}  // namespace staithe::cli
