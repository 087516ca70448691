#pragma once
#include "app.hpp"

#include "staithe/checks/filter.hpp"
#include "staithe/checks/suite.hpp"

#include <functional>
#include <string>
#include <vector>

namespace staithe::cli {

/// A file of which no suite could be made, and why. Where steps are asked for by their names it is of no
/// matter, unless one of them stands in it or needs what it would export.
struct UnreadSuite {
  std::string file;
  diag::Diagnostics found;
};

/// What was found in another file, with the lines that it is about.
void take_over(const diag::Diagnostics& found, diag::Diagnostics& into);

/// Takes over what is wrong with those files that the steps of `filter.only` need, and says for which; of
/// each other one comes a warning that it is left out. `wanted` is what is left of the suites that could be
/// read.
void judge_unread(const std::vector<UnreadSuite>& unread, const checks::SuitePlan& wanted,
                  const checks::Filter& filter, diag::Diagnostics& diagnostics);

/// Puts a suite for each of them into the plan, so that what is not watched is seen: it has the name, as far
/// as that can be told, asks nothing, and ends with error. One that has no schedule gets none either, unless
/// `all_are_wanted`: it was named, or whatever has none is given one. What `may_be_left_out` and does not go
/// together with the others, or then needs one that is not there, is taken out of the plan first.
void put_stand_ins(checks::SuitePlan& plan, std::vector<UnreadSuite>& unread,
                   const std::function<bool(const std::string& file)>& may_be_left_out, bool all_are_wanted);

}  // namespace staithe::cli
