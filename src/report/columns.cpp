#include "columns.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace staithe::report {
namespace {

struct Range {
  char32_t first, last;
};
constexpr std::array<Range, 12> wide{{{0x1100, 0x115F},
                                      {0x2329, 0x232A},
                                      {0x2E80, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFE30, 0xFE6F},
                                      {0xFF00, 0xFF60},
                                      {0xFFE0, 0xFFE6},
                                      {0x1F300, 0x1F64F},
                                      {0x1F680, 0x1FAFF},
                                      {0x20000, 0x2FFFD},
                                      {0x30000, 0x3FFFD}}};
constexpr std::array<Range, 6> none{{{0x0300, 0x036F},
                                     {0x0483, 0x0489},
                                     {0x1AB0, 0x1AFF},
                                     {0x200B, 0x200F},
                                     {0x20D0, 0x20FF},
                                     {0xFE00, 0xFE0F}}};

template <class Ranges>
bool within(const Ranges& ranges, char32_t point) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [point](const Range& range) { return point >= range.first && point <= range.last; });
}

/// One character or one colour sequence.
struct Glyph {
  std::size_t bytes;
  unsigned columns;
};

Glyph glyph_at(std::string_view text) {
  if (text.front() == '\x1b') {
    const auto end = text.find('m');
    return {end == std::string_view::npos ? text.size() : end + 1, 0};
  }
  const std::size_t bytes = std::max<std::size_t>(base::utf8_sequence(text), 1);
  const auto lead = static_cast<unsigned char>(text.front());
  if (bytes == 1) return {1, 1};
  char32_t point = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i)
    point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  if (within(none, point)) return {bytes, 0};
  return {bytes, within(wide, point) ? 2U : 1U};
}

}  // namespace

unsigned columns_of(std::string_view text) {
  unsigned columns = 0;
  while (!text.empty()) {
    const Glyph glyph = glyph_at(text);
    columns += glyph.columns;
    text.remove_prefix(glyph.bytes);
  }
  return columns;
}

std::string elide_middle(std::string_view text, unsigned columns) {
  constexpr std::string_view mark = "...";
  if (columns_of(text) <= columns) return std::string(text);
  if (columns <= mark.size()) return std::string(mark.substr(0, columns));
  const unsigned room = columns - static_cast<unsigned>(mark.size());
  std::vector<Glyph> glyphs;
  for (auto rest = text; !rest.empty(); rest.remove_prefix(glyphs.back().bytes))
    glyphs.push_back(glyph_at(rest));

  std::size_t front = 0;
  unsigned used = 0;
  for (const auto& glyph : glyphs) {
    if (used + glyph.columns > room - room / 2) break;
    used += glyph.columns;
    front += glyph.bytes;
  }
  std::size_t back = 0;
  for (auto glyph = glyphs.rbegin(); glyph != glyphs.rend(); ++glyph) {
    if (used + glyph->columns > room) break;
    used += glyph->columns;
    back += glyph->bytes;
  }
  return std::string(text.substr(0, front)) + std::string(mark) +
         std::string(text.substr(text.size() - back));
}

}  // namespace staithe::report
