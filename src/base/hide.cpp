#include "staithe/base/hide.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/secret_names.hpp"

#include <algorithm>
#include <optional>
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
                                                "header.", "cookie.", "xml ",     "header "};
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

bool is_quote(char c) {
  return quotes.find(c) != quotes.npos;
}

/// The quote that opened before the name and is still open behind it: "X-Api-Key: hunter22"; '\0' for none.
char open_around(std::string_view text, std::string_view name, std::size_t sign) {
  const auto begin = static_cast<std::size_t>(name.data() - text.data());
  return begin > 0 && is_quote(text[begin - 1]) && !is_quote(text[sign - 1]) ? text[begin - 1] : '\0';
}

/// Where the quoted text ends that begins at `begin`, behind `quote`.
std::size_t end_of_quoted(std::string_view text, std::size_t begin, char quote) {
  for (auto at = begin; at < text.size(); ++at) {
    const bool doubled = quote == '\'' && at + 1 < text.size() && text[at + 1] == quote;  // '' in '...'
    if (text[at] == quote && !doubled) return at;
    if (text[at] == quote || (quote == '"' && text[at] == '\\')) ++at;
  }
  return text.size();
}

/// At a character of `ends`, or at a comment. Looks no further: lines may be long, and have many names.
std::size_t end_of_plain(std::string_view text, std::size_t begin, std::string_view ends) {
  auto at = begin;
  while (at < text.size() && ends.find(text[at]) == ends.npos && text.compare(at, 2, " #") != 0) ++at;
  return at;
}

/// What stands behind a sign: where, and what ends it.
struct Behind {
  std::size_t begin;
  char quote = '\0';        ///< it stands in quotes
  std::string_view ends{};  ///< else
};

/// Nothing where a ':' is none of YAML's, nor one of a header.
std::optional<Behind> behind(std::string_view text, std::string_view name, std::size_t sign, bool in_flow) {
  const auto begin = text.find_first_not_of(" \t", sign + 1);
  if (begin == text.npos) return std::nullopt;
  if (is_quote(text[begin])) return Behind{begin + 1, text[begin]};
  const auto around = open_around(text, name, sign);
  constexpr std::string_view of_words = " \t\"'&;,}])";
  if (text[sign] == '=') return Behind{begin, '\0', of_words};
  if (begin == sign + 1) {
    const bool is_header = name.find('-') != name.npos && header_names_secret(name);
    if (!is_header && !is_quote(text[sign - 1])) return std::nullopt;
    return Behind{begin, '\0', of_words};
  }
  if (around != '\0') return Behind{begin, '\0', around == '"' ? "\"\n" : "'\n"};
  return Behind{begin, '\0', in_flow ? ",}]\"'\n" : "\n"};
}

std::string_view value_at(std::string_view text, const Behind& where) {
  const auto end = where.quote != '\0' ? end_of_quoted(text, where.begin, where.quote)
                                       : end_of_plain(text, where.begin, where.ends);
  auto value = text.substr(where.begin, end - where.begin);
  while (where.quote == '\0' && (value.ends_with(' ') || value.ends_with('\r'))) value.remove_suffix(1);
  return value;
}

/// Seen by its beginning: where it ends may be far off.
bool is_none_by_beginning(std::string_view text) {
  constexpr std::size_t enough = 64;
  const auto front = text.substr(0, enough);
  return front.starts_with('{') || front.starts_with('[') || only_names_it(front) ||
         only_names_it(secret_part(front));
}

/// A star in place of each code point; what is filled in later, $(NAME), stays.
void star(std::string& text, std::size_t begin, std::size_t end) {
  std::string stars;
  for (auto at = begin; at < end; ++at) {
    if (text.compare(at, 2, "$(") == 0) {
      const auto last = std::min(std::string_view(text).substr(0, end).find(')', at), end - 1);
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
  bool in_flow = false;
  for (std::size_t seen = 0, sign; (sign = text.find_first_of(":=", seen)) != text.npos;) {
    in_flow = in_flow || std::string_view(text).substr(seen, sign - seen).find_first_of("{[") != text.npos;
    seen = sign + 1;
    const auto name = name_before(text, sign);
    if (!gives_secret(name)) continue;
    const auto where = behind(text, name, sign, in_flow);
    if (!where || is_none_by_beginning(std::string_view(text).substr(where->begin))) continue;
    const auto secret = secret_part(value_at(text, *where));
    if (is_harmless(secret)) continue;
    const auto begin = static_cast<std::size_t>(secret.data() - text.data());
    const auto behind_it = text.size() - begin - secret.size();
    star(text, begin, begin + secret.size());
    seen = text.size() - behind_it;
  }
  return text;
}

}  // namespace staithe::base
