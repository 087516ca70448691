#pragma once
#include "staithe/base/error.hpp"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Small readers that reply.cpp and dump.cpp share.
namespace staithe::haproxy {

/// Takes one line off the front of `rest`, without its "\n" or "\r\n".
inline std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

/// Words between runs of blanks.
std::vector<std::string_view> words(std::string_view line);

/// All of `text` as a number of at most 64 bits.
template <class Number>
std::optional<Number> number_in(std::string_view text, int radix = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "cannot understand TEXT": `what` was being read, `text` is quoted, made printable and cut.
base::Error not_understood(std::string_view what, std::string_view text);

}  // namespace staithe::haproxy
