#include "staithe/base/url_parts.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

namespace staithe::base {
namespace {

int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

bool escapes_at(std::string_view text, std::size_t i) {
  return text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
}

void escape(std::string& to, char c) {
  to += fmt::format("%{:02X}", static_cast<unsigned char>(c));
}

}  // namespace

std::string percent_encoded(std::string_view text, std::string_view allowed) {
  constexpr std::string_view unreserved = "-._~";
  std::string encoded;
  for (const char c : text) {
    const bool bare = base::is_alnum(c) || unreserved.find(c) != std::string_view::npos ||
                      allowed.find(c) != std::string_view::npos;
    if (bare)
      encoded += c;
    else
      escape(encoded, c);
  }
  return encoded;
}

std::string percent_decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = escapes_at(text, i);
    made += escaped ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    i += escaped ? 2 : 0;
  }
  return made;
}

std::string url_reference(std::string_view text) {
  constexpr std::string_view allowed = ":/?#[]@!$&'()*+,;=";
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i)
    made += escapes_at(text, i) ? "%" : percent_encoded(text.substr(i, 1), allowed);
  return made;
}

bool climbs(std::string_view path) {
  std::string read = percent_decoded(percent_decoded(path));
  for (auto& c : read)
    if (c == '\\' || c == ';' || c == '?' || c == '#') c = '/';
  for (const auto& segment : split(read, '/'))
    if (segment == "." || segment == "..") return true;
  return false;
}

void UrlCursor::pass(std::string_view text) {
  if (text.empty()) return;
  for (const char c : leave_start(text)) put(c);
}

void UrlCursor::pass_hidden() {
  if (part_ == Part::start) part_ = Part::path;
}

std::string_view UrlCursor::leave_start(std::string_view text) {
  if (part_ != Part::start) return text;
  const auto scheme = text.find("://");
  if (!text.starts_with('/') && scheme == std::string_view::npos) return text;  // "http", with more to come
  part_ = text.starts_with('/') ? Part::path : Part::host;
  if (part_ == Part::host) text.remove_prefix(scheme + 3);
  return text;
}

void UrlCursor::put(char c) {
  if (c == '?' || c == '#')
    part_ = Part::query;
  else if ((part_ == Part::host || part_ == Part::start) && c == '/')
    part_ = Part::path;
  has_host_ = has_host_ || part_ == Part::host;
  at_port_ = part_ == Part::host && c == ':';
  if (part_ == Part::path) last_ = c;
  if (part_ == Part::query) in_value_ = c == '=' || (in_value_ && c != '&' && c != '?' && c != '#');
}

std::string UrlWriter::written(std::string_view text) {
  if (!text.empty()) continues_value_ = false;
  return put(text);
}

std::string UrlWriter::value(std::string_view text, From from) {
  auto made = placed(text, from);
  if (!text.empty()) continues_value_ = cursor_.part() == UrlCursor::Part::path && cursor_.last() == '/';
  return made;
}

std::string UrlWriter::put(std::string_view text) {
  if (text.empty()) return {};
  const auto rest = cursor_.leave_start(text);
  std::string made(text.substr(0, text.size() - rest.size()));
  for (const char c : rest) {
    cursor_.put(c);
    const bool may_be_bare = (c > ' ' && c < '\x7f') || cursor_.part() == UrlCursor::Part::host;
    if (may_be_bare)
      made += c;
    else
      escape(made, c);
  }
  return made;
}

std::string UrlWriter::placed(std::string_view text, From from) {
  using Part = UrlCursor::Part;
  const bool goes_on = (text.starts_with('/') && cursor_.last() != '/') ||
                       (from == From::author && continues_value_ && cursor_.part() == Part::path);
  if (cursor_.part() == Part::path && !goes_on) {
    auto made = percent_encoded(text, std::string(in_url_segment) + (from == From::cell ? "" : "/"));
    cursor_.pass(made);
    return made;
  }
  if (cursor_.part() == Part::host && from == From::secret && !(goes_on && cursor_.has_host())) {
    auto made = percent_encoded(text, ":[]");
    cursor_.pass(made);
    return made;
  }
  if (cursor_.part() == Part::query && cursor_.in_value()) return percent_encoded(text, in_url_value);
  return put(text);
}

}  // namespace staithe::base
