#include "url.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/git/resolve.hpp"

#include <algorithm>
#include <array>

namespace staithe::git {
namespace {

[[noreturn]] void refuse(std::string_view url, const char* reason) {
  throw base::Error(base::ErrorCode::invalid,
                    "repository '" + base::printable(display_url(url)) + "': " + reason);
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
}

/// The parts of scheme://userinfo@rest.
struct Parts {
  std::string_view scheme;
  std::string_view user_info;
  std::string_view rest;
};

Parts take_apart(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {{}, {}, url};
  Parts parts{url.substr(0, scheme_end), {}, url.substr(scheme_end + 3)};
  const auto at = parts.rest.substr(0, parts.rest.find('/')).rfind('@');
  if (at != std::string_view::npos) {
    parts.user_info = parts.rest.substr(0, at);
    parts.rest.remove_prefix(at + 1);
  }
  return parts;
}

Remote parse_http(const Parts& parts, std::string_view url) {
  Remote remote;
  remote.url = base::lower(parts.scheme) + "://" + std::string(parts.rest);
  const auto colon = std::min(parts.user_info.find(':'), parts.user_info.size());
  remote.user = base::percent_decoded(parts.user_info.substr(0, colon));
  if (colon < parts.user_info.size())
    remote.password = base::percent_decoded(parts.user_info.substr(colon + 1));
  const std::string both = remote.user + remote.password;
  if (std::any_of(both.begin(), both.end(), is_control)) refuse(url, "control characters in the user info");
  return remote;
}

}  // namespace

Remote parse_url(std::string_view url) {
  if (url.empty()) refuse(url, "empty");
  if (url.front() == '-') refuse(url, "a URL cannot begin with '-'");
  if (std::any_of(url.begin(), url.end(), is_control)) refuse(url, "control characters");
  const Parts parts = take_apart(url);
  const std::string scheme = base::lower(parts.scheme);
  Remote remote;
  if (scheme.empty()) {
    const auto colon = url.find(':');
    const auto slash = url.find('/');
    if (slash == 0) {
      remote.path = url;
    } else if (colon == std::string_view::npos || slash < colon) {
      refuse(url, "neither a URL nor an absolute path");
    } else if (url.substr(colon).starts_with("::")) {
      refuse(url, "remote helpers are not run");
    }
    remote.url = url;
    return remote;
  }
  if (parts.rest.empty() || parts.rest.front() == '-') refuse(url, "no host");
  if (scheme == "http" || scheme == "https") return parse_http(parts, url);
  constexpr std::array<std::string_view, 3> plain{"ssh", "git", "file"};
  if (std::find(plain.begin(), plain.end(), scheme) == plain.end())
    refuse(url, "only https, http, ssh, git and file URLs");
  if (parts.user_info.find(':') != std::string_view::npos)
    refuse(url, "a password does not belong in this kind of URL");
  if (scheme == "file") remote.path = base::percent_decoded(parts.rest);
  remote.url = url;
  return remote;
}

std::string display_url(std::string_view url) {
  const Parts parts = take_apart(url);
  if (parts.user_info.empty()) return std::string(url);
  // The user of an ssh URL is no secret and helps to find a mistake.
  const std::string scheme = base::lower(parts.scheme);
  const bool show = scheme == "ssh" && parts.user_info.find(':') == std::string_view::npos;
  return std::string(parts.scheme) + "://" + (show ? std::string(parts.user_info) + "@" : "") +
         std::string(parts.rest);
}

}  // namespace staithe::git
