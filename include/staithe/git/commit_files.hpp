#pragma once
#include "staithe/git/resolve.hpp"

/// Reading files of a commit.
namespace staithe::git {

/// A regular file as the commit has it; links are none.
struct CommitFile {
  std::string path;  ///< from the root of the repository
  std::string text;  ///< its bytes
};

/// The files of a commit that a pattern of the shell means ('/' is matched by itself only, a leading '.'
/// too), sorted by the bytes of their paths. A repository on this machine is read where it is; of another one
/// the commit alone is fetched into a directory that goes again. At most 1000 files of 1 MiB each.
///
/// Throws Error: not_found (no such commit), invalid (too many, too large), else as resolve().
std::vector<CommitFile> commit_files(const Repository& repository, const std::string& sha,
                                     const std::string& pattern, const base::Scope& scope);

}  // namespace staithe::git
