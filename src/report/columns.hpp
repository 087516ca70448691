#pragma once
#include <string>
#include <string_view>

namespace staithe::report {

/// Columns that printable UTF-8 takes on a terminal: wide East Asian characters and emoji two, combining
/// ones none, SGR colour sequences none.
/// Source: the ranges of https://www.cl.cam.ac.uk/~mgk25/ucs/wcwidth.c, with emoji.
unsigned columns_of(std::string_view text);

/// The text in at most `columns`, its middle replaced by "..." when it is wider. For text without colour.
std::string elide_middle(std::string_view text, unsigned columns);

}  // namespace staithe::report
