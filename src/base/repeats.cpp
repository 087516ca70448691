#include "repeats.hpp"

#include <algorithm>
#include <cstdint>

namespace staithe::base {
namespace {

constexpr std::size_t shortest_piece = 16, most_pieces = 64;

/// The length of its shortest beginning of at least `least` bytes that repeats a half of itself or less; of
/// the whole where none does.
std::size_t repeating_start(std::string_view text, std::size_t least) {
  // Of each beginning, how much of it is also its end: Knuth, Morris and Pratt.
  thread_local std::vector<std::uint32_t> borders;
  borders.assign(1, 0);
  for (std::size_t length = 2; length <= text.size(); ++length) {
    std::size_t border = borders.back();
    while (border > 0 && text[border] != text[length - 1]) border = borders[border - 1];
    if (text[border] == text[length - 1]) ++border;
    if (length >= least && 2 * border >= length) return length;
    borders.push_back(static_cast<std::uint32_t>(border));
  }
  return text.size();
}

/// A code point has at most three bytes behind its first.
bool is_inside(std::string_view text, std::size_t at) {
  return at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

std::vector<std::string_view> cut(std::string_view text, std::size_t least) {
  std::vector<std::string_view> pieces;
  const auto add = [&](std::string_view piece) {
    if (std::find(pieces.begin(), pieces.end(), piece) == pieces.end()) pieces.push_back(piece);
  };
  for (std::size_t at = 0; at < text.size() && pieces.size() <= most_pieces;) {
    std::size_t end = at + repeating_start(text.substr(at), least);
    for (int i = 0; i < 3 && is_inside(text, end); ++i) ++end;
    if (end == text.size() && end - at < least) {
      at = end - std::min(end, least);
      for (int i = 0; i < 3 && is_inside(text, at); ++i) --at;
    }
    add(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

}  // namespace

std::vector<std::string_view> pieces_of(std::string_view text) {
  if (text.size() <= shortest_piece) return {text};
  for (std::size_t least = shortest_piece;; least *= 2)
    if (auto pieces = cut(text, least); pieces.size() <= most_pieces) return pieces;
}

}  // namespace staithe::base
