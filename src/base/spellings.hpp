#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// How programs write a byte or a character down, by accident or by escaping.
namespace staithe::base {

using Spellings = std::vector<std::string>;

/// For each byte: itself first, then how it is escaped.
const std::array<Spellings, 256>& byte_spellings();
/// A code point of several bytes: its bytes all in the same way, or as JSON writes it.
Spellings spellings_of_code_point(std::string_view bytes);
/// What a text of UTF-8 becomes where its bytes are taken for Latin-1, or for Windows-1252, and written as
/// UTF-8 again ("é" is "Ã©"), and its bytes in Latin-1, where that has all of it. None of one that is ASCII.
Spellings in_other_encodings(std::string_view utf8);
/// Its bytes in UTF-16, in both orders. Of Latin-1 one text is within both: without the zero that is last or
/// first.
Spellings in_utf16(std::string_view utf8);
/// How long the code point at the front is; 1 for what is not UTF-8 (only the shape is looked at: the bytes
/// are only spelled, never shown).
std::size_t code_point_length(std::string_view text);
/// The bytes with which something other than a byte as it is can begin.
const std::bitset<256>& escape_starts();

}  // namespace staithe::base
