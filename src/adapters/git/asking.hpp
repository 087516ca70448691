#pragma once
#include "url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/git/resolve.hpp"
#include "staithe/proc/run.hpp"

/// What every call of git that talks to a repository needs.
namespace staithe::git {

/// Never prompts; a password is handed over outside of argv.
std::vector<std::pair<std::string, std::string>> environment_of(const Repository& repository,
                                                                const Remote& remote);

/// What git, ssh and libcurl said, as an error with its kind.
base::Error failure(std::string_view subcommand, const Remote& remote, const proc::Exit& exit);

}  // namespace staithe::git
