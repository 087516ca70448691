#pragma once
#include "staithe/checks/expectation.hpp"

#include <span>
#include <string>

namespace staithe::checks {

/// What a matcher says of values.
struct Match {
  enum class Is { yes, no, unknown };
  Is is = Is::no;
  std::string why;                 ///< of `unknown`; of `no` at times a hint
  const Value* culprit = nullptr;  ///< of several values the one that does not match
};

/// How strictly a plain number means a number: text in JSON that looks like one is none.
enum class Typing { lenient, strict };

/// `now`: seconds since 1970.
Match match(const Matcher& matcher, const Value& value, Typing typing, double now);
/// The same for all values that a path found.
Match match_all(const Matcher& matcher, std::span<const Value> values, Typing typing, double now);

/// Whether a matcher can hold of nothing: it asks how many there are, or whether.
bool speaks_of_presence(const Matcher& matcher);
/// Whether a matcher must hold of every one of several values, and is not asked of all of them together.
bool asks_each(const Matcher& matcher);

}  // namespace staithe::checks
