#pragma once
#include "staithe/checks/value.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::checks {

// What lies in a value: in a list or an object of JSON however deep, and in a text that is JSON itself, as
// bodies of other requests, events and claims are often kept. Bounded: of such a text the first 256 KiB are
// read, where it is broken off as far as it goes, and a text in a text in a text at most four deep. There a
// text also counts as it is escaped in the one around it: see base::Redactor for how many layers it knows by
// itself.

/// Every text in it; none of a text that is no JSON.
std::vector<std::string> texts_in(const Value& value);
/// Those texts that lie under a member whose name is `of_interest`, with that name: the outermost one. Also
/// numbers of six digits or more that are such a member: a one-time password has that many, and what has less
/// is how many there are of something.
std::vector<std::pair<std::string, std::string>> named_texts_in(const Value& value,
                                                                bool (*of_interest)(std::string_view));

}  // namespace staithe::checks
