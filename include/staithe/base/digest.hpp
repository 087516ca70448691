#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace staithe::base {

/// Raw digests; sha256_hex in text.hpp is the printable one. SHA-1 serves only where a file format demands it
/// (hashed known_hosts, %C of ssh_config), never as a proof.
std::array<std::uint8_t, 32> sha256(std::string_view bytes);
std::array<std::uint8_t, 20> sha1(std::string_view bytes);

/// Many HMAC-SHA1 (RFC 2104) in a row without allocation, about half a microsecond each. One thread at a
/// time.
class HmacSha1 {
 public:
  HmacSha1();
  HmacSha1(HmacSha1&&) noexcept;
  HmacSha1& operator=(HmacSha1&&) noexcept;
  ~HmacSha1();

  /// `key` is at most 64 bytes, longer ones throw base::Error{invalid}.
  std::array<std::uint8_t, 20> operator()(std::string_view key, std::string_view message);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Bytes from the system's generator, fit for keys and salts. Throws base::Error{failed} when it has none.
std::string random_bytes(std::size_t count);

/// The bytes of a digest as the text that the encoders of text.hpp take.
template <std::size_t Size>
std::string_view as_bytes(const std::array<std::uint8_t, Size>& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace staithe::base
