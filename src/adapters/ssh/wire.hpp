#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// RFC 4251 section 5: a 32-bit number, most significant byte first. `bytes` holds at least four.
inline std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

inline std::string number(std::size_t value) {
  std::string text(4, '\0');
  for (std::size_t i = 0; i < 4; ++i) text[i] = static_cast<char>(value >> (24 - 8 * i) & 0xffU);
  return text;
}

/// A string as the protocol writes it: its length, then its bytes.
inline std::string framed(std::string_view payload) {
  return number(payload.size()) + std::string(payload);
}

/// Takes such a string off the front; nullopt when it is cut short.
inline std::optional<std::string_view> take_string(std::string_view& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  const std::size_t size = read_number(bytes);
  if (size > bytes.size() - 4) return std::nullopt;
  const std::string_view text = bytes.substr(4, size);
  bytes.remove_prefix(4 + size);
  return text;
}

/// The type that a key or certificate blob begins with; empty when it has none.
inline std::string first_string(std::string_view blob) {
  return std::string(take_string(blob).value_or(""));
}

}  // namespace staithe::ssh
