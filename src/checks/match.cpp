#include "match.hpp"

#include "json_tree.hpp"
#include "pattern.hpp"
#include "whole.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace staithe::checks {
namespace {

using Word = Matcher::Word;

const Match yes{Match::Is::yes, {}, nullptr};
const Match no{Match::Is::no, {}, nullptr};
Match unknown(std::string why) {
  return {Match::Is::unknown, std::move(why), nullptr};
}
Match when(bool condition) {
  return condition ? yes : no;
}

/// Operands were filled before anything is judged: what is left is literal.
std::string text_of(const Text& text) {
  return text.shown();
}

bool is_literal_word(const std::string& text) {
  return parse_number(text).has_value() || text == "true" || text == "false" || text == "null";
}

/// A number as it is counted with, and as it is written where that says more.
struct Number {
  double value = 0;
  std::string text;
};

/// Below 0, 0 or above 0: how `a` stands to `b`. A double has only the first digits of an id.
int order(const Number& a, const Number& b) {
  if (is_whole(a.text) && is_whole(b.text)) return order_of_whole(a.text, b.text);
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

bool equal_json(const std::string& a, const std::string& b) {
  const auto left = read_json(a);
  return !left.is_discarded() && same(left, read_json(b));
}

bool is_tree(const Value& value) {
  return value.kind == Value::Kind::list || value.kind == Value::Kind::object;
}

/// What is said of one value is not so of a list, nor is its opposite: nothing was judged.
Match not_of_a_tree(const Value& value) {
  return {Match::Is::no, value.kind == Value::Kind::object
                             ? "this is an object: name its members"
                             : "this is a list: say contains or count, or in JSON '*' for each element"};
}

Match equals(const Matcher& matcher, const Value& value, Typing typing) {
  const auto wanted = text_of(matcher.operands[0]);
  if (matcher.form == Matcher::Form::quoted)
    return when(value.kind == Value::Kind::text && value.text == wanted);
  if (value.kind != Value::Kind::absent && !is_tree(value) && value.text != wanted &&
      wanted.starts_with('[') && wanted.ends_with(']'))
    return {Match::Is::no, "this is one value, and a list is wanted"};
  switch (value.kind) {
    case Value::Kind::absent:
      return no;
    case Value::Kind::null:
      return when(wanted == "null");
    case Value::Kind::boolean:
      return when(wanted == value.text);
    case Value::Kind::text:
      if (typing == Typing::strict && matcher.form == Matcher::Form::plain && is_literal_word(wanted))
        return {Match::Is::no,
                value.text == wanted ? "this is text; quote the expectation when text is meant" : ""};
      if (typing == Typing::lenient && parse_number(wanted))
        if (parse_number(value.text)) return when(same_number(value.text, wanted));
      return when(value.text == wanted);
    case Value::Kind::number: {
      if (value.text == wanted) return yes;
      const auto number = parse_quantity(wanted);
      if (!number) return no;
      if (number->unit != value.unit && number->unit != Value::Unit::none)
        return unknown("a number and '" + wanted + "' have different units");
      return when(order({value.number, value.text}, {number->number, wanted}) == 0);
    }
    case Value::Kind::list:
    case Value::Kind::object:
      if (value.text == wanted || equal_json(value.text, wanted)) return yes;
      return wanted == "null" || read_json(wanted).is_structured() ? no : not_of_a_tree(value);
  }
  return no;
}

std::optional<Number> number_in(const Value& value) {
  if (value.kind == Value::Kind::number) return Number{value.number, value.text};
  if (value.kind != Value::Kind::text) return std::nullopt;
  const auto number = parse_number(value.text);
  return number ? std::optional(Number{*number, value.text}) : std::nullopt;
}

/// An operand as a number in the value's unit; `why` says why it is none.
std::optional<Number> operand(const Matcher& matcher, std::size_t index, const Value& value,
                              std::string& why) {
  const auto text = text_of(matcher.operands[index]);
  const auto quantity = parse_quantity(text);
  if (!quantity) {
    why = "'" + text + "' is not a number, time or size";
    return std::nullopt;
  }
  if (quantity->unit != value.unit && quantity->number != 0) {
    why = value.unit == Value::Unit::duration ? "a time is compared with '" + text + "': write a unit"
          : value.unit == Value::Unit::bytes && quantity->unit == Value::Unit::none
              ? std::string()
              : "'" + text + "' does not have the unit of what it is compared with";
    if (!why.empty()) return std::nullopt;
  }
  return Number{quantity->number, text};
}

/// Money has decimals that doubles do not: a cent is not lost to the last bit.
double slack(double a, double b) {
  return 1e-9 * std::max({std::abs(a), std::abs(b), 1e-6});
}

/// Whether they are at most `room` apart, or that share of `middle`.
bool is_within(const Number& number, const Number& middle, const Number& room, double percent) {
  const double share = std::abs(middle.value) * percent / 100;
  if (!is_whole(number.text) || !is_whole(middle.text))
    return std::isfinite(number.value) && std::abs(number.value - middle.value) <=
                                              std::max(room.value, share) + slack(number.value, middle.value);
  const auto apart = distance_of_whole(number.text, middle.text);
  const Number distance{std::strtod(apart.c_str(), nullptr), apart};
  constexpr double rounding = 4 * std::numeric_limits<double>::epsilon();
  return order(distance, room) <= 0 || distance.value <= share * (1 + rounding);
}

Match numeric(const Matcher& matcher, const Value& value) {
  const auto number = number_in(value);
  if (!number) return {Match::Is::no, value.kind == Value::Kind::absent ? "" : "this is no number"};
  std::string why;
  std::vector<Number> operands;
  for (std::size_t i = 0; i < matcher.operands.size(); ++i) {
    // A percentage has no unit.
    Value plain = value;
    if (matcher.word == Word::within && i == 2) plain.unit = Value::Unit::none;
    const auto one = operand(matcher, i, plain, why);
    if (!one) return unknown(why);
    operands.push_back(*one);
  }
  switch (matcher.word) {
    case Word::at_least:
      return when(order(*number, operands[0]) >= 0);
    case Word::at_most:
      return when(order(*number, operands[0]) <= 0);
    case Word::over:
      return when(order(*number, operands[0]) > 0);
    case Word::under:
      return when(order(*number, operands[0]) < 0);
    case Word::range:
      return when(order(*number, operands[0]) >= 0 && order(*number, operands[1]) <= 0);
    case Word::within:
      return when(is_within(*number, operands[0], operands[1], operands[2].value));
    default:
      return no;
  }
}

/// Of a list: a number is one however it is written.
bool is_element(const Value& element, const std::string& wanted) {
  return element.text == wanted || (element.kind == Value::Kind::number && same_number(element.text, wanted));
}

Match contains(const Matcher& matcher, const Value& value) {
  const auto wanted = text_of(matcher.operands[0]);
  if (value.kind == Value::Kind::text) return when(value.text.find(wanted) != std::string::npos);
  if (value.kind == Value::Kind::list && !value.items.empty())
    return when(std::any_of(value.items.begin(), value.items.end(),
                            [&](const Value& item) { return item.text == wanted; }));
  if (value.kind == Value::Kind::number || value.kind == Value::Kind::boolean)
    return {Match::Is::no, "this is no text and no list"};
  if (!is_tree(value)) return no;
  const auto document = read_json(value.text);
  if (document.is_object()) return when(document.contains(wanted));
  if (!document.is_array()) return no;
  return when(std::any_of(document.begin(), document.end(), [&](const auto& item) {
    return item.is_string()
               ? item.template get_ref<const std::string&>() == wanted
               : written(item) == wanted || (is_number(item) && same_number(written(item), wanted));
  }));
}

Match matches(const Matcher& matcher, const Value& value) {
  if (is_tree(value)) return not_of_a_tree(value);
  if (value.kind == Value::Kind::absent || value.kind == Value::Kind::null) return no;
  try {
    switch (Pattern(text_of(matcher.operands[0])).find(value.text)) {
      case Pattern::Found::yes:
        return yes;
      case Pattern::Found::no:
        return no;
      case Pattern::Found::too_expensive:
        return unknown("the pattern is too expensive for this text");
      case Pattern::Found::bad_text:
        return unknown("the text is not UTF-8");
    }
  } catch (const base::Error& error) {
    return unknown(error.what());
  }
  return no;
}

Match date(const Matcher& matcher, const Value& value, double now) {
  if (value.kind == Value::Kind::absent) return no;
  const bool may_be = value.kind == Value::Kind::text || value.kind == Value::Kind::number;
  const auto when_it_is = may_be ? parse_date(value.text) : std::nullopt;
  if (!when_it_is) return {Match::Is::no, "this is no date"};
  std::vector<double> spans;
  for (const auto& text : matcher.operands) {
    const auto span = parse_quantity(text_of(text));
    if (!span || span->unit != Value::Unit::duration)
      return unknown("'" + text_of(text) + "' is no span of time");
    spans.push_back(span->number / 1000);
  }
  const double ahead = *when_it_is - now;
  if (matcher.word == Word::date_ahead) return when(ahead >= spans[0] && ahead <= spans[1]);
  if (matcher.word == Word::date_ago) return when(-ahead >= spans[0] && -ahead <= spans[1]);
  return when(std::abs(ahead) <= spans[0]);
}

Match size_matches(const Matcher& matcher, const Value& value, Typing typing, double now) {
  if (is_tree(value)) return match(matcher.inner[0], Value::of_number(value.number), typing, now);
  return {Match::Is::no, value.kind == Value::Kind::absent ? "" : "there is nothing to count in it"};
}

bool is_empty(const Value& value) {
  return (value.kind == Value::Kind::text && value.text.empty()) || (is_tree(value) && value.number == 0);
}

Match status_class(const Matcher& matcher, const Value& value) {
  const auto number = number_in(value);
  if (!number) return {Match::Is::no, value.kind == Value::Kind::absent ? "" : "this is no number"};
  return when(number->text.size() == 3 && number->text[0] == text_of(matcher.operands[0])[0]);
}

}  // namespace

bool speaks_of_presence(const Matcher& matcher) {
  using Word = Matcher::Word;
  if (matcher.word == Word::negation) return speaks_of_presence(matcher.inner[0]);
  return matcher.word == Word::absent || matcher.word == Word::exists || matcher.word == Word::empty ||
         matcher.word == Word::count;
}

bool asks_each(const Matcher& matcher) {
  using Word = Matcher::Word;
  const bool negated = matcher.word == Word::negation;
  const auto word = negated ? matcher.inner[0].word : matcher.word;
  if (word == Word::empty || word == Word::contains) return negated;
  return word != Word::absent && word != Word::exists && word != Word::count;
}

Match match(const Matcher& matcher, const Value& value, Typing typing, double now) {
  switch (matcher.word) {
    case Word::equals:
      return equals(matcher, value, typing);
    case Word::one_of: {
      Match all = no;
      for (const auto& inner : matcher.inner) {
        auto one = match(inner, value, typing, now);
        if (one.is == Match::Is::yes) return one;
        if (one.is == Match::Is::unknown) all = one;
      }
      return all;
    }
    case Word::at_least:
    case Word::at_most:
    case Word::over:
    case Word::under:
    case Word::range:
    case Word::within:
      return numeric(matcher, value);
    case Word::matches:
      return matches(matcher, value);
    case Word::contains:
      return contains(matcher, value);
    case Word::empty:
      return when(is_empty(value));
    case Word::absent:
      return when(value.kind == Value::Kind::absent);
    case Word::exists:
      return when(value.kind != Value::Kind::absent);
    case Word::date_ahead:
    case Word::date_ago:
    case Word::date_near:
      return date(matcher, value, now);
    case Word::count:
      return size_matches(matcher, value, typing, now);
    case Word::negation: {
      auto inner = match(matcher.inner[0], value, typing, now);
      if (inner.is != Match::Is::no) return inner.is == Match::Is::yes ? no : inner;
      // Of what is not there nothing holds, and "not over 5" holds of no text.
      const auto word = matcher.inner[0].word;
      const bool is_of_nothing =
          (value.kind == Value::Kind::absent && word != Word::absent && word != Word::exists) ||
          (value.kind == Value::Kind::null && word == Word::empty);
      if (is_of_nothing || !inner.why.empty()) return {Match::Is::no, inner.why};
      return yes;
    }
    case Word::status_class:
      return status_class(matcher, value);
  }
  return no;
}

Match match_all(const Matcher& matcher, std::span<const Value> values, Typing typing, double now) {
  if (matcher.word == Word::count) return match(matcher.inner[0], Value::count(values.size()), typing, now);
  if (matcher.word == Word::absent || matcher.word == Word::empty) return when(values.empty());
  if (matcher.word == Word::exists) return when(!values.empty());
  if (matcher.word == Word::negation &&
      (matcher.inner[0].word == Word::absent || (matcher.inner[0].word == Word::empty && values.empty()) ||
       matcher.inner[0].word == Word::exists || matcher.inner[0].word == Word::count)) {
    const auto inner = match_all(matcher.inner[0], values, typing, now);
    return inner.is == Match::Is::unknown ? inner : when(inner.is == Match::Is::no);
  }
  if (matcher.word == Word::contains) {
    // A list contains a value when one of its elements is it.
    const auto wanted = text_of(matcher.operands[0]);
    return when(std::any_of(values.begin(), values.end(),
                            [&](const Value& value) { return is_element(value, wanted); }));
  }
  if (matcher.word == Word::negation && matcher.inner[0].word == Word::contains) {
    const auto& inner = matcher.inner[0];
    const auto culprit = std::find_if(values.begin(), values.end(), [&](const Value& value) {
      return is_element(value, text_of(inner.operands[0])) || contains(inner, value).is == Match::Is::yes;
    });
    return culprit == values.end() ? yes : Match{Match::Is::no, {}, &*culprit};
  }
  for (const auto& value : values)
    if (auto one = match(matcher, value, typing, now); one.is != Match::Is::yes) {
      one.culprit = &value;
      return one;
    }
  return yes;
}

}  // namespace staithe::checks
