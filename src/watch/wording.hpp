#pragma once
#include <string>
#include <string_view>

namespace staithe::watch {

/// Text and attribute values of HTML.
std::string for_html(std::string_view text);

}  // namespace staithe::watch
