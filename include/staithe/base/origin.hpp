#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace staithe::base {

/// Whom a URL of HTTP speaks to, as it is written there.
struct HttpPlace {
  bool secure = false;
  std::string_view authority;  ///< of the URL: HOST or HOST:PORT, without a user
};
/// Nothing when it is no URL of HTTP that names a host, nor when there is a '\' before its path: readers of
/// URLs differ on whether the host ends there, and then it would be told who we are.
std::optional<HttpPlace> http_place(std::string_view url);

/// "SCHEME://AUTHORITY" of a URL, up to its path, query or fragment; "" of what has no scheme.
std::string_view up_to_path(std::string_view url);

/// What of SCHEME://USER:PASSWORD@HOST is a secret, as it is written there: see secret_half(). "" of a URL
/// without a user, of one of SSH, rsync, git or PostgreSQL without a password, and of what is no URL.
std::string_view secret_in_url(std::string_view url);
/// The same URL with "***" in its place.
std::string without_secret(std::string_view url);

/// The same scheme, host and port, where 80 and 443 are what http and https mean without one. What cannot be
/// read has no origin, and none is like it: in doubt false.
bool same_origin(std::string_view url, std::string_view other);

/// The same origin, and the same path but for '/' at its end; of what has no origin, the same text.
bool same_target(std::string_view url, std::string_view other);

}  // namespace staithe::base
