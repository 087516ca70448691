#pragma once
#include "staithe/ssh/ssh_config.hpp"

#include <string>
#include <string_view>

/// %-tokens, ${ENV} and "~" in values of ssh_config.
namespace staithe::ssh::config {

/// What the tokens stand for at one moment of the reading.
struct Tokens {
  const Sources* sources = nullptr;
  std::string original;   ///< %n
  std::string hostname;   ///< %h
  std::string port;       ///< %p
  std::string user;       ///< %r
  std::string key_alias;  ///< %k

  /// The text of one token, e.g. 'h'. Throws base::Error{invalid} for one that does not exist.
  std::string value(char token) const;
};

/// The tokens that OpenSSH knows in most places, in Match exec, and in ProxyCommand.
inline constexpr std::string_view all_tokens = "CLdhiklnpru";
inline constexpr std::string_view proxy_tokens = "hknpr";

enum class Environment { ignored, expanded };

/// Replaces %-tokens out of `allowed` (and %%), and ${NAME} when asked. What a token gives is not looked at
/// again. Throws base::Error{invalid} for other tokens and for variables that are not set.
std::string expand(std::string_view text, const Tokens& tokens, std::string_view allowed,
                   Environment environment);

/// "~", "~/x" and "~user/x". Throws base::Error{invalid} for a user that does not exist.
std::string expand_tilde(std::string_view path, const Sources& sources);

/// The value of $NAME or nullptr.
const std::string* variable(const Sources& sources, const std::string& name);

}  // namespace staithe::ssh::config
