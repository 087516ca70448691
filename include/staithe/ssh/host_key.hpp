#pragma once
#include "staithe/base/cancel.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::ssh {

/// A server's public key. `type` is the name inside the blob ("ssh-ed25519", "ssh-rsa",
/// "ecdsa-sha2-nistp256"), never a signature algorithm; `blob` is the wire form (RFC 4253 section 6.6), not
/// base64.
struct HostKey {
  std::string type;
  std::string blob;

  bool operator==(const HostKey&) const = default;
};

/// "SHA256:" and 43 characters of unpadded base64, as `ssh-keygen -l` prints it.
std::string fingerprint(const HostKey& key);

/// What people call the type: "ED25519", "RSA", "ECDSA", "ED25519-SK"; an unknown type as it is.
std::string_view type_label(std::string_view type) noexcept;

/// The type that stands inside a wire blob; nullopt when the blob is no key (truncated, longer than 16 KiB,
/// a name with odd bytes).
std::optional<std::string> type_in_blob(std::string_view blob);

/// Reads base64 of a key as known_hosts and .pub files hold it. nullopt when it is no key, or when the type
/// inside differs from `type`.
std::optional<HostKey> parse_key(std::string_view type, std::string_view base64);

/// The algorithms a client may negotiate to be shown a key of this type, strongest first: "ssh-rsa" gives
/// rsa-sha2-512, rsa-sha2-256 (never SHA-1); every other type names itself.
std::vector<std::string> signature_algorithms(std::string_view type);

/// The name under which known_hosts files list a server: HOST in lower case for port 22, else "[HOST]:PORT".
std::string known_hosts_name(std::string_view host, int port);

/// The form "|1|salt|hash" of a name: HMAC-SHA1 with a fresh random salt, as HashKnownHosts writes it.
std::string hashed_name(std::string_view name);

/// One key to be pinned. `name` as known_hosts_name gives it (or a HostKeyAlias).
struct Pin {
  std::string name;
  HostKey key;
};

enum class Hashing { plain, hashed };

/// The line, with its newline, that holds a pin in a known_hosts file.
std::string known_hosts_line(const Pin& pin, Hashing hashing);

/// What pin() does with keys that the file already holds for a name.
enum class Existing {
  keep,     ///< add only what is missing (accept-new)
  replace,  ///< the pins given are the only keys of their names afterwards
};

struct PinResult {
  std::size_t added = 0;
  std::size_t removed = 0;  ///< names taken away from lines, or whole lines
};

/// Writes pins into a known_hosts file, atomically: under "FILE.lock", to a temporary name beside it, fsync,
/// rename. All other lines stay as they are, byte for byte. Lines with a marker (@revoked, @cert-authority),
/// patterns and negations are never touched. A file that does not exist is made with mode 0600, its directory
/// with 0700. A symbolic link is followed: its target is replaced. Blocks until the lock is free, no longer
/// than `scope`. Throws base::Error: timeout, cancelled, io, permission, invalid (a name with white space or
/// a comma), or host_key when a key to be pinned is revoked in this file.
PinResult pin(const std::string& file, const std::vector<Pin>& pins, Existing existing, Hashing hashing,
              const base::Scope& scope);

}  // namespace staithe::ssh
