#include "secret_forms.hpp"

#include "readings.hpp"
#include "repeats.hpp"
#include "spellings.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <span>

namespace staithe::base {
namespace {

constexpr std::size_t short_secret = 4;
/// What is encoded twice has some forty forms: of a larger one they would be megabytes.
constexpr std::size_t largest_twice = 4096;

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
  // Nearly all are told apart by this.
  if (!here.empty() && here.front() != spelling.front()) return false;
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
    if (!here.empty() && here.front() != '=') return false;
    const auto spelling = fmt::format("={:02X}", static_cast<unsigned char>(c));
    if (!here.starts_with(spelling))
      return here.size() < spelling.size() && (spelling.starts_with(here) || (at > from && here == "=\r"));
    at += spelling.size();
  }
  next.add(at);
  return false;
}

/// How a code point of several bytes may be written. Those asked for last are kept: a few are asked for at
/// every place.
const Spellings& ways_to_write(std::string_view code_point) {
  constexpr std::size_t most_kept = 64;
  thread_local std::map<std::string, Spellings, std::less<>> kept;
  const auto found = kept.find(code_point);
  if (found != kept.end()) return found->second;
  if (kept.size() == most_kept) kept.clear();
  return kept.emplace(code_point, spellings_of_code_point(code_point)).first->second;
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

/// See SecretForms::Start.
std::uint32_t window_of(std::string_view start) {
  std::uint32_t window = 0;
  for (const char c : start) window = window << 8U | static_cast<unsigned char>(alike(c));
  return window;
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
  if (line.size() < short_secret) return add_form(line, Kind::plain);
  add_form(line, Kind::escaped);
  add_form(line, Kind::hex);
  add_form(line, Kind::decimal);
  add_base64(line);
  add_base32(line);
  add_digits(line);
  add_utf16(line);
  for (const auto& text : in_other_encodings(line)) {
    add_form(text, Kind::escaped);
    add_base64(text);
  }
}

void SecretForms::add_word(std::string_view secret) {
  add_form(secret, Kind::word);
}

void SecretForms::add_form(std::string_view text, Kind kind) {
  for (const auto piece : pieces_of(text)) {
    const auto number = static_cast<std::uint32_t>(forms_.size());
    forms_.push_back(std::make_shared<const Form>(Form{std::string(piece), kind}));
    index(*forms_.back(), number);
  }
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

/// Of a key in hexadecimal or a UUID: one program writes it in small letters, the next in capitals, with
/// dashes or without.
void SecretForms::add_digits(std::string_view secret) {
  constexpr std::size_t shortest = 16, of_uuid = 32;
  std::string digits, written;
  bool has_letter = false;
  for (const char c : secret) {
    written += lower(c);
    if (c == '-') continue;
    if (!is_digit(c) && (lower(c) < 'a' || lower(c) > 'f')) return;
    has_letter = has_letter || !is_digit(c);
    digits += lower(c);
  }
  if (!has_letter || digits.size() < shortest) return;
  add_form(digits, Kind::base32);
  if (written != digits) add_form(written, Kind::base32);
  if (digits.size() != of_uuid) return;
  for (const std::size_t at : {20U, 16U, 12U, 8U}) digits.insert(at, 1, '-');
  if (digits != written) add_form(digits, Kind::base32);
}

/// As programs of Windows encode a text, or print its bytes.
void SecretForms::add_utf16(std::string_view secret) {
  for (const auto& bytes : in_utf16(secret)) {
    add_form(bytes, Kind::hex);
    std::unordered_set<std::string> forms;
    for (std::size_t before = 0; before < 3; ++before) {
      // Half a character may stay: here nearly always a half of a zero.
      const auto inside = in_base64(bytes, before).inside;
      forms.insert(inside);
      forms.insert(for_urls(inside));
    }
    for (const auto& form : forms) add_form(form, Kind::base64);
  }
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
  filter_.make_room(starts_.size());
  for (const auto& start : starts_) filter_.add(start.window);
}

void SecretForms::index(const Form& form, std::uint32_t number) {
  const std::string_view text = form.text;
  switch (form.kind) {
    case Kind::decimal:
    case Kind::hex:
      return index_number(form, number);
    case Kind::base32:
      return index_cases(text.substr(0, window), number);
    case Kind::plain:
    case Kind::word:
    case Kind::escaped:
    case Kind::base64:
      break;
  }
  if (text.size() < window) {
    shorts_.push_back(number);
    short_firsts_.set(static_cast<unsigned char>(text[0]));
    return;
  }
  const auto start = text.substr(0, window);
  add_start(start, number);
  const bool in_parts =
      std::any_of(start.begin(), start.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  if (in_parts && form.kind != Kind::word) foreign_.push_back(number);
}

/// `start` is in small letters, of which each may be a capital.
void SecretForms::index_cases(std::string_view start, std::uint32_t number) {
  std::vector<std::string> all{""};
  for (const char c : start) {
    std::vector<std::string> longer;
    for (const auto& text : all)
      for (const char one : both_cases(c)) longer.push_back(text + one);
    all = std::move(longer);
  }
  for (const auto& text : all) add_start(text, number);
}

/// With something between them by the first one, without by two.
void SecretForms::index_number(const Form& form, std::uint32_t number) {
  const std::string_view text = form.text;
  const bool hexadecimal = form.kind == Kind::hex;
  numbers_.push_back({static_cast<unsigned char>(text[0]), number});
  number_firsts_.set(static_cast<unsigned char>(text[0]));
  for (const char digit : both_cases(number_of(text[0], hexadecimal).front()))
    number_digits_.set(static_cast<unsigned char>(digit));
  if (hexadecimal) index_cases(number_of(text[0], true) + number_of(text[1], true), number);
}

void SecretForms::add_start(std::string_view start, std::uint32_t number) {
  const auto key = window_of(start);
  starts_.push_back({key, number});
  firsts_.set(key >> 24U);
  pairs_.set(key >> 16U);
}

SecretForms::Match SecretForms::try_all(std::string_view text, std::size_t at, char before) const {
  Match match;
  for (const auto& form : forms_) match_form(*form, text.substr(at), before, match);
  return match;
}

void SecretForms::match_form(const Form& form, std::string_view rest, char before, Match& match) {
  switch (form.kind) {
    case Kind::plain:
    case Kind::escaped:
    case Kind::base64:
      if (!match_bare(form, rest, match)) match_spelled(form, rest, match);
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

/// Nearly every place where a secret might begin is told here: something else follows, or the secret as it
/// is. False where an escape stands before that.
bool SecretForms::match_bare(const Form& form, std::string_view rest, Match& match) {
  const std::size_t length = std::min(form.text.size(), rest.size());
  for (std::size_t at = 0; at < length; ++at) {
    if (escape_starts()[static_cast<unsigned char>(rest[at])]) return false;
    if (form.text[at] != rest[at]) return true;
  }
  if (length < form.text.size())
    match.partial = true;
  else
    match.length = std::max(match.length, length);
  return true;
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
  const auto may_be_escape = [&](std::size_t from) {
    return from == rest.size() || escape_starts()[static_cast<unsigned char>(rest[from])];
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = form.kind == Kind::plain ? 1 : code_point_length(text.substr(at));
    next.clear();
    const auto try_all = [&](const Spellings& spellings, std::size_t count) {
      for (const std::size_t from : ends.all())
        for (std::size_t way = 0; way < count; ++way)
          if (advance(spellings[way], rest, from, next)) match.partial = true;
    };
    const bool escaped = std::any_of(ends.all().begin(), ends.all().end(), may_be_escape);
    // A line break before this character is passed over.
    if (escaped && form.kind == Kind::base64 && at > 0) pass_over(breaks_of_base64);
    if (escaped && form.kind != Kind::plain && at > 0) pass_over(breaks_of_mail);
    if (!escaped) {
      for (const std::size_t from : ends.all())
        if (advance(text.substr(at, length), rest, from, next)) match.partial = true;
    } else if (length == 1) {
      const Spellings& spellings = byte_spellings()[static_cast<unsigned char>(text[at])];
      try_all(spellings, form.kind == Kind::plain ? 1 : spellings.size());
    } else {
      const Spellings& spellings = ways_to_write(text.substr(at, length));
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
    // "084 114 048"
    while (!hexadecimal && end < rest.size() && rest[end] == '0' && number.front() != '0') ++end;
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
