#pragma once
#include "staithe/ssh/host_key.hpp"

#include <set>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// The file of RevokedHostKeys: public keys, one a line, or a key revocation list (KRL) as ssh-keygen -k
/// makes it. As with ssh(1), a file that cannot be read or understood revokes every key.
class RevokedKeys {
 public:
  /// Never throws for what the file is or holds.
  static RevokedKeys load(const std::string& file);
  /// The same for bytes that are at hand; `file` is for messages.
  static RevokedKeys of(std::string_view bytes, const std::string& file);

  /// A sentence that says why the key is refused; empty when it is not.
  std::string refusal(const HostKey& key) const;

 private:
  void read_lines(std::string_view text);
  void read_list(std::string_view bytes);
  void read_section(char type, std::string_view body);

  std::string file_;
  std::string problem_;  ///< why every key is refused
  std::set<std::string> blobs_, sha1_, sha256_;
};

}  // namespace staithe::ssh
