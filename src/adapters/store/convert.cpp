#include "convert.hpp"

#include <charconv>

namespace staithe::store {
namespace {

using base::Error;
using base::ErrorCode;

/// The length of the well-formed UTF-8 sequence at the front, 0 when it is not one.
/// The table of https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, 3-7.
std::size_t sequence_at(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

long long to_number(const Value& value) {
  if (!value) return 0;
  long long number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, failed] = std::from_chars(value->data(), end, number);
  if (failed != std::errc{} || stop != end) {
    throw Error(ErrorCode::io, "the state is damaged: a number was expected where another value stands");
  }
  return number;
}

Time to_time(const Value& value) {
  return Time{base::Duration{to_number(value)}};
}
std::string to_value(Time time) {
  return std::to_string(time.time_since_epoch().count());
}
std::string to_text(const Value& value) {
  return value.value_or(std::string{});
}

void check_text(std::string_view what, std::string_view text, std::size_t limit) {
  const auto refuse = [what](const std::string& why) {
    throw Error(ErrorCode::invalid, "cannot save the " + std::string(what) + ": " + why);
  };
  if (text.size() > limit) refuse("it is longer than " + std::to_string(limit) + " bytes");
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = text[i] == '\0' ? 0 : sequence_at(text.substr(i));
    if (length == 0) refuse("it is not UTF-8 text");
    i += length;
  }
}

}  // namespace staithe::store
