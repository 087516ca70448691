#include "staithe/ssh/host_key.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/digest.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::ssh {
namespace {

constexpr std::size_t max_blob_bytes = 16384;
constexpr std::size_t max_type_bytes = 64;

bool is_type_byte(char byte) {
  return base::is_alnum(byte) || byte == '-' || byte == '@' || byte == '.' || byte == '_';
}

/// The length of the wire string (RFC 4251 section 5) that begins at `start`, when it fits.
std::optional<std::size_t> string_length(std::string_view blob, std::size_t start) {
  if (blob.size() < start || blob.size() - start < 4) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8U | static_cast<unsigned char>(blob[start + i]);
  if (length > blob.size() - start - 4) return std::nullopt;
  return length;
}

}  // namespace

std::string fingerprint(const HostKey& key) {
  std::string text = base::base64(base::as_bytes(base::sha256(key.blob)));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

std::string_view type_label(std::string_view type) noexcept {
  struct Label {
    std::string_view type;
    std::string_view label;
  };
  static constexpr auto labels = std::to_array<Label>({
      {"ssh-ed25519", "ED25519"},
      {"ssh-rsa", "RSA"},
      {"ssh-dss", "DSA"},
      {"ecdsa-sha2-nistp256", "ECDSA"},
      {"ecdsa-sha2-nistp384", "ECDSA"},
      {"ecdsa-sha2-nistp521", "ECDSA"},
      {"sk-ssh-ed25519@openssh.com", "ED25519-SK"},
      {"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"},
  });
  const auto found =
      std::find_if(labels.begin(), labels.end(), [&](const Label& one) { return one.type == type; });
  return found == labels.end() ? type : found->label;
}

std::optional<std::string> type_in_blob(std::string_view blob) {
  if (blob.size() > max_blob_bytes) return std::nullopt;
  const auto length = string_length(blob, 0);
  if (!length || *length == 0 || *length > max_type_bytes) return std::nullopt;
  const std::string_view type = blob.substr(4, *length);
  if (!std::all_of(type.begin(), type.end(), is_type_byte)) return std::nullopt;
  // Every key goes on with at least one more string (the point, the exponent); a cut one is none.
  std::size_t at = 4 + *length;
  if (at == blob.size()) return std::nullopt;
  while (at < blob.size()) {
    const auto next = string_length(blob, at);
    if (!next) return std::nullopt;
    at += 4 + *next;
  }
  return std::string(type);
}

std::optional<HostKey> parse_key(std::string_view type, std::string_view base64) {
  if (base64.size() > max_blob_bytes * 2) return std::nullopt;
  auto blob = base::base64_decode(base64);
  if (!blob) return std::nullopt;
  auto inside = type_in_blob(*blob);
  if (!inside || *inside != type) return std::nullopt;
  return HostKey{std::move(*inside), std::move(*blob)};
}

std::vector<std::string> signature_algorithms(std::string_view type) {
  if (type == "ssh-rsa") return {"rsa-sha2-512", "rsa-sha2-256"};
  return {std::string(type)};
}

std::string known_hosts_name(std::string_view host, int port) {
  std::string name(host);
  std::transform(name.begin(), name.end(), name.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  });
  return port == 22 || port == 0 ? name : fmt::format("[{}]:{}", name, port);
}

std::string hashed_name(std::string_view name) {
  const std::string salt = base::random_bytes(20);
  base::HmacSha1 hmac;
  return fmt::format("|1|{}|{}", base::base64(salt), base::base64(base::as_bytes(hmac(salt, name))));
}

std::string known_hosts_line(const Pin& pin, Hashing hashing) {
  return fmt::format("{} {} {}\n", hashing == Hashing::hashed ? hashed_name(pin.name) : pin.name,
                     pin.key.type, base::base64(pin.key.blob));
}

}  // namespace staithe::ssh
