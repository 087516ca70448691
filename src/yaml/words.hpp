#pragma once
#include <string>
#include <string_view>

namespace staithe::yaml {

/// A word of the user's in quotes for a message, cut when it is long.
std::string in_quotes(std::string_view word);

}  // namespace staithe::yaml
