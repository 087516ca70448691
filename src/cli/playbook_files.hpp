#pragma once
#include "project.hpp"

#include <string>

/// What a person who names a playbook may have meant.
namespace staithe::cli {

/// Names the built-in playbook on a command line, where the project has one of its own.
inline constexpr const char* built_in_playbook = "built-in";

/// The project's playbooks/deploy.yml, which is used where none is named; "" where there is none.
std::string own_playbook(const std::string& directory);

/// Of a file that cannot be read: the one that was probably meant, in words; "" when none is near.
std::string meant_file(const std::string& directory, const std::string& named);

/// Why the file is no playbook that could be run: it is a project, or a suite of checks. Throws FilesWrong
/// then.
void refuse_other_kinds(const std::string& path, const std::string& text);

}  // namespace staithe::cli
