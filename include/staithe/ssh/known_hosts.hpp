#pragma once
#include "staithe/ssh/host_key.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::ssh {

enum class HostKeyState {
  ok,
  unknown,          ///< no entry for this host
  changed,          ///< entries for this host exist, none with this key
  revoked,          ///< the key stands on a @revoked line for this host
  needs_authority,  ///< the only entries for this host are @cert-authority, which staithe does not verify
};

/// The answer to "is this the key we know?". `detail` is a sentence for people and empty when ok.
struct Verdict {
  HostKeyState state = HostKeyState::unknown;
  std::string file;      ///< the file of the entry that decided; empty when unknown
  std::size_t line = 0;  ///< its line, from 1
  std::string detail;

  bool ok() const noexcept { return state == HostKeyState::ok; }
};

/// A line that could not be understood; it is skipped, as OpenSSH does.
struct BadLine {
  std::string file;
  std::size_t line = 0;
  std::string reason;
};

/// Several known_hosts files, read once. Everything const is safe to use from many threads. The first lookup
/// of a name costs an HMAC for every hashed line (about half a microsecond each); the answer is remembered.
class KnownHosts {
 public:
  KnownHosts();
  KnownHosts(KnownHosts&&) noexcept;
  KnownHosts& operator=(KnownHosts&&) noexcept;
  ~KnownHosts();

  /// Reads the files in order. A file that is missing is empty; one that is not readable, or larger than
  /// 64 MiB, throws base::Error{permission, io or invalid}.
  static KnownHosts load(const std::vector<std::string>& files);

  /// Adds text as if it stood in `file`. Not while another thread looks something up.
  void add_text(std::string_view text, const std::string& file);

  /// Compares a key as OpenSSH does: the alias, when not empty, is looked up as it stands (no port added);
  /// otherwise "[host]:port", and, when that is not known, the bare host. The bare host can only confirm a
  /// key on another port than 22 (or say that it is revoked): a difference there is "unknown", not "changed".
  Verdict check(std::string_view host, int port, std::string_view alias, const HostKey& key) const;

  /// Key types on record for the host, in the order met, without repetition: what to ask the server for
  /// first. Revoked keys and authorities do not count.
  std::vector<std::string> known_key_types(std::string_view host, int port,
                                           std::string_view alias = {}) const;

  const std::vector<BadLine>& bad_lines() const noexcept;
  /// Usable lines.
  std::size_t size() const noexcept;

 private:
  struct Data;
  std::unique_ptr<Data> data_;
};

}  // namespace staithe::ssh
