#include "fill_url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
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
constexpr std::string_view in_reference = "-._~:/?#[]@!$&'()*+,;=";

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

bool escapes_at(std::string_view text, std::size_t i) {
  return text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
}

/// What is escaped in it already stays so.
std::string reference_of(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i)
    made += escapes_at(text, i) ? "%" : percent(text.substr(i, 1), in_reference);
  return made;
}

std::string decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = escapes_at(text, i);
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
  Filling(const plan::Text& url, const std::string& target, const Captures& captures)
      : url_(url), target_(target), captures_(captures) {}

  plan::Text fill() {
    for (const auto& piece : url_.pieces()) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        follows(*literal);
        made_.append(std::string_view(*literal));
        pass(*literal);
      } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
        follows("a secret");
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
      at_port_ = at_ == At::host && c == ':';
      put(c, false);
    }
  }

  /// A path of the author's behind a query that came with a value would be part of that query.
  void follows(std::string_view text) {
    if (!brought_query_) return;
    if (!text.starts_with('&') && !text.starts_with('#'))
      refuse(fmt::format(
          "has a query or a fragment of its own, and {} would be part of that",
          text.starts_with('/') || text.starts_with('?') ? base::printable(text) : "what comes behind it"));
    brought_query_ = false;
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
    follows("a value");
    name_ = name;
    if (const auto what = value.no_word(); !what.empty()) refuse("is " + what);
    if (at_ != At::query && climbs(value.text)) refuse(fmt::format("is \"{}\"", base::printable(value.text)));
    switch (at_) {
      case At::start:
        return reference(value.text);
      case At::host:
        // "http://10.0.0.1:5000$(card)", where a path was saved.
        return value.text.starts_with('/') && has_host_ && !at_port_ ? reference(value.text)
                                                                     : host(value.text);
      case At::path:
        // A path that goes on below what was written, "/v1$(card)", or one piece.
        return value.text.starts_with('/') && last_ != '/' ? reference(value.text) : segment(value.text);
      case At::query:
        made_.append(std::string_view(percent(value.text, in_query)));
        return;
    }
  }

  void reference(const std::string& value) {
    const bool whole = value.starts_with("http://") || value.starts_with("https://");
    if (!whole && !value.starts_with('/'))
      refuse(fmt::format("is \"{}\", which is no URL and no path", base::printable(value)));
    const auto text = reference_of(value);
    if (whole && at_ == At::start && !target_.empty() && !base::same_origin(text, target_))
      refuse(fmt::format("names another host than {}: {}", base::printable(target_), origin_shown(text)));
    made_.append(std::string_view(text));
    if (at_ == At::start || at_ == At::host) at_ = whole ? At::start : At::path;
    filled_ = at_ == At::path;
    pass(text);
    filled_ = filled_ || at_ == At::path;
    brought_query_ = at_ == At::query;
  }

  static std::string origin_shown(std::string_view url) {
    const auto place = base::http_place(url);
    if (!place) return "none that can be read";
    return (place->secure ? "https://" : "http://") + base::printable(place->authority);
  }

  /// Whom is asked is for the author to say.
  void host(const std::string& value) {
    const bool is_port = at_port_ && value.size() <= 5 &&
                         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_port && name_ != "run.id")
      refuse(fmt::format("is \"{}\", and what was saved may say no part of a host's name",
                         base::printable(value)));
    made_.append(std::string_view(value));
    has_host_ = true;
    at_port_ = false;
  }

  void segment(const std::string& value) {
    const auto text = percent(value, in_segment);
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
  const std::string& target_;
  const Captures& captures_;
  plan::Text made_;
  At at_ = At::start;
  bool has_host_ = false;
  bool at_port_ = false;        ///< right behind "host:"
  bool brought_query_ = false;  ///< the last hole's value ends in a query
  std::string name_;            ///< of the last hole
  std::string segment_;         ///< as far as it is made
  bool filled_ = false;         ///< there is something of a hole in it
  char last_ = '\0';            ///< of the path
};

}  // namespace

plan::Text url_filled(const plan::Text& url, const std::string& target, const Captures& captures) {
  return url.is_literal() ? url : Filling(url, target, captures).fill();
}

}  // namespace staithe::verify
