#include "named_secrets.hpp"

#include "markup_secrets.hpp"
#include "secret_names.hpp"

#include "staithe/base/url_parts.hpp"
#include "staithe/checks/texts.hpp"

#include <algorithm>
#include <cctype>

namespace staithe::verify {
namespace {

constexpr std::size_t most_read = 256 * 1024;
constexpr std::size_t longest_name = 64, longest_gap = 16;
constexpr unsigned deepest_text = 4;
constexpr std::size_t digits_of_password = 6;

bool is_quote(char c) {
  return c == '"' || c == '\'';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

/// How the text goes on from a quote, in whose text itself the quotes are escaped as often as that: `\\\"`.
struct Quoted {
  std::string_view inside;
  std::size_t end;  ///< behind the closing quote; where there is none, the end of the line
};
Quoted quoted_at(std::string_view text, std::size_t backslashes_from, std::size_t quote) {
  const auto depth = quote - backslashes_from;
  const auto begin = quote + 1;
  std::size_t run = 0;  // of backslashes
  for (auto at = begin; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++run;
      continue;
    }
    const bool ends = text[at] == text[quote] && (depth == 0 ? run % 2 == 0 : run <= depth);
    if (ends) return {text.substr(begin, at - (depth == 0 ? 0 : run) - begin), at + 1};
    run = 0;
  }
  const auto end = std::min(text.find_first_of("\r\n", begin), text.size());
  return {text.substr(begin, end - begin), end};
}

class Assignments {
 public:
  Assignments(std::string_view text, std::vector<std::string>& secrets) : text_(text), secrets_(secrets) {}

  void find() {
    for (std::size_t at = 0; (at = text_.find_first_of("=:", at)) != std::string_view::npos;)
      at = std::max(at + 1, is_secret(at) ? value(at) : at + 1);
  }

 private:
  /// Whether a name that says so stands in front of that sign, in quotes for JSON: "user[password]" in a
  /// form, `\"password\"` in a text in a text.
  bool is_secret(std::size_t sign) {
    auto end = sign;
    const auto first = sign - std::min(sign, longest_gap);
    while (end > first && is_blank(text_[end - 1])) --end;
    name_is_quoted_ = end > first && is_quote(text_[end - 1]);
    while (end > first && !is_word(text_[end - 1])) {
      // Another name's value, or none at all.
      if (std::string_view("&;,{}()<>=:").find(text_[end - 1]) != std::string_view::npos) return false;
      --end;
    }
    auto begin = end;
    while (begin > 0 && end - begin < longest_name && (is_word(text_[begin - 1]) || text_[begin - 1] == '%'))
      --begin;
    return names_secret(base::percent_decoded(text_.substr(begin, end - begin)));  // user%5Bpassword%5D
  }

  /// Takes what stands behind that sign; where to go on.
  std::size_t value(std::size_t sign) {
    const bool assigns = text_[sign] == '=';
    auto at = sign + 1;
    if (assigns && at < text_.size() && text_[at] == '>') ++at;  // "password" => "..."
    const auto last = std::min(text_.size(), at + longest_gap);
    // What begins on the next line is not assigned here.
    while (at < last && is_blank(text_[at]) && !(assigns && text_[at] == '\n')) ++at;
    const auto backslashes = at;
    while (at < last && text_[at] == '\\') ++at;
    if (at == text_.size()) return at;
    if (is_quote(text_[at])) return quoted(backslashes, at);
    if (assigns) return bare(backslashes);
    if (!name_is_quoted_) return at;
    return text_[at] == '[' || text_[at] == '{' ? all_in(at) : number(at);
  }

  std::size_t quoted(std::size_t backslashes, std::size_t quote) {
    const auto found = quoted_at(text_, backslashes, quote);
    take_decoded(found.inside);
    return found.end;
  }

  std::size_t bare(std::size_t begin) {
    const auto end = std::min(text_.find_first_of("&#; \t\r\n\"'<>,", begin), text_.size());
    const auto value = text_.substr(begin, end - begin);
    take(value);
    auto decoded = base::percent_decoded(value);
    if (decoded != value) take(decoded);
    if (value.find('+') == std::string_view::npos) return end;
    auto blanks = std::string(value);
    std::replace(blanks.begin(), blanks.end(), '+', ' ');
    take(base::percent_decoded(blanks));
    return end;
  }

  /// Each text in a list or an object, but for the names in it.
  std::size_t all_in(std::size_t at) {
    std::size_t depth = 0;
    for (; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '[' || c == '{') ++depth;
      if ((c == ']' || c == '}') && --depth == 0) return at + 1;
      if (!is_quote(c)) continue;
      auto backslashes = at;
      while (backslashes > 0 && text_[backslashes - 1] == '\\') --backslashes;
      const auto found = quoted_at(text_, backslashes, at);
      const auto next = std::min(text_.find_first_not_of(" \t\r\n", found.end), text_.size());
      if (next == text_.size() || text_[next] != ':') take_decoded(found.inside);
      at = found.end - 1;
    }
    return at;
  }

  /// A one-time password has six digits; less is how many there are of something.
  std::size_t number(std::size_t begin) {
    const auto end = std::min(text_.find_first_not_of("0123456789", begin), text_.size());
    if (end - begin >= digits_of_password) take(text_.substr(begin, end - begin));
    return std::max(end, begin);
  }

  void take(std::string_view value) {
    if (!value.empty() && !is_plain_word(value)) secrets_.emplace_back(value);
  }

  /// As it is, and as JSON means it, in a text in a text more than once.
  void take_decoded(std::string_view written) {
    take(written);
    std::string text(written);
    for (unsigned depth = 0; depth < deepest_text && text.find('\\') != std::string_view::npos; ++depth) {
      const auto meant = checks::texts_in(checks::Value::of("\"" + text + "\""));
      if (meant.empty()) return;
      for (const auto& one : meant) take(one);
      text = meant.front();
    }
  }

  const std::string_view text_;
  std::vector<std::string>& secrets_;
  bool name_is_quoted_ = false;
};

}  // namespace

std::vector<std::string> secrets_named_in(std::string_view text) {
  text = text.substr(0, most_read);
  std::vector<std::string> secrets;
  Assignments(text, secrets).find();
  add_secrets_of_markup(text, secrets);
  return secrets;
}

}  // namespace staithe::verify
