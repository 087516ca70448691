#pragma once
#include "staithe/watch/state.hpp"

#include <string>
#include <string_view>

namespace staithe::watch {

/// RFC 3339 in UTC, to milliseconds.
std::string iso(Time time);
/// Text and attribute values of HTML.
std::string for_html(std::string_view text);

}  // namespace staithe::watch
