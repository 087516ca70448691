#include "secret_forms.hpp"

#include "spellings.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace staithe::base {
namespace {

constexpr std::size_t short_secret = 4;
/// What is encoded twice has some forty forms: of a larger one they would be megabytes.
constexpr std::size_t largest_twice = 4096;
constexpr std::array<std::string_view, 4> breaks_of_base64{"\n", "\r\n", "\\n", "\\r\\n"};
constexpr std::array<std::string_view, 2> breaks_of_mail{"=\n", "=\r\n"};  // quoted-printable

bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool is_word(char c) {
  return is_letter_or_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

std::string both_cases(char c) {
  std::string cases(1, c);
  if (c >= 'a' && c <= 'z') cases += static_cast<char>(c - 'a' + 'A');
  return cases;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string for_urls(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string percent(std::string_view text) {
  std::string made;
  for (const char c : text)
    made += is_letter_or_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos
                ? std::string(1, c)
                : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return made;
}

std::string in_json(std::string_view text) {
  std::string made;
  for (const char c : text)
    made += c == '"' || c == '\\' ? std::string{'\\', c} : c == '\n' ? std::string("\\n") : std::string(1, c);
  return made;
}

/// RFC 4648 in small letters, without padding.
std::string base32(std::string_view bytes) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string made;
  unsigned bits = 0, count = 0;
  for (const char c : bytes) {
    bits = bits << 8U | static_cast<unsigned char>(c);
    for (count += 8; count >= 5; count -= 5) made += alphabet[bits >> (count - 5) & 31U];
    bits &= 0xFFU;
  }
  if (count > 0) made += alphabet[bits << (5 - count) & 31U];
  return made;
}

/// The characters of base64 that depend on the secret alone, where it begins after so many bytes of a group
/// of three: when more follows, and when nothing does.
struct InBase64 {
  std::string inside, at_end, padded;
};
InBase64 in_base64(std::string_view secret, std::size_t before) {
  const std::string encoded = base64(std::string(before, '\0') + std::string(secret));
  const std::size_t first = before == 0 ? 0 : before + 1;
  const auto until = [&](std::size_t end) { return encoded.substr(first, end - first); };
  return {until((before + secret.size()) * 8 / 6), until(std::min(encoded.find('='), encoded.size())),
          until(encoded.size())};
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

/// A character of several bytes in quoted-printable, where a line may be broken inside of it.
bool advance_mail(std::string_view bytes, std::string_view rest, std::size_t from, Ends& next) {
  std::size_t at = from;
  for (const char c : bytes) {
    for (const std::string_view line_break : breaks_of_mail)
      if (at > from && rest.substr(at).starts_with(line_break)) at += line_break.size();
    const auto here = rest.substr(at);
    const auto spelling = fmt::format("={:02X}", static_cast<unsigned char>(c));
    if (!here.starts_with(spelling))
      return here.size() < spelling.size() && (spelling.starts_with(here) || here == "=\r");
    at += spelling.size();
  }
  next.add(at);
  return false;
}

/// What stands between two numbers: `[:,;.-]? blank* (0x)?`.
std::size_t separator_length(std::string_view rest) {
  constexpr std::size_t most_blanks = 40;  // an array of JSON, each number on a line of its own
  std::size_t at = 0;
  if (at < rest.size() && std::string_view(":,;.-").find(rest[at]) != std::string_view::npos) ++at;
  for (std::size_t blanks = 0; at < rest.size() && blanks < most_blanks; ++blanks, ++at)
    if (std::string_view(" \t\r\n").find(rest[at]) == std::string_view::npos) break;
  const auto here = rest.substr(at);
  const bool prefix = here.size() > 1 && here[0] == '0' && (here[1] == 'x' || here[1] == 'X');
  return prefix ? at + 2 : at;
}

std::string number_of(char c, bool hexadecimal) {
  const unsigned value = static_cast<unsigned char>(c);
  return hexadecimal ? fmt::format("{:02x}", value) : std::to_string(value);
}

}  // namespace

void SecretForms::add(std::string_view secret) {
  add_line(secret);
  if (secret.size() >= short_secret && secret.size() <= largest_twice) add_twice(secret);
}

void SecretForms::add_line(std::string_view line) {
  if (line.size() < short_secret) return add_form(std::string(line), Kind::plain);
  add_form(std::string(line), Kind::escaped);
  add_form(std::string(line), Kind::hex);
  add_form(std::string(line), Kind::decimal);
  add_base64(line);
  add_base32(line);
}

void SecretForms::add_word(std::string_view secret) {
  add_form(std::string(secret), Kind::word);
}

void SecretForms::add_form(std::string text, Kind kind) {
  const auto number = static_cast<std::uint32_t>(forms_.size());
  forms_.push_back(std::make_shared<const Form>(Form{std::move(text), kind}));
  index(*forms_.back(), number);
}

void SecretForms::add_base64(std::string_view secret) {
  std::unordered_set<std::string> forms;
  for (std::size_t before = 0; before < 3; ++before) {
    const auto encoded = in_base64(secret, before);
    for (const auto& text : {encoded.inside, encoded.at_end, encoded.padded}) {
      forms.insert(text);
      forms.insert(for_urls(text));
    }
  }
  for (const auto& form : forms) add_form(form, Kind::base64);
}

void SecretForms::add_base32(std::string_view secret) {
  std::unordered_set<std::string> forms;
  for (std::size_t before = 0; before < 5; ++before) {
    const auto encoded = base32(std::string(before, '\0') + std::string(secret));
    const std::size_t first = (before * 8 + 4) / 5;
    forms.insert(encoded.substr(first, (before + secret.size()) * 8 / 5 - first));
    forms.insert(encoded.substr(first));
  }
  for (const auto& form : forms) add_form(form, Kind::base32);
}

/// A Basic header whose halves were escaped, JSON in base64, base64 in base64.
void SecretForms::add_twice(std::string_view secret) {
  for (const auto& once : {percent(secret), in_json(secret)})
    if (once != secret) add_base64(once);
  std::unordered_set<std::string> inner, forms;
  for (std::size_t before = 0; before < 3; ++before) {
    const auto encoded = in_base64(secret, before);
    for (const auto& text : {encoded.inside, encoded.padded}) {
      inner.insert(text);
      inner.insert(for_urls(text));
    }
  }
  for (const auto& text : inner)
    for (std::size_t before = 0; before < 3; ++before) {
      const auto encoded = in_base64(text, before);
      forms.insert(encoded.inside);
      forms.insert(encoded.padded);
    }
  for (const auto& form : forms) add_form(form, Kind::base64);
}

void SecretForms::ready() {
  const auto middle = starts_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  std::sort(middle, starts_.end());
  std::inplace_merge(starts_.begin(), middle, starts_.end());
  starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  sorted_ = starts_.size();
}

void SecretForms::index(const Form& form, std::uint32_t number) {
  const std::string_view text = form.text;
  if (form.kind == Kind::hex || form.kind == Kind::decimal) return index_numbers(form, number);
  if (form.kind == Kind::base32) {
    for (const char first : both_cases(text[0]))
      for (const char second : both_cases(text[1]) + "\r\n\\") may_begin(first, second, number);
    return;
  }
  const bool as_it_is = form.kind == Kind::plain || form.kind == Kind::word;
  const auto spellings_at = [&](std::size_t at, std::size_t length) {
    if (as_it_is) return Spellings{std::string(1, text[at])};
    return length == 1 ? byte_spellings()[static_cast<unsigned char>(text[at])]
                       : spellings_of_code_point(text.substr(at, length));
  };
  const std::size_t length = as_it_is ? 1 : code_point_length(text);
  std::string then;  // the bytes that the second unit can begin with
  if (length < text.size())
    for (const auto& spelling : spellings_at(length, code_point_length(text.substr(length))))
      then += spelling.front();
  if (form.kind == Kind::base64) then += "\r\n\\";
  for (const auto& spelling : spellings_at(0, length)) may_begin(spelling, then, number);
}

void SecretForms::index_numbers(const Form& form, std::uint32_t number) {
  const auto first = number_of(form.text[0], form.kind == Kind::hex);
  if (form.kind == Kind::hex) {
    for (const char high : both_cases(first[0]))
      for (const char low : both_cases(first[1])) may_begin(high, low, number);
  } else {
    may_begin(first, ":,;.- \t\r\n", number);
  }
}

void SecretForms::may_begin(std::string_view spelling, const std::string& then, std::uint32_t number) {
  const char first = spelling.front();
  if (spelling.size() > 1) return may_begin(first, spelling[1], number);
  for (const char second : then) may_begin(first, second, number);
  if (then.empty())  // one byte is all: whatever follows
    for (unsigned second = 0; second < 256; ++second) may_begin(first, static_cast<char>(second), number);
}

void SecretForms::may_begin(char first, char second, std::uint32_t number) {
  const auto pair = pair_of(first, second);
  pairs_.set(pair);
  firsts_.set(static_cast<unsigned char>(first));
  starts_.push_back({pair, number});
}

SecretForms::Match SecretForms::match(std::string_view text, std::size_t at, char before) const {
  Match match;
  const std::string_view rest = text.substr(at);
  const std::uint16_t low = pair_of(rest[0], rest.size() > 1 ? rest[1] : '\0');
  const std::uint16_t high = pair_of(rest[0], rest.size() > 1 ? rest[1] : '\xff');
  auto start = std::lower_bound(starts_.begin(), starts_.end(), Start{low, 0});
  for (; start != starts_.end() && start->pair <= high; ++start)
    match_form(*forms_[start->form], rest, before, match);
  return match;
}

void SecretForms::match_form(const Form& form, std::string_view rest, char before, Match& match) {
  switch (form.kind) {
    case Kind::plain:
    case Kind::escaped:
    case Kind::base64:
      if (!surely_not(form, rest)) match_spelled(form, rest, match);
      return;
    case Kind::word:
      return match_word(form, rest, before, match);
    case Kind::base32:
      return match_base32(form, rest, match);
    case Kind::hex:
    case Kind::decimal:
      return match_numbers(form, rest, match);
  }
}

/// Nearly every place where a secret might begin is left here: something else follows, and no escape stands
/// before it.
bool SecretForms::surely_not(const Form& form, std::string_view rest) {
  const std::size_t length = std::min(form.text.size(), rest.size());
  for (std::size_t at = 0; at < length; ++at) {
    if (escape_starts()[static_cast<unsigned char>(rest[at])]) return false;
    if (form.text[at] != rest[at]) return true;
  }
  return false;
}

void SecretForms::match_spelled(const Form& form, std::string_view rest, Match& match) {
  // Kept between calls: this runs at every place where a secret might begin.
  thread_local Ends ends;
  thread_local Ends next;
  ends.clear();
  ends.add(0);
  const std::string_view text = form.text;
  const auto pass_over = [&](std::span<const std::string_view> breaks) {
    const std::vector<std::size_t> without = ends.all();
    for (const std::size_t from : without)
      for (const std::string_view line_break : breaks)
        if (advance(line_break, rest, from, ends)) match.partial = true;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = form.kind == Kind::plain ? 1 : code_point_length(text.substr(at));
    next.clear();
    const auto try_all = [&](const Spellings& spellings, std::size_t count) {
      for (const std::size_t from : ends.all())
        for (std::size_t way = 0; way < count; ++way)
          if (advance(spellings[way], rest, from, next)) match.partial = true;
    };
    // A line break before this character is passed over.
    if (form.kind == Kind::base64 && at > 0) pass_over(breaks_of_base64);
    if (form.kind != Kind::plain && at > 0) pass_over(breaks_of_mail);
    if (length == 1) {
      const Spellings& spellings = byte_spellings()[static_cast<unsigned char>(text[at])];
      try_all(spellings, form.kind == Kind::plain ? 1 : spellings.size());
    } else {
      const Spellings spellings = spellings_of_code_point(text.substr(at, length));
      try_all(spellings, spellings.size());
      for (const std::size_t from : ends.all())
        if (advance_mail(text.substr(at, length), rest, from, next)) match.partial = true;
    }
    if (next.empty()) return;
    std::swap(ends, next);
    at += length;
  }
  match.length = std::max(match.length, ends.largest());
}

void SecretForms::match_word(const Form& form, std::string_view rest, char before, Match& match) {
  if (is_word(before)) return;
  if (rest.size() <= form.text.size()) match.partial = match.partial || form.text.starts_with(rest);
  if (!rest.starts_with(form.text)) return;
  if (rest.size() > form.text.size() && is_word(rest[form.text.size()])) return;
  match.length = std::max(match.length, form.text.size());
}

void SecretForms::match_base32(const Form& form, std::string_view rest, Match& match) {
  std::size_t end = 0;
  for (const char c : form.text) {
    if (end > 0)
      for (const std::string_view line_break : breaks_of_base64) {
        const auto here = rest.substr(end);
        if (here.starts_with(line_break)) {
          end += line_break.size();
          break;
        }
        match.partial = match.partial || (here.size() < line_break.size() && line_break.starts_with(here));
      }
    if (end == rest.size()) {
      match.partial = true;
      return;
    }
    if (lower(rest[end]) != c) return;
    ++end;
  }
  match.length = std::max(match.length, end);
}

void SecretForms::match_numbers(const Form& form, std::string_view rest, Match& match) {
  const bool hexadecimal = form.kind == Kind::hex;
  std::size_t end = 0;
  for (std::size_t index = 0; index < form.text.size(); ++index) {
    if (index > 0) {
      const auto between = separator_length(rest.substr(end));
      if (between == 0 && !hexadecimal && end < rest.size()) return;
      end += between;
    }
    const auto number = number_of(form.text[index], hexadecimal);
    for (const char digit : number) {
      if (end == rest.size()) {
        match.partial = true;
        return;
      }
      if (lower(rest[end]) != digit) {
        // The 0 of "0x", when the text ends behind it.
        match.partial = match.partial || (end + 1 == rest.size() && rest[end] == '0');
        return;
      }
      ++end;
    }
  }
  if (!hexadecimal && end == rest.size()) match.partial = true;
  if (!hexadecimal && end < rest.size() && rest[end] >= '0' && rest[end] <= '9') return;
  match.length = std::max(match.length, end);
}

}  // namespace staithe::base
