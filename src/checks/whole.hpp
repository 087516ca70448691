#pragma once
#include <string>
#include <string_view>

/// Whole numbers of any length as they are written, "-12" or "007": a double has only the first 16 digits.
namespace staithe::checks {

bool is_whole(std::string_view text);
/// Below 0, 0 or above 0: how `a` stands to `b`; both are whole.
int order_of_whole(std::string_view a, std::string_view b);
/// How far they lie apart; both are whole.
std::string distance_of_whole(std::string_view a, std::string_view b);

/// Whether two texts are one number: of whole ones all digits count.
bool same_number(std::string_view a, std::string_view b);

}  // namespace staithe::checks
