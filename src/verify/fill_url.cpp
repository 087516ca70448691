#include "fill_url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <cctype>

namespace staithe::verify {
namespace {

/// Where in a URL the next character stands.
enum class At { start, host, path, query };

/// RFC 3986 lets these stand in a segment. Without ';': some servers cut a segment there before they look for
/// "..".
constexpr std::string_view in_segment = "-._~!$&'()*+,=:@";
constexpr std::string_view in_query = "-._~:/,@";
/// Of a URL or a path that the system has given.
constexpr std::string_view in_reference = "-._~:/?#[]@!$&'()*+,;=%";

std::string percent(std::string_view text, std::string_view allowed) {
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || allowed.find(c) != std::string_view::npos)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

std::string decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    made += escape ? static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    i += escape ? 2 : 0;
  }
  return made;
}

/// "a/../b", and what a server may take for it.
bool climbs(std::string_view text) {
  std::string path = decoded(decoded(text));
  for (auto& c : path)
    if (c == '\\' || c == ';' || c == '?' || c == '#') c = '/';
  for (const auto& segment : base::split(path, '/'))
    if (segment == "." || segment == "..") return true;
  return false;
}

class Filling {
 public:
  Filling(const plan::Text& url, const Captures& captures) : url_(url), captures_(captures) {}

  plan::Text fill() {
    for (const auto& piece : url_.pieces()) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        made_.append(std::string_view(*literal));
        pass(*literal);
      } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
        made_.append(*secret);
        pass("");
      } else {
        hole(std::get<plan::CaptureRef>(piece).name);
      }
    }
    check_last_segment();
    return std::move(made_);
  }

 private:
  /// What the author has written: it says where the next hole stands.
  void pass(std::string_view text) {
    if (at_ == At::start) {
      const auto scheme = text.find("://");
      at_ = text.starts_with('/') || scheme == std::string_view::npos ? At::path : At::host;
      if (at_ == At::host) text.remove_prefix(scheme + 3);
    }
    for (const char c : text) {
      if (c == '?' || c == '#') {
        if (at_ != At::query) check_last_segment();
        at_ = At::query;
      } else if (at_ == At::host && c == '/') {
        at_ = At::path;
      }
      has_host_ = has_host_ || at_ == At::host;
      put(c, false);
    }
  }

  void put(char c, bool filled) {
    if (at_ != At::path) return;
    last_ = c;
    if (c == '/') {
      check_last_segment();
      return;
    }
    segment_ += c;
    filled_ = filled_ || filled;
  }

  void hole(const std::string& name) {
    const auto found = captures_.find(name);
    if (found == captures_.end())
      throw base::Error(base::ErrorCode::not_found, fmt::format("nothing was saved as '{}'", name));
    const auto& value = found->second;
    name_ = name;
    if (const auto what = value.no_word(); !what.empty()) refuse("is " + what);
    if (at_ != At::query && climbs(value.text)) refuse(fmt::format("is \"{}\"", base::printable(value.text)));
    switch (at_) {
      case At::start:
        return reference(value.text);
      case At::host:
        // "http://10.0.0.1:5000$(card)", where a path was saved; or part of the host's name.
        return value.text.starts_with('/') && has_host_ ? reference(value.text) : host(value.text);
      case At::path:
        return segment(value.text);
      case At::query:
        made_.append(std::string_view(percent(value.text, in_query)));
        return;
    }
  }

  void reference(const std::string& value) {
    const bool whole = value.starts_with("http://") || value.starts_with("https://");
    if (!whole && !value.starts_with('/'))
      refuse(fmt::format("is \"{}\", which is no URL and no path", base::printable(value)));
    const auto text = percent(value, in_reference);
    made_.append(std::string_view(text));
    if (whole) {
      at_ = At::start;
      pass(text);
    } else {
      at_ = At::path;
      pass(text);
    }
  }

  void host(const std::string& value) {
    const auto text = percent(value, "-._:[]");
    if (text != value)
      refuse(fmt::format("is \"{}\", which is no part of a host's name", base::printable(value)));
    made_.append(std::string_view(text));
    has_host_ = true;
  }

  /// A path that goes on below what was written ("/v1$(card)"), or one piece.
  void segment(const std::string& value) {
    const bool goes_on = value.starts_with('/') && last_ != '/';
    const auto text = percent(value, goes_on ? std::string(in_segment) + "/" : std::string(in_segment));
    made_.append(std::string_view(text));
    for (const char c : text) put(c, true);
  }

  /// A dot that was put beside a dot.
  void check_last_segment() {
    if (filled_ && climbs(segment_)) refuse(fmt::format("makes \"{}\" of it", base::printable(segment_)));
    segment_.clear();
    filled_ = false;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw base::Error(
        base::ErrorCode::invalid,
        fmt::format("nothing was asked: '{}' cannot stand in {}: it {}", name_, url_.shown(), why));
  }

  const plan::Text& url_;
  const Captures& captures_;
  plan::Text made_;
  At at_ = At::start;
  bool has_host_ = false;
  std::string name_;     ///< of the last hole
  std::string segment_;  ///< as far as it is made
  bool filled_ = false;  ///< there is something of a hole in it
  char last_ = '\0';     ///< of the path
};

}  // namespace

plan::Text url_filled(const plan::Text& url, const Captures& captures) {
  return url.is_literal() ? url : Filling(url, captures).fill();
}

}  // namespace staithe::verify
