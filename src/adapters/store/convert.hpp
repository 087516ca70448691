#pragma once
#include "database.hpp"

#include "staithe/store/records.hpp"

#include <string>
#include <string_view>

namespace staithe::store {

/// A whole number as the tables hold it; NULL is 0. Anything else is base::Error{io}: a damaged state.
long long to_number(const Value& value);
Time to_time(const Value& value);
std::string to_value(Time time);
/// Text as it is, NULL as empty.
std::string to_text(const Value& value);

/// Refuses with base::Error{invalid}, naming `what`, text that not both backends keep as it is: NUL bytes,
/// invalid UTF-8, more than `limit` bytes.
void check_text(std::string_view what, std::string_view text, std::size_t limit = 4096);

}  // namespace staithe::store
