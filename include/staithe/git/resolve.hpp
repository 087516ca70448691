#pragma once
#include "staithe/base/cancel.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Asking git repositories which commit a name means.
namespace staithe::git {

/// A repository by URL (https, ssh, git, file, scp-like host:path) or absolute path.
struct Repository {
  std::string url;
  /// Added to git's environment, e.g. GIT_SSH_COMMAND.
  std::vector<std::pair<std::string, std::string>> environment;
};

enum class RefKind { branch, tag, commit, head, other };

struct Resolved {
  std::string sha;  ///< 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits
  std::string ref;  ///< full name, "refs/heads/main", "HEAD"; empty for a commit given as such
  RefKind kind = RefKind::commit;
  /// The repository itself named this commit. False for a commit given in full which is no tip of
  /// a branch or tag: whether it exists shows when it is fetched.
  bool verified = false;
  std::string subject;  ///< first line of the commit message; only known for repositories on this machine
};

/// The commit that `ref` means right now: a branch, a tag (peeled to its commit), "HEAD", a full name
/// (refs/…), or a commit given in full. Talks to the repository with `git ls-remote`; never prompts; a
/// password in an http(s) URL is handed over through the environment, so that it stands in no argv.
///
/// Throws Error: invalid (a name or URL that git would read as an option or cannot be a name; an abbreviated
/// commit), conflict (a branch and a tag of that name, both are shown), not_found (no such ref or
/// repository), auth, host_key, resolve, connect, protocol (a reply that is not ls-remote's), unavailable (no
/// git here), cancelled, timeout, failed.
Resolved resolve(const Repository& repository, std::string_view ref, const base::Scope& scope);

/// The URL without its user info: what may be printed.
std::string display_url(std::string_view url);

}  // namespace staithe::git
