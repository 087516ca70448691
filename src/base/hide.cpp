#include "staithe/base/hide.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/secret_names.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace staithe::base {
namespace {

constexpr std::string_view quotes = "\"'";

bool is_of_name(char c) {
  return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/// What stands in front of ':' or '=', also in quotes; "" for nothing.
std::string_view name_before(std::string_view text, std::size_t sign) {
  auto end = sign;
  if (end > 0 && quotes.find(text[end - 1]) != quotes.npos) --end;
  auto begin = end;
  while (begin > 0 && is_of_name(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

bool gives_secret(std::string_view name) {
  // "json.token: exists" says what must hold, and no token.
  if (name.find('.') != name.npos) return false;
  // "key: id_ed25519" is none, "X-Key: hunter22" is.
  const bool is_header = std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return name == "auth" || name == "proxy_auth" || names_secret(name) || names_cookie(name) ||
         (is_header && header_names_secret(name));
}

/// Where a secret is to be had, or what of a reply is one.
bool only_names_it(std::string_view value) {
  static constexpr std::string_view begins[] = {"env ",    "file ",   "command ", "json.",
                                                "header.", "cookie.", "xml "};
  return std::any_of(std::begin(begins), std::end(begins),
                     [&](std::string_view begin) { return value.starts_with(begin); });
}

/// Of "Bearer TOKEN" the token, of "basic USER:PASSWORD" the password.
std::string_view secret_part(std::string_view value) {
  const auto blank = value.find(' ');
  if (blank == value.npos || !is_scheme(value.substr(0, blank))) return value;
  const bool is_basic = equal_ignoring_case(value.substr(0, blank), "basic");
  value.remove_prefix(blank + 1);
  const auto colon = value.find(':');
  if (is_basic && colon != value.npos) value.remove_prefix(colon + 1);
  return value;
}

/// Behind ':' or '=': what stands there, up to its quote or to what ends it without one.
std::string_view value_behind(std::string_view text, std::size_t sign) {
  const auto begin = text.find_first_not_of(" \t", sign + 1);
  if (begin == text.npos ||
      (text[sign] == ':' && begin == sign + 1 && quotes.find(text[begin]) == quotes.npos))
    return {};
  if (quotes.find(text[begin]) != quotes.npos)
    return text.substr(begin + 1, text.find(text[begin], begin + 1) - begin - 1);
  const std::string_view ends = text[sign] == '=' ? " \t\"'&;,}])" : ",}]\"'\n";
  auto value = text.substr(begin, text.find_first_of(ends, begin) - begin);
  if (const auto comment = value.find(" #"); comment != value.npos) value = value.substr(0, comment);
  while (value.ends_with(' ') || value.ends_with('\r')) value.remove_suffix(1);
  return value;
}

/// A star in place of each code point; what is filled in later, $(NAME), stays.
void star(std::string& text, std::size_t begin, std::size_t end) {
  std::string stars;
  for (auto at = begin; at < end; ++at) {
    if (text.compare(at, 2, "$(") == 0) {
      const auto last = std::min(text.find(')', at), end - 1);
      stars.append(text, at, last + 1 - at);
      at = last;
    } else if ((byte_of(text[at]) & 0xC0U) != 0x80U) {  // not within a code point of UTF-8
      stars += '*';
    }
  }
  text.replace(begin, end - begin, stars);
}

/// In front of "//", with a ':' or, as people slip, without one.
std::string_view scheme_before(std::string_view text, std::size_t slashes) {
  const auto end = slashes > 0 && text[slashes - 1] == ':' ? slashes - 1 : slashes;
  auto begin = end;
  while (begin > 0 && (is_alnum(text[begin - 1]) ||
                       std::string_view("+-.").find(text[begin - 1]) != std::string_view::npos))
    --begin;
  return text.substr(begin, end - begin);
}

}  // namespace

std::string hide_secrets_in_urls(std::string text) {
  for (auto at = text.find("//"); at != text.npos; at = text.find("//", at + 2)) {
    const auto scheme = std::string(scheme_before(text, at));
    if (scheme.empty()) continue;  // a comment, a path
    const auto authority = at + 2;
    const auto end = std::min(text.find_first_of(" \t\n\"'/?#", authority), text.size());
    const auto url = scheme + "://" + text.substr(authority, end - authority);
    const auto secret = secret_in_url(url);
    if (secret.empty()) continue;
    const auto begin = authority + static_cast<std::size_t>(secret.data() - url.data()) - scheme.size() - 3;
    star(text, begin, begin + secret.size());
  }
  return text;
}

std::string hide_written_secrets(std::string text) {
  text = hide_secrets_in_urls(std::move(text));
  for (auto sign = text.find_first_of(":="); sign != text.npos; sign = text.find_first_of(":=", sign + 1)) {
    if (!gives_secret(name_before(text, sign))) continue;
    const auto value = value_behind(text, sign);
    const auto secret = secret_part(value);
    if (only_names_it(value) || only_names_it(secret) || is_harmless(secret) || value.starts_with('{') ||
        value.starts_with('['))
      continue;
    const auto begin = static_cast<std::size_t>(secret.data() - text.data());
    star(text, begin, begin + secret.size());
  }
  return text;
}

}  // namespace staithe::base
