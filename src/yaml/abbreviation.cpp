#include "abbreviation.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace staithe::yaml {
namespace {

constexpr char mark = Abbreviation::mark;
/// The longest escape, with its backslash: "\U0001F600". One that is cut short reads on in what follows.
constexpr std::size_t longest_escape = 10;
enum class Class : unsigned char { other, space, blank, property, guard, head, word, joint };

constexpr std::array<Class, 256> classes = [] {
  std::array<Class, 256> of{};
  const auto put = [&of](std::string_view characters, Class kind) {
    for (const char c : characters) of[static_cast<unsigned char>(c)] = kind;
  };
  put("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/", Class::word);
  put(".-:?", Class::joint);
  put(" ", Class::space);
  put("\t\r\n", Class::blank);
  put("!&", Class::property);
  put("*%\\", Class::guard);
  put("|>", Class::head);
  return of;
}();

Class class_of(char c) {
  return classes[static_cast<unsigned char>(c)];
}

/// Past the words that begin at `at`. A colon belongs to them only where it is no end of a key, a space only
/// between two.
std::size_t words_end(std::string_view text, std::size_t at) {
  const auto next_is = [&](std::size_t i, bool or_joint) {
    if (i >= text.size()) return false;
    const Class kind = class_of(text[i]);
    return kind == Class::word || (or_joint && kind == Class::joint);
  };
  std::size_t end = at + 1;
  for (; end < text.size(); ++end) {
    const Class kind = class_of(text[end]);
    if (kind == Class::space ? !next_is(end + 1, false) : kind != Class::word && kind != Class::joint) break;
    if (text[end] == ':' && (text.substr(end, 2) == "::" || !next_is(end + 1, true))) break;
  }
  return end;
}

/// What the parser itself takes for nothing.
bool is_null(std::string_view word) {
  return word == "null" || word == "Null" || word == "NULL";
}

bool is_line_break(char c) {
  return c == '\n' || c == '\r';
}

bool in_word(std::string_view text, std::size_t at) {
  return at > 0 && (class_of(text[at - 1]) == Class::word || class_of(text[at - 1]) == Class::joint);
}

/// A mark of the user's own, which only an escape can write.
bool escapes_mark(std::string_view text) {
  const auto holds = [&](std::string_view escape) { return text.find(escape) != std::string_view::npos; };
  return holds("\\x01") || holds("\\u0001") || holds("\\U00000001");
}

}  // namespace

Abbreviation::Abbreviation(std::string_view original) : original_(original) {
  if (escapes_mark(original)) {
    text_ = original;
    return;
  }
  text_.reserve(original.size());
  bool guarded = false, in_head = false;
  std::size_t escape_end = 0;
  for (std::size_t at = 0; at < original.size();) {
    const Class kind = class_of(original[at]);
    if (kind == Class::property && !in_word(original, at)) {
      text_.append(original,
                   at);  // refused anyway, and its place would stand for that of the value behind it
      return;
    }
    const bool blank = kind == Class::blank || kind == Class::space;
    if (original[at] == '\\') escape_end = at + longest_escape;
    guarded = at < escape_end || (!blank && (guarded || kind == Class::guard || kind == Class::property));
    // The comment of a block's head is none of the block's text.
    const bool is_directive = original[at] == '%' && (at == 0 || is_line_break(original[at - 1]));
    in_head = original[at] != '\n' && (in_head || is_directive || kind == Class::head);
    const std::size_t end = kind == Class::word && !guarded && !in_head ? words_end(original, at) : at + 1;
    if (end - at > 1 && !is_null(original.substr(at, end - at))) {
      cuts_.push_back({text_.size(), at, end});
      text_ += mark;
    } else {
      text_.append(original, at, end - at);
    }
    at = end;
  }
}

std::size_t Abbreviation::cuts_before(std::size_t offset) const {
  const auto fits = [&](std::size_t count) {
    return (count == 0 || cuts_[count - 1].mark < offset) &&
           (count == cuts_.size() || cuts_[count].mark >= offset);
  };
  // The parser tells of one thing after the other: mostly it is the same place again, or the next one.
  if (fits(last_)) return last_;
  if (last_ < cuts_.size() && fits(last_ + 1)) return ++last_;
  const auto next = std::partition_point(cuts_.begin(), cuts_.end(),
                                         [offset](const Cut& cut) { return cut.mark < offset; });
  return last_ = static_cast<std::size_t>(next - cuts_.begin());
}

std::size_t Abbreviation::original_offset(std::size_t offset) const {
  const std::size_t count = cuts_before(offset);
  return count == 0 ? offset : cuts_[count - 1].to + (offset - cuts_[count - 1].mark - 1);
}

std::string Abbreviation::expand(std::size_t offset, const std::string& value) const {
  std::size_t found = value.find(mark);
  if (found == std::string::npos) return value;
  auto cut = std::next(cuts_.begin(), static_cast<std::ptrdiff_t>(cuts_before(offset)));
  std::string whole;
  std::size_t done = 0;
  for (; found != std::string::npos && cut != cuts_.end(); found = value.find(mark, done), ++cut) {
    whole.append(value, done, found - done).append(original_, cut->from, cut->to - cut->from);
    done = found + 1;
  }
  return whole.append(value, done);
}

}  // namespace staithe::yaml
