#pragma once
#include <string_view>
#include <vector>

namespace staithe::base {

/// What of a text is looked for in its place: where it is found, it stands in those pieces, one behind the
/// other.
///
/// A text that begins with the same twice over ("aaaa", "abab") may begin at every place of what goes on like
/// that, so looking for it whole could cost its length squared. It is cut behind each such beginning; most of
/// the pieces are alike then, and each is named once. One that ends in fewer bytes than a beginning has is
/// found with some of those before it. Any other text is one piece: where it fails, no more than half of what
/// was compared is compared once more.
///
/// UTF-8 is cut between code points. At most 64 pieces, each at least 16 bytes long, unless the text is
/// shorter.
std::vector<std::string_view> pieces_of(std::string_view text);

}  // namespace staithe::base
