#include "staithe/checks/named_secrets.hpp"

#include "markup_secrets.hpp"

#include "staithe/base/secret_names.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/checks/texts.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>

namespace staithe::checks {
namespace {

constexpr std::size_t most_read = 256 * 1024;
constexpr std::size_t longest_name = 64, longest_gap = 16, longest_word = 4096, most_names_in_word = 16;
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
      at = std::max(at + 1, assigned_at(at));
  }

 private:
  /// Takes what is a secret of what stands around that sign; where to go on.
  std::size_t assigned_at(std::size_t sign) {
    if (const auto authority = behind_scheme(sign)) return password_of(*authority);
    const auto name = name_before(sign);
    into_ = &secrets_;
    if (base::names_secret(name)) return value(sign);
    const bool assigns_text = text_[sign] == '=' && !text_.substr(sign).starts_with("=>");
    if (!assigns_text && (base::gives_name(name) || base::gives_value(name))) pair(name, sign);
    return sign;
  }

  /// The name in front of that sign, in quotes for JSON: "user[password]" in a form, `\"password\"` in a text
  /// in a text. "" for none.
  std::string name_before(std::size_t sign) {
    auto end = sign;
    const auto first = sign - std::min(sign, longest_gap);
    while (end > first && is_blank(text_[end - 1])) --end;
    name_is_quoted_ = end > first && is_quote(text_[end - 1]);
    while (end > first && !is_word(text_[end - 1])) {
      // Another name's value, or none at all.
      if (std::string_view("&;,{}()<>=:").find(text_[end - 1]) != std::string_view::npos) return {};
      --end;
    }
    name_at_ = end;
    while (name_at_ > 0 && end - name_at_ < longest_name &&
           (is_word(text_[name_at_ - 1]) || text_[name_at_ - 1] == '%'))
      --name_at_;
    return base::percent_decoded(text_.substr(name_at_, end - name_at_));  // user%5Bpassword%5D
  }

  /// Two that say together what one says alone, in any order: `"name": "password", "value": "x"`; see Markup
  /// for attributes. What they hold is looked through for others all the same.
  void pair(const std::string& name, std::size_t sign) {
    const auto between = text_.substr(std::min(pair_end_, sign), sign - std::min(pair_end_, sign));
    if (between.find_first_of("{}<>") != std::string_view::npos ||
        between.find("- ") != std::string_view::npos) {
      named_ = false;
      values_.clear();
    }
    std::vector<std::string> names;
    into_ = base::gives_name(name) ? &names : &values_;
    pair_end_ = std::max(pair_end_, value(sign, Lists::left_alone));
    if (base::gives_name(name)) named_ = std::any_of(names.begin(), names.end(), base::names_secret);
    if (!named_) return;
    std::move(values_.begin(), values_.end(), std::back_inserter(secrets_));
    values_.clear();
  }

  enum class Lists { taken, left_alone };
  /// Takes what stands behind that sign; where to go on.
  std::size_t value(std::size_t sign, Lists lists = Lists::taken) {
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
    const bool on_one_line = text_.substr(sign, at - sign).find('\n') == std::string_view::npos;
    if (!name_is_quoted_) return on_one_line ? word(backslashes) : at;
    if (text_[at] != '[' && text_[at] != '{') return number(at);
    return lists == Lists::taken ? all_in(at) : at;
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
    if (decoded != value) take_meant(decoded);
    if (value.find('+') == std::string_view::npos) return end;
    auto blanks = std::string(value);
    std::replace(blanks.begin(), blanks.end(), '+', ' ');
    take_meant(base::percent_decoded(blanks));
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

  /// "password: x", as people write it: one word, or two where the first says how it is sent. More words are
  /// a sentence about it. A ',' or ')' behind it may belong to it or not.
  std::size_t word(std::size_t begin) {
    // What the first names in a word have is all of it; of each more it would be looked through again.
    if (begin >= word_end_) names_in_word_ = 0;
    if (++names_in_word_ > most_names_in_word) return begin;
    constexpr std::string_view ends = " \t\r\n\"'<>";
    const auto near = text_.substr(0, begin + longest_word);
    auto end = std::min(near.find_first_of(ends, begin), near.size());
    if (base::is_scheme(near.substr(begin, end - begin)) && end < near.size() && near[end] == ' ')
      end = std::min(near.find_first_of(ends, end + 1), near.size());
    word_end_ = end;
    const auto whole = near.substr(begin, end - begin);
    const bool is_longer = end == near.size() && near.size() < text_.size();
    if (is_longer || whole.starts_with(':') || whole.starts_with('=')) return begin;
    const auto behind = std::min(text_.find_first_not_of(" \t", end), text_.size());
    const bool is_all = behind == text_.size() || ends.find(text_[behind]) != std::string_view::npos;
    const auto first = whole.substr(0, whole.find_first_of(",;)}]\\"));
    if (is_all || first.size() < whole.size()) take(first);
    if (is_all && first.size() < whole.size()) take(whole);
    return begin;
  }

  /// Behind "SCHEME://" at that ':'; in a text in a text the slashes may be escaped.
  std::optional<std::size_t> behind_scheme(std::size_t sign) const {
    auto at = sign + 1;
    for (int slashes = 0; slashes < 2; ++slashes, ++at) {
      while (at < text_.size() && at < sign + longest_gap && text_[at] == '\\') ++at;
      if (at == text_.size() || text_[at] != '/') return {};
    }
    return at;
  }

  /// Of "USER:PASSWORD@HOST"; behind it.
  std::size_t password_of(std::size_t begin) {
    const auto end = std::min(text_.find_first_of("/?# \t\r\n\"'<>\\", begin), text_.size());
    const auto user = text_.substr(begin, end - begin);
    const auto at = user.rfind('@'), colon = user.find(':');
    if (at == std::string_view::npos || colon > at) return begin;
    name_at_ = begin;
    into_ = &secrets_;
    const auto password = user.substr(colon + 1, at - colon - 1);
    take(password);
    take_meant(base::percent_decoded(password));
    return end;
  }

  void take(std::string_view written) {
    if (written.empty() || base::is_plain_word(written)) return;
    if (!base::is_short_number(written)) return into_->emplace_back(written), void();
    const auto end = static_cast<std::size_t>(written.data() - text_.data()) + written.size();
    if (end - name_at_ <= longest_name + 2 * longest_gap)
      into_->emplace_back(text_.substr(name_at_, end - name_at_));
  }
  void take_meant(std::string meant) {
    if (!meant.empty() && !base::is_plain_word(meant) && !base::is_short_number(meant))
      into_->push_back(std::move(meant));
  }

  /// As it is, and as JSON means it, in a text in a text more than once.
  void take_decoded(std::string_view written) {
    take(written);
    std::string text(written);
    for (unsigned depth = 0; depth < deepest_text && text.find('\\') != std::string_view::npos; ++depth) {
      const auto meant = checks::texts_in(checks::Value::of("\"" + text + "\""));
      if (meant.empty()) return;
      for (const auto& one : meant) take_meant(one);
      text = meant.front();
    }
  }

  const std::string_view text_;
  std::vector<std::string>& secrets_;
  std::vector<std::string>* into_ = &secrets_;
  std::size_t name_at_ = 0;  ///< where the name stands that a value has
  bool name_is_quoted_ = false;
  std::size_t word_end_ = 0, names_in_word_ = 0;  ///< of the word() that was looked at last
  bool named_ = false;                            ///< the name of this pair is that of a secret
  std::vector<std::string> values_;               ///< of this pair
  std::size_t pair_end_ = 0;                      ///< behind what it has assigned so far
};

}  // namespace

std::vector<std::string> secrets_named_in(std::string_view text) {
  text = text.substr(0, most_read);
  std::vector<std::string> secrets;
  Assignments(text, secrets).find();
  add_secrets_of_markup(text, secrets);
  return secrets;
}

}  // namespace staithe::checks
