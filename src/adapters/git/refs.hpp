#pragma once
#include "staithe/git/resolve.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::git {

/// What a user's name for a commit asks for.
struct Wanted {
  std::string name;          ///< as given; a full commit in lower case
  bool is_commit = false;    ///< 40 or 64 hexadecimal digits
  bool looks_short = false;  ///< 4 to 39 hexadecimal digits: perhaps an abbreviated commit
};

/// Error{invalid} for what cannot be the name of a ref (git check-ref-format) or would be an option.
Wanted parse_ref(std::string_view ref);

/// Reads the reply of `git ls-remote` in any pieces, strictly, and keeps only what concerns the wanted name.
/// Bounded: a line has at most 4 KiB.
class LsRemote {
 public:
  explicit LsRemote(const Wanted& wanted) : wanted_(wanted) {}

  /// Error{protocol} for what is not a line of ls-remote.
  void feed(std::string_view bytes);
  /// After the last byte: Error{protocol}, {not_found}, {conflict}, {invalid} as git::resolve says.
  Resolved result() const;

 private:
  void take_line(std::string_view line);
  std::optional<std::string> commit_of(const std::string& ref) const;
  Resolved commit_result() const;

  const Wanted& wanted_;
  std::string line_;
  std::map<std::string, std::string> found_;  // ref, also "…^{}", to object
  std::string tip_;                           // a ref that names the wanted commit
};

}  // namespace staithe::git
