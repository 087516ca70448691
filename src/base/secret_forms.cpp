#include "secret_forms.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::base {
namespace {

using Spellings = std::vector<std::string>;

constexpr std::size_t short_secret = 4;

unsigned byte_of(char c) {
  return static_cast<unsigned char>(c);
}

/// The escapes that name their byte.
void add_named_escapes(char c, Spellings& spellings) {
  constexpr std::string_view named = "\a\b\t\n\v\f\r\x1b";
  constexpr std::string_view letters = "abtnvfre";
  if (const auto at = named.find(c); c != '\0' && at != std::string_view::npos)
    spellings.push_back({'\\', letters[at]});
  const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  if (c >= ' ' && c <= '~' && !letter_or_digit) spellings.push_back({'\\', c});  // JSON's \" \\ \/, printf %q
  const auto also = [&](std::initializer_list<const char*> texts) {
    spellings.insert(spellings.end(), texts.begin(), texts.end());
  };
  switch (c) {
    case ' ':
      also({"+"});
      break;  // in an HTML form
    case '\n':
      also({"\r\n", "\\r\\n", "%0D%0A", "%0d%0a"});
      break;
    case '\'':
      also({"'\\''", "'\"'\"'", "''", "&#39;", "&#x27;", "&apos;"});
      break;
    case '"':
      also({"\"\"", "&quot;", "&#34;"});
      break;
    case '&':
      also({"&amp;"});
      break;
    case '<':
      also({"&lt;"});
      break;
    case '>':
      also({"&gt;"});
      break;
    default:
      break;
  }
}

std::string with_each(std::string_view text, char what, std::string_view by) {
  std::string made;
  for (const char c : text) {
    if (c == what)
      made += by;
    else
      made += c;
  }
  return made;
}

/// JSON inside of JSON, a URL inside of a URL's parameter, markup that was escaped by one who did not know.
void add_escaped_twice(Spellings& spellings) {
  const auto once = spellings;
  for (const auto& text : once) {
    if (text.size() < 2) continue;
    const auto json = with_each(with_each(text, '\\', "\\\\"), '"', "\\\"");
    for (const auto& twice : {json, with_each(text, '%', "%25"), with_each(text, '&', "&amp;")})
      if (twice != text) spellings.push_back(twice);
  }
}

Spellings spellings_of_byte(char c) {
  const unsigned value = byte_of(c);
  Spellings spellings{{c},
                      fmt::format("%{:02X}", value),
                      fmt::format("%{:02x}", value),
                      fmt::format("\\x{:02x}", value),
                      fmt::format("\\x{:02X}", value),
                      fmt::format("\\{:03o}", value)};
  if (value < 0x80) {
    spellings.push_back(fmt::format("\\u{:04x}", value));
    spellings.push_back(fmt::format("\\u{:04X}", value));
    spellings.push_back(fmt::format("&#{};", value));  // whatever a peer's template engine escapes
    spellings.push_back(fmt::format("&#x{:x};", value));
    spellings.push_back(fmt::format("&#x{:X};", value));
    add_named_escapes(c, spellings);
  }
  add_escaped_twice(spellings);
  return spellings;
}

const std::array<Spellings, 256>& byte_spellings() {
  static const std::array<Spellings, 256> table = [] {
    std::array<Spellings, 256> all;
    for (unsigned value = 0; value < 256; ++value) all[value] = spellings_of_byte(static_cast<char>(value));
    return all;
  }();
  return table;
}

/// How long the code point at the front is; 1 for what is not UTF-8 (only the shape is looked at: the bytes
/// are only spelled, never shown).
std::size_t code_point_length(std::string_view text) {
  const unsigned lead = byte_of(text.front());
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length > text.size()) return 1;
  for (std::size_t at = 1; at < length; ++at)
    if ((byte_of(text[at]) & 0xC0U) != 0x80U) return 1;
  return length;
}

/// A code point of several bytes: its bytes all in the same way, or as JSON writes it.
Spellings spellings_of_code_point(std::string_view bytes) {
  Spellings spellings(6);
  for (const char c : bytes) {
    const Spellings& one = byte_spellings()[byte_of(c)];
    for (std::size_t way = 0; way < spellings.size(); ++way) spellings[way] += one[way];
  }
  unsigned code = byte_of(bytes.front()) & (0xFFU >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) code = code << 6U | (byte_of(c) & 0x3FU);
  if (code < 0x10000) {
    spellings.push_back(fmt::format("\\u{:04x}", code));
    spellings.push_back(fmt::format("\\u{:04X}", code));
  } else {
    const unsigned high = 0xD800 + ((code - 0x10000) >> 10U);
    const unsigned low = 0xDC00 + ((code - 0x10000) & 0x3FFU);
    spellings.push_back(fmt::format("\\u{:04x}\\u{:04x}", high, low));
    spellings.push_back(fmt::format("\\u{:04X}\\u{:04X}", high, low));
  }
  spellings.push_back(fmt::format("&#{};", code));
  spellings.push_back(fmt::format("&#x{:x};", code));
  spellings.push_back(fmt::format("&#x{:X};", code));
  add_escaped_twice(spellings);
  return spellings;
}

std::string both_cases(char digit) {
  std::string cases(1, digit);
  if (digit >= 'a' && digit <= 'f') cases += static_cast<char>(digit - 'a' + 'A');
  return cases;
}

/// Places in a text where the units matched so far can end, as a small sorted set.
class Ends {
 public:
  void clear() { ends_.clear(); }
  bool empty() const { return ends_.empty(); }
  std::size_t largest() const { return ends_.back(); }
  const std::vector<std::size_t>& all() const { return ends_; }
  void add(std::size_t end) {
    const auto at = std::lower_bound(ends_.begin(), ends_.end(), end);
    if (at == ends_.end() || *at != end) ends_.insert(at, end);
  }

 private:
  std::vector<std::size_t> ends_;
};

/// Moves one spelling further: true when the text ends inside it.
bool advance(std::string_view spelling, std::string_view rest, std::size_t from, Ends& next) {
  const std::string_view here = rest.substr(from);
  if (here.starts_with(spelling)) {
    next.add(from + spelling.size());
    return false;
  }
  return spelling.starts_with(here);
}

}  // namespace

void SecretForms::add(std::string_view secret) {
  if (secret.size() < short_secret) {
    add_form(std::string(secret), Kind::plain);
    return;
  }
  add_form(std::string(secret), Kind::escaped);
  add_base64(secret);
  std::string digits;
  for (const char c : secret) digits += fmt::format("{:02x}", byte_of(c));
  add_form(std::move(digits), Kind::hex);
}

void SecretForms::add_form(std::string text, Kind kind) {
  for (const Form& form : forms_)
    if (form.kind == kind && form.text == text) return;
  forms_.push_back({std::move(text), kind});
  index(forms_.back(), static_cast<std::uint32_t>(forms_.size() - 1));
}

void SecretForms::index(const Form& form, std::uint32_t number) {
  const std::string_view text = form.text;
  if (form.kind == Kind::hex) {
    for (const char first : both_cases(text[0]))
      for (const char second : both_cases(text[1])) may_begin(std::string{first, second}, {}, number);
    return;
  }
  const auto spellings_at = [&](std::size_t at, std::size_t length) {
    if (form.kind == Kind::plain) return Spellings{std::string(1, text[at])};
    return length == 1 ? byte_spellings()[byte_of(text[at])]
                       : spellings_of_code_point(text.substr(at, length));
  };
  const std::size_t length = form.kind == Kind::plain ? 1 : code_point_length(text);
  std::string then;  // the bytes that the second unit can begin with
  if (length < text.size())
    for (const auto& spelling : spellings_at(length, code_point_length(text.substr(length))))
      then += spelling.front();
  if (form.kind == Kind::base64) then += "\r\n\\";
  for (const auto& spelling : spellings_at(0, length)) may_begin(spelling, then, number);
}

void SecretForms::may_begin(std::string_view spelling, const std::string& then, std::uint32_t number) {
  const char first = spelling.front();
  auto& forms = by_first_[byte_of(first)];
  if (forms.empty() || forms.back() != number) forms.push_back(number);
  if (spelling.size() > 1) {
    pairs_.set(pair_of(first, spelling[1]));
  } else if (then.empty()) {  // one byte is all: whatever follows
    for (unsigned second = 0; second < 256; ++second) pairs_.set(pair_of(first, static_cast<char>(second)));
  } else {
    for (const char second : then) pairs_.set(pair_of(first, second));
  }
}

/// The characters of base64 that depend on the secret alone, for each of the three places in which it can
/// begin in a group of three bytes; and with the end of the encoded text, for a secret that stands last.
void SecretForms::add_base64(std::string_view secret) {
  for (std::size_t before = 0; before < 3; ++before) {
    const std::string encoded = base64(std::string(before, '\0') + std::string(secret));
    const std::size_t first = before == 0 ? 0 : before + 1;
    const std::size_t whole = (before + secret.size()) * 8 / 6;
    const std::size_t unpadded = std::min(encoded.find('='), encoded.size());
    for (const std::size_t end : {whole, unpadded, encoded.size()}) {
      std::string form = encoded.substr(first, end - first);
      add_form(form, Kind::base64);
      std::replace(form.begin(), form.end(), '+', '-');
      std::replace(form.begin(), form.end(), '/', '_');
      add_form(std::move(form), Kind::base64);
    }
  }
}

SecretForms::Match SecretForms::match(std::string_view text, std::size_t at) const {
  Match match;
  const std::string_view rest = text.substr(at);
  for (const std::uint32_t number : by_first_[byte_of(rest.front())]) {
    const Form& form = forms_[number];
    if (form.kind == Kind::hex)
      match_hex(form, rest, match);
    else
      match_spelled(form, rest, match);
  }
  return match;
}

void SecretForms::match_spelled(const Form& form, std::string_view rest, Match& match) {
  // Kept between calls: this runs at every place where a secret might begin.
  thread_local Ends ends;
  thread_local Ends next;
  ends.clear();
  ends.add(0);
  const std::string_view text = form.text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = form.kind == Kind::plain ? 1 : code_point_length(text.substr(at));
    next.clear();
    const auto try_all = [&](const Spellings& spellings, std::size_t count) {
      for (const std::size_t from : ends.all())
        for (std::size_t way = 0; way < count; ++way)
          if (advance(spellings[way], rest, from, next)) match.partial = true;
    };
    if (form.kind == Kind::base64 && at > 0) {
      // A line break before this character is passed over.
      const std::vector<std::size_t> without = ends.all();
      for (const std::size_t from : without)
        for (const std::string_view line_break : {"\n", "\r\n", "\\n"})
          if (advance(line_break, rest, from, ends)) match.partial = true;
    }
    if (length == 1) {
      const Spellings& spellings = byte_spellings()[byte_of(text[at])];
      try_all(spellings, form.kind == Kind::plain ? 1 : spellings.size());
    } else {
      const Spellings spellings = spellings_of_code_point(text.substr(at, length));
      try_all(spellings, spellings.size());
    }
    if (next.empty()) return;
    std::swap(ends, next);
    at += length;
  }
  match.length = std::max(match.length, ends.largest());
}

void SecretForms::match_hex(const Form& form, std::string_view rest, Match& match) {
  const std::size_t length = std::min(form.text.size(), rest.size());
  for (std::size_t at = 0; at < length; ++at) {
    const char c = rest[at];
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != form.text[at]) return;
  }
  if (length == form.text.size())
    match.length = std::max(match.length, length);
  else
    match.partial = true;
}

}  // namespace staithe::base
