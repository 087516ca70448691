#pragma once
#include "staithe/base/cancel.hpp"

#include <optional>
#include <string>
#include <vector>

/// What is checked out on this machine.
namespace staithe::git {

struct WorkTree {
  std::string sha;           ///< of HEAD: 40 or 64 lower-case hexadecimal digits
  bool is_altered = false;   ///< the files are not, or not all, as that commit has them
  bool has_unknown = false;  ///< of all: there are also files that git neither knows nor is told to ignore
};

/// Of the repository that a directory is in. `files` are looked at, relative to it or absolute; of none, all
/// that git knows. Blocks for
/// 10 s at most; writes nothing. Nothing where there is no git, no repository, no commit, or no answer in
/// time; throws Error{cancelled} only.
std::optional<WorkTree> work_tree_of(const std::string& directory, const std::vector<std::string>& files,
                                     const base::Scope& scope);

}  // namespace staithe::git
