#pragma once
#include "staithe/checks/suite.hpp"

#include <functional>
#include <set>
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
  // Made when it is first asked for.
  mutable std::string all_;
  /// Letters and digits that stand together there. Of what a reply gives the first of them is not there but
  /// rarely, and then nothing is looked through.
  mutable std::set<std::string, std::less<>> words_;
};

}  // namespace staithe::checks
