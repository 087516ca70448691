#include "spellings.hpp"

#include "staithe/base/ascii.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::base {
namespace {

/// So many spellings of a byte come first that every byte has.
constexpr std::size_t uniform_ways = 9;

/// The escapes that name their byte.
void add_named_escapes(char c, Spellings& spellings) {
  constexpr std::string_view named = "\a\b\t\n\v\f\r\x1b";
  constexpr std::string_view letters = "abtnvfre";
  if (const auto at = named.find(c); c != '\0' && at != std::string_view::npos)
    spellings.push_back({'\\', letters[at]});
  const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  if (c >= ' ' && c <= '~' && !letter_or_digit) spellings.push_back({'\\', c});  // JSON's \" \\ \/, printf %q
  const auto also = [&](std::initializer_list<const char*> texts) {
    spellings.insert(spellings.end(), texts.begin(), texts.end());
  };
  switch (c) {
    case ' ':
      also({"+", "_"});
      break;  // in an HTML form, in a header of mail
    case '\n':
      also({"\r\n", "\\r\\n", "%0D%0A", "%0d%0a"});
      break;
    case '\'':
      also({"'\\''", "'\"'\"'", "''", "&#39;", "&#x27;", "&apos;"});
      break;
    case '"':
      also({"\"\"", "&quot;", "&#34;"});
      break;
    case '&':
      also({"&amp;"});
      break;
    case '<':
      also({"&lt;"});
      break;
    case '>':
      also({"&gt;"});
      break;
    default:
      break;
  }
}

std::string with_each(std::string_view text, char what, std::string_view by) {
  std::string made;
  for (const char c : text) {
    if (c == what)
      made += by;
    else
      made += c;
  }
  return made;
}

/// As PHP, old scripts and new languages write it.
void add_padded(unsigned value, Spellings& spellings) {
  for (const int digits : {3, 4, 5}) spellings.push_back(fmt::format("&#{:0{}};", value, digits));
  for (const int digits : {3, 4}) spellings.push_back(fmt::format("&#x{:0{}x};", value, digits));
  spellings.push_back(fmt::format("%u{:04X}", value));
  spellings.push_back(fmt::format("%u{:04x}", value));
  spellings.push_back(fmt::format("\\u{{{:x}}}", value));
}

/// JSON inside of JSON, a URL inside of a URL's parameter, markup that was escaped by one who did not know.
void add_escaped_twice(Spellings& spellings) {
  const auto once = spellings;
  for (const auto& text : once) {
    if (text.size() < 2) continue;
    const auto json = with_each(with_each(text, '\\', "\\\\"), '"', "\\\"");
    for (const auto& twice : {json, with_each(text, '%', "%25"), with_each(text, '&', "&amp;")})
      if (twice != text) spellings.push_back(twice);
  }
}

Spellings spellings_of_byte(char c) {
  const unsigned value = byte_of(c);
  Spellings spellings{{c},
                      fmt::format("%{:02X}", value),
                      fmt::format("%{:02x}", value),
                      fmt::format("\\x{:02x}", value),
                      fmt::format("\\x{:02X}", value),
                      fmt::format("\\{:03o}", value),
                      fmt::format("={:02X}", value),  // quoted-printable
                      fmt::format("={:02x}", value),
                      fmt::format("\\0{:03o}", value)};
  if (value < 0x80) {
    spellings.push_back(fmt::format("\\u{:04x}", value));
    spellings.push_back(fmt::format("\\u{:04X}", value));
    spellings.push_back(fmt::format("&#{};", value));  // whatever a peer's template engine escapes
    spellings.push_back(fmt::format("&#x{:x};", value));
    spellings.push_back(fmt::format("&#x{:X};", value));
    add_padded(value, spellings);
    add_named_escapes(c, spellings);
  }
  add_escaped_twice(spellings);
  return spellings;
}

/// Of 0x80 to 0x9F in Windows-1252; where that has nothing, what Latin-1 has.
constexpr std::array<unsigned, 32> of_windows{0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                              0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                              0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                              0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

void append_code_point(std::string& text, unsigned code) {
  const auto more = [](unsigned bits) { return static_cast<char>(0x80U | (bits & 0x3FU)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += {static_cast<char>(0xC0U | code >> 6U), more(code)};
  } else {
    text += {static_cast<char>(0xE0U | code >> 12U), more(code >> 6U), more(code)};
  }
}

}  // namespace

const std::array<Spellings, 256>& byte_spellings() {
  static const std::array<Spellings, 256> table = [] {
    std::array<Spellings, 256> all;
    for (unsigned value = 0; value < 256; ++value) all[value] = spellings_of_byte(static_cast<char>(value));
    return all;
  }();
  return table;
}

namespace {

/// Of a code point of several bytes.
unsigned code_of(std::string_view bytes) {
  unsigned code = byte_of(bytes.front()) & (0xFFU >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) code = code << 6U | (byte_of(c) & 0x3FU);
  return code;
}

/// "" where it holds what Latin-1 has not.
std::string as_latin_bytes(std::string_view utf8) {
  std::string bytes;
  for (std::size_t at = 0; at < utf8.size();) {
    const auto length = code_point_length(utf8.substr(at));
    const auto lead = byte_of(utf8[at]);
    if (length > 2 || (length == 2 && lead > 0xC3U) || (length == 1 && lead >= 0x80)) return {};
    bytes += length == 1 ? utf8[at] : static_cast<char>((lead & 3U) << 6U | (byte_of(utf8[at + 1]) & 0x3FU));
    at += length;
  }
  return bytes;
}

}  // namespace

Spellings in_other_encodings(std::string_view utf8) {
  const auto is_ascii = [](char c) { return byte_of(c) < 0x80; };
  if (std::all_of(utf8.begin(), utf8.end(), is_ascii)) return {};
  std::string latin, windows;
  for (const char c : utf8) {
    const unsigned value = byte_of(c);
    append_code_point(latin, value);
    append_code_point(windows, value >= 0x80 && value < 0xA0 ? of_windows[value - 0x80] : value);
  }
  Spellings spellings{latin};
  if (windows != latin) spellings.push_back(windows);
  if (auto bytes = as_latin_bytes(utf8); !bytes.empty()) spellings.push_back(std::move(bytes));
  return spellings;
}

Spellings in_utf16(std::string_view utf8) {
  std::string little, big;
  bool is_narrow = true;
  const auto add = [&](unsigned unit) {
    const char low = static_cast<char>(unit & 0xFFU), high = static_cast<char>(unit >> 8U);
    little += {low, high};
    big += {high, low};
  };
  for (std::size_t at = 0; at < utf8.size();) {
    const auto length = code_point_length(utf8.substr(at));
    const auto code = length == 1 ? byte_of(utf8[at]) : code_of(utf8.substr(at, length));
    is_narrow = is_narrow && code < 0x100;
    if (code >= 0x10000) add(0xD800 + ((code - 0x10000) >> 10U));
    add(code < 0x10000 ? code : 0xDC00 + ((code - 0x10000) & 0x3FFU));
    at += length;
  }
  if (!is_narrow) return {little, big};
  little.pop_back();
  return {little};
}

std::size_t code_point_length(std::string_view text) {
  const unsigned lead = byte_of(text.front());
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length > text.size()) return 1;
  for (std::size_t at = 1; at < length; ++at)
    if ((byte_of(text[at]) & 0xC0U) != 0x80U) return 1;
  return length;
}

Spellings spellings_of_code_point(std::string_view bytes) {
  Spellings spellings(uniform_ways);
  for (const char c : bytes) {
    const Spellings& one = byte_spellings()[byte_of(c)];
    for (std::size_t way = 0; way < spellings.size(); ++way) spellings[way] += one[way];
  }
  const unsigned code = code_of(bytes);
  if (code < 0x10000) {
    spellings.push_back(fmt::format("\\u{:04x}", code));
    spellings.push_back(fmt::format("\\u{:04X}", code));
  } else {
    const unsigned high = 0xD800 + ((code - 0x10000) >> 10U);
    const unsigned low = 0xDC00 + ((code - 0x10000) & 0x3FFU);
    spellings.push_back(fmt::format("\\u{:04x}\\u{:04x}", high, low));
    spellings.push_back(fmt::format("\\u{:04X}\\u{:04X}", high, low));
  }
  spellings.push_back(fmt::format("&#{};", code));
  spellings.push_back(fmt::format("&#x{:x};", code));
  spellings.push_back(fmt::format("&#x{:X};", code));
  add_padded(code, spellings);
  add_escaped_twice(spellings);
  return spellings;
}

const std::bitset<256>& escape_starts() {
  static const std::bitset<256> starts = [] {
    std::bitset<256> all;
    for (const char c : std::string_view("\r\n\\=")) all.set(byte_of(c));  // where a line is broken
    for (const auto& spellings : byte_spellings())
      for (std::size_t way = 1; way < spellings.size(); ++way) all.set(byte_of(spellings[way].front()));
    return all;
  }();
  return starts;
}

}  // namespace staithe::base
