#pragma once
#include <string>
#include <string_view>

namespace staithe::git {

/// A repository's address as git gets it.
struct Remote {
  std::string url;       ///< without a password; without any user info for http(s)
  std::string user;      ///< percent-decoded; only for http(s)
  std::string password;  ///< likewise
  std::string path;      ///< for a repository on this machine: where it is
};

/// Refuses with Error{invalid} what git would take for an option or for a helper program (ext::…), what it
/// does not know, and control characters.
Remote parse_url(std::string_view url);

}  // namespace staithe::git
