#pragma once
#include <string>
#include <string_view>

namespace staithe::plan {

/// A text as a string of JSON, in its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
/// The same without the quotes, for a place inside a string.
std::string json_inside(std::string_view text);

}  // namespace staithe::plan
