// SHA-256 and SHA-1 are asked for by their own functions, which OpenSSL 3 calls deprecated: what it wants
// instead looks algorithms up by name first, which costs a short run of this program a tenth of its processor
// time.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "staithe/base/digest.hpp"

#include "staithe/base/error.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>

namespace staithe::base {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
struct FreeDigest {
  void operator()(EVP_MD* digest) const noexcept { EVP_MD_free(digest); }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Md = std::unique_ptr<EVP_MD, FreeDigest>;

[[noreturn]] void no_digest() {
  throw Error(ErrorCode::unavailable, "the cryptographic library has no such digest");
}

/// To be called once for each: looking an algorithm up costs OpenSSL 3 many times what the digest of a short
/// text does.
Md fetch(const char* name) {
  Md kind(EVP_MD_fetch(nullptr, name, nullptr));
  if (!kind) no_digest();
  return kind;
}

template <std::size_t size, class Context>
std::array<std::uint8_t, size> digest(std::string_view bytes, int (*init)(Context*),
                                      int (*update)(Context*, const void*, std::size_t),
                                      int (*finish)(unsigned char*, Context*)) {
  std::array<std::uint8_t, size> out{};
  Context context;
  if (init(&context) != 1 || update(&context, bytes.data(), bytes.size()) != 1 ||
      finish(out.data(), &context) != 1)
    no_digest();
  return out;
}

}  // namespace

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  return digest<32>(bytes, SHA256_Init, SHA256_Update, SHA256_Final);
}
std::array<std::uint8_t, 20> sha1(std::string_view bytes) {
  return digest<20>(bytes, SHA1_Init, SHA1_Update, SHA1_Final);
}

struct HmacSha1::Context {
  Md kind = fetch("SHA1");
  MdContext md{EVP_MD_CTX_new()};
};

HmacSha1::HmacSha1() : context_(std::make_unique<Context>()) {
  if (!context_->md) no_digest();
}
HmacSha1::HmacSha1(HmacSha1&&) noexcept = default;
HmacSha1& HmacSha1::operator=(HmacSha1&&) noexcept = default;
HmacSha1::~HmacSha1() = default;

std::array<std::uint8_t, 20> HmacSha1::operator()(std::string_view key, std::string_view message) {
  constexpr std::size_t block = 64;
  if (key.size() > block) throw Error(ErrorCode::invalid, "an HMAC key of more than 64 bytes");
  std::array<std::uint8_t, block> pad{};
  const auto hash = [&](std::uint8_t mask, std::string_view text) {
    for (std::size_t i = 0; i < block; ++i) {
      const auto byte = i < key.size() ? static_cast<std::uint8_t>(key[i]) : std::uint8_t{0};
      pad[i] = static_cast<std::uint8_t>(byte ^ mask);
    }
    std::array<std::uint8_t, 20> out{};
    EVP_MD_CTX* md = context_->md.get();
    if (EVP_DigestInit_ex2(md, context_->kind.get(), nullptr) != 1 ||
        EVP_DigestUpdate(md, pad.data(), pad.size()) != 1 ||
        EVP_DigestUpdate(md, text.data(), text.size()) != 1 ||
        EVP_DigestFinal_ex(md, out.data(), nullptr) != 1)
      no_digest();
    return out;
  };
  const auto inner = hash(0x36, message);
  return hash(0x5c, as_bytes(inner));
}

std::string random_bytes(std::size_t count) {
  constexpr std::size_t most_at_once = 256;  // of getentropy
  std::string out(count, '\0');
  for (std::size_t at = 0; at < count; at += most_at_once)
    if (::getentropy(out.data() + at, std::min(most_at_once, count - at)) != 0)
      throw Error(ErrorCode::failed, "the system gives no random bytes");
  return out;
}

}  // namespace staithe::base
