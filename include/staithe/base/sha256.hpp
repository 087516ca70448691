#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace staithe::base {

/// SHA-256 of something that comes in pieces; sha256_hex in text.hpp is for what is at hand whole.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::string_view bytes);
  /// Lower-case hexadecimal, 64 digits. Ends the computation: call it once, last.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace staithe::base
