#pragma once

namespace staithe::base {

/// Of ASCII, whatever the locale says.
constexpr unsigned byte_of(char c) noexcept {
  return static_cast<unsigned char>(c);
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

}  // namespace staithe::base
