#pragma once
#include "staithe/checks/suite.hpp"

#include <string>
#include <string_view>

namespace staithe::checks {

/// What a suite itself says in clear, in names and in what it expects, without what is put into that: the
/// word stands in its file and in every report, so it is no secret, whatever a reply calls it. For one
/// thread.
class OwnWords {
 public:
  /// The suite must outlive it.
  explicit OwnWords(const Suite& suite) : suite_(&suite) {}
  /// Whether it stands there with no letter or digit beside it.
  bool have(std::string_view text) const;

 private:
  const Suite* suite_;
  mutable std::string all_;  ///< made when it is first asked for
};

}  // namespace staithe::checks
