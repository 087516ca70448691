#include "staithe/base/origin.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/redact.hpp"

#include <algorithm>
#include <iterator>

namespace staithe::base {
namespace {

/// Behind these a user without a password is who logs in, and not a key as of an API.
bool user_is_name(std::string_view url) {
  static constexpr std::string_view schemes[] = {"ssh", "sftp", "rsync", "git", "postgres", "postgresql"};
  // "repository=git+ssh://git@host"
  auto scheme = url.substr(0, url.find("://"));
  const auto begin = std::find_if(scheme.rbegin(), scheme.rend(), [](char c) { return !is_alnum(c); });
  scheme.remove_prefix(static_cast<std::size_t>(scheme.rend() - begin));
  return std::any_of(std::begin(schemes), std::end(schemes),
                     [&](std::string_view one) { return equal_ignoring_case(scheme, one); });
}

struct HostAndPort {
  std::string_view host, port;
};

HostAndPort host_and_port(const HttpPlace& place) {
  const auto usual = place.secure ? std::string_view("443") : std::string_view("80");
  const auto colon = place.authority.rfind(':');
  const auto bracket = place.authority.rfind(']');  // of "[::1]"
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && bracket > colon))
    return {place.authority, usual};
  auto port = place.authority.substr(colon + 1);
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  return {place.authority.substr(0, colon), port.empty() ? usual : port};
}

}  // namespace

std::string_view up_to_path(std::string_view url) {
  const auto scheme_end = url.find("://");
  return scheme_end == std::string_view::npos ? std::string_view()
                                              : url.substr(0, url.find_first_of("/?#", scheme_end + 3));
}

std::optional<HttpPlace> http_place(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  const auto scheme = url.substr(0, scheme_end);
  const bool secure = equal_ignoring_case(scheme, "https");
  if (!secure && !equal_ignoring_case(scheme, "http")) return std::nullopt;
  auto authority = up_to_path(url).substr(scheme_end + 3);
  // "http://one\@two": a browser asks one, libcurl two.
  if (authority.find('\\') != std::string_view::npos) return std::nullopt;
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  if (authority.empty() || authority.front() == ':') return std::nullopt;
  return HttpPlace{secure, authority};
}

std::string_view secret_in_url(std::string_view url) {
  const auto whom = up_to_path(url);
  if (whom.empty()) return {};
  const auto authority = whom.substr(whom.find("://") + 3);
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return {};
  const auto user = authority.substr(0, at);
  return user.find(':') == std::string_view::npos && user_is_name(url) ? std::string_view()
                                                                       : secret_half(user);
}

std::string without_secret(std::string_view url) {
  const auto secret = secret_in_url(url);
  if (secret.empty()) return std::string(url);
  const auto at = static_cast<std::size_t>(secret.data() - url.data());
  return std::string(url.substr(0, at)).append("***").append(url.substr(at + secret.size()));
}

bool same_origin(std::string_view url, std::string_view other) {
  const auto a = http_place(url), b = http_place(other);
  if (!a || !b || a->secure != b->secure) return false;
  const auto one = host_and_port(*a), two = host_and_port(*b);
  return equal_ignoring_case(one.host, two.host) && one.port == two.port;
}

bool same_target(std::string_view url, std::string_view other) {
  const auto path_of = [](std::string_view text) {
    text.remove_prefix(up_to_path(text).size());
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
  };
  return url == other || (same_origin(url, other) && path_of(url) == path_of(other));
}

}  // namespace staithe::base
