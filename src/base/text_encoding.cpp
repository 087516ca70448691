#include "staithe/base/digest.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace staithe::base {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}
bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (byte_at(text, at) & 0xC0U) == 0x80U;
}

/// What a lead byte promises: the length of its sequence and the range of the second byte, which shuts out
/// overlong forms, surrogates and what lies above U+10FFFF (Unicode 15, table 3-7).
struct Lead {
  std::size_t length;
  unsigned second_from;
  unsigned second_to;
};

Lead lead_of(unsigned byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

/// Bytes of an ill-formed sequence that are replaced together: its longest well-begun part.
std::size_t broken_length(std::string_view text) {
  const Lead lead = lead_of(byte_at(text, 0));
  if (lead.length < 3 || text.size() < 2) return 1;
  if (byte_at(text, 1) < lead.second_from || byte_at(text, 1) > lead.second_to) return 1;
  return lead.length == 4 && continues(text, 2) ? 3 : 2;
}

bool within(std::string_view text, std::size_t at, unsigned from, unsigned to) {
  return at < text.size() && byte_at(text, at) >= from && byte_at(text, at) <= to;
}

/// Length of the escape sequence at the front of `text`, ESC included (ECMA-48). A broken one ends before
/// the byte that breaks it, and no sequence crosses the end of a line, so hostile output cannot swallow
/// what follows.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 1;
  std::size_t at = 2;
  switch (text[1]) {
    case '[':
      while (within(text, at, 0x20, 0x3F)) ++at;
      return within(text, at, 0x40, 0x7E) ? at + 1 : at;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
      for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n' || c == '\r') return at;
        if (c == '\a') return at + 1;
        if (c == '\x1b') return at + 1 < text.size() && text[at + 1] == '\\' ? at + 2 : at;
      }
      return at;
    default:
      break;
  }
  at = 1;
  while (within(text, at, 0x20, 0x2F)) ++at;
  return within(text, at, 0x30, 0x7E) ? at + 1 : at;
}

/// A table, because files of keys are base64 for the most part and searching the alphabet costs ten times as
/// much.
constexpr auto digit_values = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
  return values;
}();

int base64_value(char digit) {
  return digit_values[static_cast<unsigned char>(digit)];
}

}  // namespace

std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  const Lead lead = lead_of(byte_at(text, 0));
  if (lead.length <= 1) return lead.length;
  if (text.size() < lead.length) return 0;
  if (byte_at(text, 1) < lead.second_from || byte_at(text, 1) > lead.second_to) return 0;
  for (std::size_t at = 2; at < lead.length; ++at)
    if (!continues(text, at)) return 0;
  return lead.length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (!continues(text, at)) ++count;
  return count;
}

std::string printable(std::string_view bytes) {
  const auto* const plain_end =
      std::find_if(bytes.begin(), bytes.end(), [](char c) { return c < ' ' || c > '~'; });
  std::string text;
  text.reserve(bytes.size());
  text.append(bytes.begin(), plain_end);
  bytes.remove_prefix(text.size());
  while (!bytes.empty()) {
    const unsigned first = byte_at(bytes, 0);
    std::size_t used = utf8_sequence(bytes);
    if (used == 0) {
      used = broken_length(bytes);
      text += replacement;
    } else if (first == 0x1B) {
      used = escape_length(bytes);
    } else if (first == '\r') {
      text += '\n';
      if (bytes.size() > 1 && bytes[1] == '\n') used = 2;
    } else if (first == '\n' || first == '\t' || (first >= 0x20 && first != 0x7F)) {
      const bool is_c1 = first == 0xC2 && byte_at(bytes, 1) < 0xA0;
      if (!is_c1) text.append(bytes.substr(0, used));
    }
    bytes.remove_prefix(used);
  }
  return text;
}

std::string one_line(std::string_view bytes) {
  std::string text = printable(bytes);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const unsigned byte : sha256(bytes)) {
    text += digits[byte >> 4U];
    text += digits[byte & 0x0FU];
  }
  return text;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8U | (i < count ? byte_at(bytes, at + i) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? alphabet[group >> (18 - 6 * i) & 0x3FU] : '=';
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char digit : text) {
    const int value = base64_value(digit);
    if (value < 0) return std::nullopt;
    bits = (bits << 6U | static_cast<std::uint32_t>(value)) & 0xFFFFU;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>(bits >> held & 0xFFU));
  }
  // Left-over bits must be zero: one text for one value.
  if ((bits & ((1U << held) - 1U)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace staithe::base
