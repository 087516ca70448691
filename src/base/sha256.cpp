#include "staithe/base/sha256.hpp"

#include "staithe/base/error.hpp"

#include <openssl/evp.h>

#include <array>

namespace staithe::base {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> state{::EVP_MD_CTX_new(), &::EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (context_->state == nullptr || ::EVP_DigestInit_ex(context_->state.get(), ::EVP_sha256(), nullptr) != 1)
    throw Error(ErrorCode::failed, "SHA-256 is not available");
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  ::EVP_DigestUpdate(context_->state.get(), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  ::EVP_DigestFinal_ex(context_->state.get(), digest.data(), nullptr);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned byte : digest) {
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

}  // namespace staithe::base
