#include "pattern.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace staithe::checks {
namespace {

// Stands for a hole while a phrase is taken apart; no file can hold it.
constexpr char hole = '\x1f';

/// Phrases over text in which every hole is one character.
class Phrase {
 public:
  Phrase(const Text& text, Matcher::Form form, std::string& why, std::string& help)
      : text_(text), form_(form), why_(why), help_(help) {
    for (const auto& piece : text.pieces()) {
      if (const auto* literal = std::get_if<std::string>(&piece))
        flat_ += *literal;
      else
        flat_ += hole;
    }
  }

  std::optional<Matcher> parse() {
    if (form_ == Matcher::Form::quoted) return equals(flat_);
    return parse(base::trim(flat_));
  }

  /// Whether it is text only because of a slip of the pen.
  bool is_slip() {
    std::string_view text = base::trim(flat_);
    if (const auto rest = after(text, "not ")) text = *rest;
    return is_half(text) || is_unknown_phrase(text);
  }

 private:
  using Word = Matcher::Word;

  std::optional<Matcher> parse(std::string_view text) {
    if (const auto number = beyond_numbers(text); !number.empty())
      return refuse(fmt::format("'{}' is beyond what a number can be here, which ends at 1.8e308", number),
                    "quote it when the text is meant");
    if (text == "absent") return plain(Word::absent);
    if (text == "exists") return plain(Word::exists);
    if (text == "empty") return plain(Word::empty);
    if (!text.empty() && std::string_view("<>=!").find(text.front()) != std::string_view::npos)
      return refuse(fmt::format("'{}' begins with an operator", text),
                    fmt::format("write {}; {}", in_words(text), quoting()));
    if (auto rest = after(text, "not ")) return wrapped(Word::negation, *rest);
    if (auto rest = after(text, "count ")) return wrapped(Word::count, *rest);
    if (auto rest = after(text, "matches ")) return pattern(*rest);
    if (auto rest = after(text, "contains ")) return one(Word::contains, *rest);
    if (auto rest = after(text, "date ")) return date(*rest);
    constexpr std::array<std::pair<std::string_view, Word>, 4> comparisons{{{"at least ", Word::at_least},
                                                                            {"at most ", Word::at_most},
                                                                            {"over ", Word::over},
                                                                            {"under ", Word::under}}};
    for (const auto& [word, meaning] : comparisons)
      if (auto rest = after(text, word); rest && !is_text_put_in(meaning, *rest))
        return compared(meaning, word, *rest);
    if (const auto at = text.find(" within "); at != std::string_view::npos)
      if (is_quantity(text.substr(0, at))) return within(text.substr(0, at), text.substr(at + 8));
    if (const auto at = text.find(" to "); at != std::string_view::npos)
      if (is_quantity(text.substr(0, at)) && is_quantity(text.substr(at + 4))) {
        if (is_upside_down(text.substr(0, at), text.substr(at + 4)))
          return refuse(fmt::format("'{}' can never hold", text), "write the lower end first");
        return two(Word::range, text.substr(0, at), text.substr(at + 4));
      }
    if (is_half(text)) return std::nullopt;
    if (text.size() == 3 && text.substr(1) == "xx" && text[0] >= '1' && text[0] <= '5')
      return one(Word::status_class, text);
    if (is_unknown_phrase(text)) return std::nullopt;
    return equals(text);
  }

  // A value put in for a name is what somebody else has: nobody meant a phrase by "Between two worlds".
  bool is_half(std::string_view text) {
    const auto half = half_phrase(text);
    if (form_ == Matcher::Form::substituted || half.empty()) return false;
    refuse(fmt::format("'{}' is half a phrase", text), fmt::format("write {}; {}", half, quoting()));
    return true;
  }
  bool is_unknown_phrase(std::string_view text) {
    auto meant = likely_meant(text);
    if (meant.empty() && form_ == Matcher::Form::plain) meant = word_too_many(text);
    if (form_ == Matcher::Form::substituted || meant.empty()) return false;
    refuse(fmt::format("'{}' is no phrase that is known, so it is this very text", text),
           fmt::format("write {}; {}", meant, quoting()));
    return true;
  }
  /// The quotes of a CSV file are no part of what a cell says.
  std::string_view quoting() const {
    return form_ == Matcher::Form::cell
               ? "or quote the column's name in the suite, \"$(case.NAME)\", when its cells are texts"
               : "or quote it when the text is meant";
  }

  /// A word of a phrase that is a number too large, or too near to 0, to be one: "1e400". What was put in for
  /// a name may well be a text that only looks like it.
  std::string_view beyond_numbers(std::string_view text) const {
    const auto blank = text.rfind(' ');
    const bool is_phrase = blank != std::string_view::npos;
    if (is_put_in() || (is_phrase && !is_word_of_numbers(text))) return {};
    const auto last = is_phrase ? text.substr(blank + 1) : text;
    return is_beyond_numbers(last) ? last : std::string_view();
  }
  static bool is_word_of_numbers(std::string_view text) {
    constexpr std::array<std::string_view, 5> words{"at least ", "at most ", "over ", "under ", "not "};
    return std::any_of(words.begin(), words.end(), [&](auto word) { return text.starts_with(word); });
  }

  /// ">= 5" as "'at least 5'".
  static std::string in_words(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> operators{{{">=", "at least"},
                                                                                      {"<=", "at most"},
                                                                                      {"==", ""},
                                                                                      {"!=", "not"},
                                                                                      {">", "over"},
                                                                                      {"<", "under"},
                                                                                      {"=", ""}}};
    for (const auto& [sign, words] : operators) {
      if (!text.starts_with(sign)) continue;
      const auto rest = base::trim(text.substr(sign.size()));
      const bool number = words == "not" || words.empty() || is_quantity(rest);
      if (!rest.empty() && number && rest.find(hole) == std::string_view::npos)
        return fmt::format("'{}{}{}'", words, words.empty() ? "" : " ", rest);
    }
    return "'at least', 'at most', 'over', 'under' or 'not'";
  }

  /// What other tools say, and what these words are with a slip in them; "" when it is text for all we know.
  static std::string_view likely_meant(std::string_view text) {
    const std::string low = base::lower(text);
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> of_numbers{{
        {"greater than ", "'over 3'"},
        {"more than ", "'over 3'"},
        {"less than ", "'under 3'"},
        {"between ", "'1 to 5'"},
        {"at least ", "'at least 3'"},
        {"at most ", "'at most 3'"},
        {"over ", "'over 3'"},
        {"under ", "'under 3'"},
    }};
    for (const auto& [words, meant] : of_numbers)
      if (low.starts_with(words) && has_number(low.substr(words.size()))) return meant;
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> others{{
        {"equals ", "the value itself"},
        {"equal to ", "the value itself"},
        {"one of ", "a list, [a, b]"},
        {"starts with ", "'matches ^TEXT'"},
        {"ends with ", "'matches TEXT$'"},
        {"contain ", "'contains TEXT'"},
        {"includes ", "'contains TEXT'"},
        {"match ", "'matches PATTERN'"},
    }};
    for (const auto& [words, meant] : others)
      if (low.starts_with(words)) return meant;
    if (low == "exist") return "'exists'";
    if (const auto slip = with_a_slip(low); !slip.empty()) return slip;
    if (is_nearly_within(low)) return "'2.90 within 0.01' or '2.90 within 1%'";
    const bool status = low.size() == 3 && low.ends_with("xx") && low[0] >= '1' && low[0] <= '5';
    return status ? "2xx, in small letters" : "";
  }

  /// Words that begin a text as well as a phrase: "Empty basket" is what a system says, and so may "2 or 3"
  /// be in a table.
  static std::string_view word_too_many(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> words{{
        {"regex ", "'matches PATTERN'"},
        {"regexp ", "'matches PATTERN'"},
        {"exists ", "'exists' alone"},
        {"absent ", "'absent' alone"},
        {"empty ", "'empty' alone"},
    }};
    for (const auto& [word, meant] : words)
      if (text.starts_with(word)) return meant;
    return is_one_or_another(text) ? "a list, [1 to 5, 7]" : "";
  }

  /// Words after which something has to come, and it does not; or before which. A '#' may have taken it away.
  static std::string_view half_phrase(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> open{
        {{"at least", "'at least 3'"},
         {"at most", "'at most 3'"},
         {"contains", "'contains TEXT'"},
         {"matches", "'matches PATTERN'"}}};
    for (const auto& [words, meant] : open)
      if (text == words) return meant;
    const auto blank = text.find(' ');
    if (blank == std::string_view::npos) return {};
    const auto first = text.substr(0, blank), rest = base::trim(text.substr(blank));
    const bool before = is_quantity(first) && base::edit_distance(rest, "within") <= 1;
    const bool behind =
        base::edit_distance(first, "within") <= 1 && is_quantity(rest.substr(0, rest.find(' ')));
    return before || behind ? "'2.90 within 0.01' or '2.90 within 1%'" : "";
  }

  /// A phrase with one letter wrong, missing, too many or swapped, where that makes no other word.
  static std::string_view with_a_slip(std::string_view low) {
    struct Slip {
      std::string_view words, meant;
      bool of_numbers;
    };
    constexpr std::array<Slip, 3> phrases{{{"at least", "'at least 3'", true},
                                           {"at most", "'at most 3'", true},
                                           {"contains", "'contains TEXT'", false}}};
    for (const auto& one : phrases) {
      auto end = low.find(' ');
      if (one.of_numbers && end != std::string_view::npos) end = low.find(' ', end + 1);
      if (end == std::string_view::npos || (one.of_numbers && !has_number(low.substr(end)))) continue;
      if (base::edit_distance(low.substr(0, end), one.words) == 1) return one.meant;
    }
    // "atleast 3", "at-most 5"
    const auto first = low.substr(0, low.find(' '));
    const bool number = first.size() < low.size() && has_number(low.substr(first.size()));
    for (const auto& one : phrases)
      if (one.of_numbers && number && base::edit_distance(first, one.words) <= 1) return one.meant;
    return {};
  }

  /// "100 wihin 1%": a number, that word with at most one letter wrong or a sign for it, and a number again.
  static bool is_nearly_within(std::string_view low) {
    const auto start = low.find(' ');
    if (start == std::string_view::npos || !is_quantity(low.substr(0, start))) return false;
    const auto rest = base::trim(low.substr(start));
    constexpr std::array<std::string_view, 4> signs{"+-", "+/-", "-/+", "\u00b1"};
    for (const auto sign : signs)
      if (rest.starts_with(sign) && has_number(rest.substr(sign.size()))) return true;
    const auto end = rest.find(' ');
    return end != std::string_view::npos && base::edit_distance(rest.substr(0, end), "within") <= 1 &&
           has_number(rest.substr(end));
  }

  /// "1 to 2000 or 5", "3 or 5"
  static bool is_one_or_another(std::string_view text) {
    const auto either = text.find(" or ");
    if (either == std::string_view::npos) return false;
    const auto first = text.substr(0, either), second = text.substr(either + 4);
    const auto is_number = [](std::string_view one) {
      const auto to = one.find(" to ");
      return to == std::string_view::npos ? is_quantity(one)
                                          : is_quantity(one.substr(0, to)) && is_quantity(one.substr(to + 4));
    };
    return is_number(first) && is_number(second);
  }

  /// A digit, or what will be put in: without one it is no word about numbers.
  static bool has_number(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == hole; });
  }

  bool is_put_in() const { return form_ == Matcher::Form::substituted || form_ == Matcher::Form::cell; }
  /// A cell may be a phrase, and "under construction" may be a cell.
  bool is_text_put_in(Word word, std::string_view rest) const {
    return is_put_in() && (word == Word::over || word == Word::under) && !has_number(rest);
  }

  /// "5 to 1": nothing is in between.
  static bool is_upside_down(std::string_view low, std::string_view high) {
    const auto from = parse_quantity(base::trim(low)), to = parse_quantity(base::trim(high));
    return from && to && from->unit == to->unit && from->number > to->number;
  }

  static std::optional<std::string_view> after(std::string_view text, std::string_view word) {
    if (!text.starts_with(word)) return std::nullopt;
    return base::trim(text.substr(word.size()));
  }

  std::nullopt_t refuse(std::string why, std::string help = {}) {
    why_ = std::move(why);
    help_ = std::move(help);
    for (auto& c : why_)
      if (c == hole) c = '?';
    return std::nullopt;
  }

  static bool is_quantity(std::string_view text) {
    text = base::trim(text);
    return text == std::string_view(&hole, 1) || parse_quantity(text).has_value();
  }

  static std::optional<std::uint32_t> whole_number(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
  }

  /// The part of the author's text that `piece`, which points into flat_, stands for.
  Text operand(std::string_view piece) const {
    const auto begin = static_cast<std::size_t>(piece.data() - flat_.data());
    Text made;
    std::size_t at = 0;
    for (const auto& part : text_.pieces()) {
      const auto* literal = std::get_if<std::string>(&part);
      const std::size_t size = literal != nullptr ? literal->size() : 1;
      const std::size_t from = std::max(at, begin), to = std::min(at + size, begin + piece.size());
      if (from < to) {
        if (literal != nullptr)
          made.append(std::string_view(*literal).substr(from - at, to - from));
        else if (const auto* capture = std::get_if<plan::CaptureRef>(&part))
          made.append(*capture);
      }
      at += size;
    }
    return made;
  }

  Matcher plain(Word word) const {
    Matcher matcher;
    matcher.word = word;
    matcher.form = form_;
    return matcher;
  }
  Matcher one(Word word, std::string_view piece) const {
    Matcher matcher = plain(word);
    matcher.operands.push_back(operand(piece));
    return matcher;
  }
  Matcher equals(std::string_view piece) const {
    Matcher matcher = one(Word::equals, piece);
    if (matcher.form == Matcher::Form::plain && !matcher.operands[0].is_literal())
      matcher.form = Matcher::Form::substituted;
    return matcher;
  }
  Matcher two(Word word, std::string_view first, std::string_view second) const {
    Matcher matcher = one(word, base::trim(first));
    matcher.operands.push_back(operand(base::trim(second)));
    return matcher;
  }

  std::optional<Matcher> wrapped(Word word, std::string_view rest) {
    auto inner = parse(rest);
    if (!inner) return std::nullopt;
    if (word == Word::count) {
      const bool number = inner->word == Word::at_least || inner->word == Word::at_most ||
                          inner->word == Word::over || inner->word == Word::under ||
                          inner->word == Word::range || (inner->word == Word::equals && is_quantity(rest));
      if (!number)
        return refuse(fmt::format("'count {}' does not say how many", rest),
                      "write 'count 3', 'count at most 5' or 'count 1 to 4'");
    }
    Matcher matcher = plain(word);
    matcher.inner.push_back(std::move(*inner));
    return matcher;
  }

  std::optional<Matcher> pattern(std::string_view rest) {
    if (rest.find(hole) == std::string_view::npos) {
      try {
        const Pattern compiled(rest);
      } catch (const base::Error& error) {
        return refuse(fmt::format("'{}' is no pattern: {}", rest, error.what()),
                      "a '\\' before one of these means the character itself: . ( ) [ ] { } * + ? | ^ $");
      }
    }
    return one(Word::matches, rest);
  }

  std::optional<Matcher> compared(Word word, std::string_view said, std::string_view rest) {
    // "at least 19 of 20"
    std::optional<std::uint32_t> of;
    if (const auto at = rest.find(" of "); at != std::string_view::npos && is_quantity(rest.substr(at + 4))) {
      of = whole_number(base::trim(rest.substr(at + 4)));
      if (!of) return refuse(fmt::format("'{}' does not say of how many", rest), "write 'at least 19 of 20'");
      rest = base::trim(rest.substr(0, at));
    }
    if (!is_quantity(rest))
      return refuse(fmt::format("'{}' is followed by '{}', which is not a number, time or size",
                                base::trim(said), rest),
                    "write 'at most 3s', 'at least 20', 'under 2MB'; or quote it when the text is meant");
    auto matcher = one(word, rest);
    matcher.of = of;
    return matcher;
  }

  std::optional<Matcher> within(std::string_view center, std::string_view rest) {
    const std::string shape = "write '2.90 within 0.01', '2.90 within 1%' or '2.90 within 0.01 or 1%'";
    std::string_view absolute = rest, relative;
    if (const auto at = rest.find(" or "); at != std::string_view::npos) {
      absolute = base::trim(rest.substr(0, at));
      relative = base::trim(rest.substr(at + 4));
    } else if (rest.ends_with('%')) {
      relative = base::trim(rest);
      absolute = {};
    }
    if (!relative.empty() && !relative.ends_with('%'))
      return refuse("the second tolerance is no percentage", shape);
    if (!relative.empty()) relative.remove_suffix(1);
    const bool good = (absolute.empty() || is_quantity(absolute)) &&
                      (relative.empty() || is_quantity(relative)) && !(absolute.empty() && relative.empty());
    if (!good) return refuse(fmt::format("'within {}' is no tolerance", rest), shape);
    Matcher matcher = one(Word::within, base::trim(center));
    matcher.operands.push_back(absolute.empty() ? Text("0") : operand(absolute));
    matcher.operands.push_back(relative.empty() ? Text("0") : operand(relative));
    return matcher;
  }

  std::optional<Matcher> date(std::string_view rest) {
    const std::string shape =
        "write 'date 25d to 35d from now', 'date 0s to 1h ago' or 'date within 5m of now'";
    const auto spans = [&](std::string_view text, Word word) -> std::optional<Matcher> {
      const auto at = text.find(" to ");
      if (at == std::string_view::npos || !is_span(text.substr(0, at)) || !is_span(text.substr(at + 4)))
        return refuse(fmt::format("'date {}' names no span of time", rest), shape);
      if (is_upside_down(text.substr(0, at), text.substr(at + 4)))
        return refuse(fmt::format("'date {}' can never hold", rest), "write the shorter span first");
      return two(word, text.substr(0, at), text.substr(at + 4));
    };
    if (rest.ends_with(" from now")) return spans(rest.substr(0, rest.size() - 9), Word::date_ahead);
    if (rest.ends_with(" ago")) return spans(rest.substr(0, rest.size() - 4), Word::date_ago);
    if (rest.starts_with("within ") && rest.ends_with(" of now")) {
      const auto span = base::trim(rest.substr(7, rest.size() - 14));
      if (is_span(span)) return one(Word::date_near, span);
    }
    return refuse(fmt::format("'date {}' is no phrase that is known", rest), shape);
  }

  bool is_span(std::string_view text) const {
    text = base::trim(text);
    if (text == std::string_view(&hole, 1)) return true;
    const auto value = parse_quantity(text);
    return value && value->unit == Value::Unit::duration;
  }

  const Text& text_;
  Matcher::Form form_;
  std::string& why_;
  std::string& help_;
  std::string flat_;
};

}  // namespace

std::optional<Matcher> parse_matcher(const Text& text, Matcher::Form form, std::string& why,
                                     std::string& help) {
  return Phrase(text, form, why, help).parse();
}

bool is_slip_around(const Text& written, std::string& why, std::string& help) {
  return Phrase(written, Matcher::Form::plain, why, help).is_slip();
}

}  // namespace staithe::checks
