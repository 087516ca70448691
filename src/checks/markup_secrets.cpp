#include "markup_secrets.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace staithe::checks {
namespace {

using View = std::string_view;

constexpr View blanks = " \t\r\n";
constexpr View cdata = "<![CDATA[";

/// What is written behind such a field is for people.
bool shows_text_for_people(View tag) {
  static constexpr View fields[] = {"input", "meta", "link", "a",      "button",   "label",
                                    "form",  "img",  "area", "iframe", "fieldset", "select"};
  return std::find(std::begin(fields), std::end(fields), tag) != std::end(fields);
}

/// One character of ASCII that is written as "&amp;", "&#38;" or "&#x26;"; of others the text stays.
std::optional<char> meant_by(View entity) {
  static constexpr std::pair<View, char> named[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (const auto& [name, c] : named)
    if (entity == name) return c;
  if (!entity.starts_with('#')) return {};
  entity.remove_prefix(1);
  const bool hexadecimal = entity.starts_with('x') || entity.starts_with('X');
  if (hexadecimal) entity.remove_prefix(1);
  unsigned code = 0;
  const auto read =
      std::from_chars(entity.data(), entity.data() + entity.size(), code, hexadecimal ? 16 : 10);
  if (read.ec != std::errc() || read.ptr != entity.data() + entity.size() || code == 0 || code > 0x7F)
    return {};
  return static_cast<char>(code);
}

std::string decoded(View text) {
  constexpr std::size_t longest_entity = 10;
  std::string made;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto end = text[at] == '&' ? text.substr(at, longest_entity).find(';') : View::npos;
    const auto meant = end == View::npos ? std::nullopt : meant_by(text.substr(at + 1, end - 1));
    made += meant.value_or(text[at]);
    if (meant) at += end;
  }
  return made;
}

class Markup {
 public:
  Markup(View text, std::vector<std::string>& secrets) : text_(text), secrets_(secrets) {}

  void read() {
    find_ends();
    while (at_ < text_.size()) {
      const auto begin = std::min(text_.find('<', at_), text_.size());
      content(text_.substr(at_, begin - at_));
      at_ = begin;
      if (at_ < text_.size()) tag();
    }
  }

 private:
  void find_ends() {
    for (std::size_t at = 0; (at = text_.find('<', at)) != View::npos; ++at)
      if (const auto begin = name_of_end(at)) ends_[name_at(*begin)] = at;
  }

  /// Where the name stands of an end tag that begins at '<': in a string of JSON it may be "<\/".
  std::optional<std::size_t> name_of_end(std::size_t at) const {
    const auto slash = text_.find_first_not_of('\\', at + 1);
    if (slash == View::npos || text_[slash] != '/') return {};
    return slash + 1;
  }

  View name_at(std::size_t begin) const {
    auto end = begin;
    while (end < text_.size() && is_name(text_[end])) ++end;
    return text_.substr(begin, end - begin);
  }

  bool ends_behind(View name) const {
    const auto end = ends_.find(name);
    return end != ends_.end() && end->second >= at_;
  }

  void content(View text) {
    if (breaks_off_ && !text.empty()) take_start(text);
    if (!within_.empty() || field_) take(text);
    if (!base::trim(text).empty()) field_ = false;
  }

  /// At '<'; goes on behind what that begins.
  void tag() {
    const auto rest = text_.substr(at_);
    if (rest.starts_with(cdata)) {
      const auto end = std::min(rest.find("]]>"), rest.size());
      content(rest.substr(cdata.size(), end - std::min(end, cdata.size())));
      at_ += std::min(end + 3, rest.size());
      return;
    }
    const auto closes = name_of_end(at_);
    const auto begin = closes.value_or(at_ + 1);
    const auto name = name_at(begin);
    at_ = begin + name.size();
    if (name.empty()) return;  // "a < b", a comment
    field_ = false;
    closes ? leave(name) : enter(name);
  }

  void enter(View name) {
    std::vector<View> values;
    bool named = false, ends = false;
    attributes(values, named, ends);
    if (named)
      for (const auto value : values) take(value);
    if (ends) return;
    const auto plain = name.substr(name.rfind(':') + 1);
    field_ = named && !shows_text_for_people(base::lower(plain));
    if (within_.empty() && base::names_secret(plain)) {
      // "usage: tool <user> <password>" is no element; one that is not closed may be where a text breaks off.
      breaks_off_ = !ends_behind(name);
      if (!breaks_off_) within_ = name;
    }
    if (name == within_) ++depth_;
  }

  void leave(View name) {
    at_ = std::min(text_.find('>', at_), text_.size() - 1) + 1;
    breaks_off_ = false;
    if (name != within_ || (--depth_ > 0 && ends_behind(name))) return;
    within_ = {};
    depth_ = 0;
  }

  /// Up to the end of the tag. `named`: a secret's name is the value of one that gives names.
  void attributes(std::vector<View>& values, bool& named, bool& ends) {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '>') {
        ++at_;
        return;
      }
      if (c == '<') return;  // it was none
      ends = c == '/';
      if (!is_name(c)) continue;
      const auto begin = at_;
      while (at_ < text_.size() && is_name(text_[at_])) ++at_;
      const auto name = base::lower(text_.substr(begin, at_ - begin));
      const auto value = value_of_attribute();
      if (base::gives_name(name))
        named = named || base::names_secret(value);
      else if (name == "type")
        named = named || base::lower(value) == "password";
      else if (base::gives_value(name))
        values.push_back(value);
      --at_;
    }
  }

  /// Behind its name; stays there where it has none. In a string of JSON or of a program its quotes are
  /// escaped.
  View value_of_attribute() {
    const auto sign = text_.find_first_not_of(blanks, at_);
    if (sign == View::npos || text_[sign] != '=') return {};
    at_ = std::min(text_.find_first_not_of(blanks, sign + 1), text_.size());
    const auto first = std::min(text_.find_first_not_of('\\', at_), text_.size());
    const bool quoted = first < text_.size() && (text_[first] == '"' || text_[first] == '\'');
    const auto begin = quoted ? first + 1 : at_;
    const auto end = std::min(
        quoted ? text_.find(text_[first], begin) : text_.find_first_of(" \t\r\n<>", begin), text_.size());
    const auto escapes = quoted ? first - at_ : 0;
    at_ = quoted ? std::min(end + 1, text_.size()) : end;
    auto value = text_.substr(begin, end - begin);
    for (std::size_t i = 0; i < escapes && value.ends_with('\\'); ++i) value.remove_suffix(1);
    return value;
  }

  static bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == ':' || c == '.';
  }

  /// The word that follows at once on the start of an element without an end, where nothing but the end of
  /// markup or of its text comes behind it.
  void take_start(View text) {
    breaks_off_ = false;
    const auto word = text.substr(0, text.find_first_of(" \t\r\n\"'\\"));
    const auto behind = text_.substr(static_cast<std::size_t>(word.data() - text_.data()) + word.size());
    if (behind.empty() || View("\"'\\").find(behind.front()) != View::npos || behind == "<" ||
        behind.starts_with("</") || behind.starts_with("]]"))
      take(word);
  }

  void take(View written) {
    const auto text = base::trim(written);
    if (text.empty() || base::is_plain_word(text)) return;
    if (base::is_short_number(text)) return take_with_tag(text);
    secrets_.emplace_back(text);
    if (auto meant = decoded(text); meant != text) secrets_.push_back(std::move(meant));
  }

  /// From where its tag begins.
  void take_with_tag(View text) {
    constexpr std::size_t longest_tag = 128;
    const auto end = static_cast<std::size_t>(text.data() - text_.data()) + text.size();
    const auto near = text_.substr(end - std::min(end, longest_tag), std::min(end, longest_tag));
    if (const auto tag = near.rfind('<'); tag != View::npos) secrets_.emplace_back(near.substr(tag));
  }

  const View text_;
  std::vector<std::string>& secrets_;
  std::map<View, std::size_t> ends_;  ///< by name, where the last end tag of it begins
  std::size_t at_ = 0;
  View within_;              ///< the outermost element that has a secret's name
  std::size_t depth_ = 0;    ///< of elements of that name
  bool breaks_off_ = false;  ///< what comes next may be what a secret's element without an end begins with
  bool field_ = false;       ///< what comes next is what an attribute of the element has named
};

}  // namespace

void add_secrets_of_markup(std::string_view text, std::vector<std::string>& secrets) {
  Markup(text, secrets).read();
}

}  // namespace staithe::checks
