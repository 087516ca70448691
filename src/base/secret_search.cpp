#include "secret_search.hpp"

#include "spellings.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>

namespace staithe::base {
namespace {

bool is_hexadecimal(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// See SecretForms::match_numbers.
bool may_separate(std::string_view rest) {
  if (rest.empty()) return false;
  switch (rest.front()) {
    case '0':
      return rest.size() > 1 && (rest[1] == 'x' || rest[1] == 'X');
    case ':':
    case ',':
    case ';':
    case '.':
    case '-':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
      return true;
    default:
      return false;
  }
}

int digit_of(char c) {
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

}  // namespace

bool SecretSearch::may_be_cut(char last) {
  return escape_starts()[byte_of(last)];
}

const Readings& SecretSearch::readings_at(std::size_t at) {
  if (known_.empty()) known_.resize(places_kept);
  auto& known = known_[at % places_kept];
  if (known.at != at) {
    read_back(text_.substr(at), known.readings);
    known.at = at;
  }
  return known.readings;
}

std::size_t SecretSearch::next(std::size_t at) const {
  std::uint32_t key = 0;
  std::size_t plain = 0;  // so many bytes up to `ahead` are no escapes
  for (std::size_t ahead = at; ahead + 1 < text_.size(); ++ahead) {
    key = key << 8U | byte_of(alike(text_[ahead]));
    plain = escapes_[pair_of(text_[ahead], text_[ahead + 1])] ? 0 : plain + 1;
    if (ahead + 1 < at + window) continue;
    const auto place = ahead + 1 - window;
    if (plain < window || forms_.filter_.may_have(key) || may_be_number(place) ||
        forms_.short_firsts_[byte_of(text_[place])])
      return place;
  }
  return std::max(at, text_.size() - std::min(text_.size(), window));
}

SecretForms::Match SecretSearch::at(std::size_t at, char before) {
  match_ = {};
  met_number_ = false;
  tried_.clear();
  read_on({at}, at, before);
  if (met_number_) try_each(forms_.foreign_, at, before);
  if (forms_.number_digits_[byte_of(text_[at])]) try_numbers(at, before);
  if (forms_.short_firsts_[byte_of(text_[at])]) try_each(forms_.shorts_, at, before);
  return match_;
}

void SecretSearch::read_on(const Read& read, std::size_t at, char before) {
  if (read.bytes == window) {
    if (forms_.filter_.may_have(read.key)) try_window(read.key, at, before);
    return;
  }
  if (!forms_.begins(read.key, read.bytes)) return;
  if (read.from == text_.size()) {
    match_.partial = match_.partial || (goes_on_ && may_go_on(read.key, read.bytes));
    return;
  }
  const auto with = [&](std::size_t length, char byte) {
    const auto key = read.key << 8U | byte_of(alike(byte));
    read_on({read.from + length, read.bytes + 1, key}, at, before);
  };
  const char here = text_[read.from];
  with(1, here);
  if (!is_escape(read.from)) return;
  met_number_ = met_number_ || here == '\\' || here == '&' || here == '%';
  const auto& readings = readings_at(read.from);
  for (const auto& reading : readings.all) with(reading.length, reading.byte);
  if (goes_on_ && readings.cut.any())
    for (unsigned value = 0; value < 256 && !match_.partial; ++value)
      if (readings.cut[value])
        match_.partial = may_go_on(read.key << 8U | byte_of(alike(static_cast<char>(value))), read.bytes + 1);
  if (readings.breaks && read.bytes > 0 && read.breaks < 2) pass_breaks(read, at, before);
}

void SecretSearch::pass_breaks(const Read& read, std::size_t at, char before) {
  const auto rest = text_.substr(read.from);
  const auto pass = [&](std::string_view line_break) {
    if (rest.starts_with(line_break))
      read_on({read.from + line_break.size(), read.bytes, read.key, read.breaks + 1}, at, before);
    else if (goes_on_ && line_break.starts_with(rest))
      match_.partial = match_.partial || may_go_on(read.key, read.bytes);
  };
  for (const auto line_break : breaks_of_base64) pass(line_break);
  for (const auto line_break : breaks_of_mail) pass(line_break);
}

/// Whether a window begins with so many bytes of `key`.
bool SecretSearch::may_go_on(std::uint32_t key, std::size_t bytes) const {
  const auto missing = static_cast<unsigned>(8 * (window - bytes));
  const std::uint64_t first = std::uint64_t{key} << missing;
  const auto start = std::lower_bound(forms_.starts_.begin(), forms_.starts_.end(),
                                      SecretForms::Start{static_cast<std::uint32_t>(first), 0});
  return start != forms_.starts_.end() && std::uint64_t{start->window} >> missing == key;
}

void SecretSearch::try_window(std::uint32_t key, std::size_t at, char before) {
  if (std::find(tried_.begin(), tried_.end(), key) != tried_.end()) return;
  tried_.push_back(key);
  auto start = std::lower_bound(forms_.starts_.begin(), forms_.starts_.end(), SecretForms::Start{key, 0});
  for (; start != forms_.starts_.end() && start->window == key; ++start)
    SecretForms::match_form(*forms_.forms_[start->form], text_.substr(at), before, match_);
}

void SecretSearch::try_each(const std::vector<std::uint32_t>& forms, std::size_t at, char before) {
  for (const auto form : forms)
    SecretForms::match_form(*forms_.forms_[form], text_.substr(at), before, match_);
}

int SecretSearch::hexadecimal_at(std::size_t at) const {
  const auto rest = text_.substr(at);
  const bool is_one = rest.size() > 2 && is_hexadecimal(rest[0]) && is_hexadecimal(rest[1]);
  return is_one && may_separate(rest.substr(2)) ? digit_of(rest[0]) * 16 + digit_of(rest[1]) : -1;
}

int SecretSearch::decimal_at(std::size_t at) const {
  const auto rest = text_.substr(at);
  int value = 0;
  std::size_t digits = 0;
  for (; digits < std::min<std::size_t>(rest.size(), 3) && is_digit(rest[digits]); ++digits)
    value = value * 10 + digit_of(rest[digits]);
  return digits > 0 && value < 256 && may_separate(rest.substr(digits)) ? value : -1;
}

bool SecretSearch::may_be_number(std::size_t at) const {
  if (!forms_.number_digits_[byte_of(text_[at])]) return false;
  const auto is_first = [&](int value) {
    return value >= 0 && forms_.number_firsts_[static_cast<std::size_t>(value)];
  };
  return is_first(hexadecimal_at(at)) || is_first(decimal_at(at));
}

/// Bytes as numbers with something between them, by the first: "68:75", "104, 117". At the end of a text each
/// of them may only have begun.
void SecretSearch::try_numbers(std::size_t at, char before) {
  const int hexadecimal = hexadecimal_at(at), decimal = decimal_at(at);
  const bool at_end = goes_on_ && text_.size() - at <= window;
  for (const auto& number : forms_.numbers_)
    if (at_end || number.first == hexadecimal || number.first == decimal)
      SecretForms::match_form(*forms_.forms_[number.form], text_.substr(at), before, match_);
}

}  // namespace staithe::base
