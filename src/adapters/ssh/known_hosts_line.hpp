#pragma once
#include "staithe/ssh/host_key.hpp"

#include <string>
#include <string_view>

/// One line of a known_hosts file, as sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT" has it.
namespace staithe::ssh {

enum class Marker { none, revoked, authority };

struct KnownHostsLine {
  bool blank = false;  ///< nothing, or a comment
  std::string error;   ///< why it cannot be used; empty when it can
  Marker marker = Marker::none;
  std::string_view names;  ///< the first field, a view into the line
  bool hashed = false;
  std::string salt;  ///< raw, 20 bytes (hashed)
  std::string hash;  ///< raw, 20 bytes (hashed)
  HostKey key;
};

/// Never throws for what the line holds.
KnownHostsLine parse_known_hosts_line(std::string_view line);

/// Whether a comma-separated field of plain patterns covers a name in lower case; a negated pattern that
/// matches wins.
bool names_match(std::string_view names, std::string_view name);

}  // namespace staithe::ssh
