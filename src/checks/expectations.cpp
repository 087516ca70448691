#include "step_reader.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 2> of_polling{"waited", "polls"};
constexpr std::array<std::string_view, 6> times{"time", "waited", "lag", "p50", "p95", "p99"};

bool is_known(std::string_view subject, const Kind& kind) {
  const auto fits = [&](std::string_view known) {
    const bool prefix = known.ends_with('.') || known.ends_with(' ');
    return prefix ? subject.starts_with(known) && subject.size() > known.size() : subject == known;
  };
  return std::any_of(kind.subjects.begin(), kind.subjects.end(), fits) ||
         std::any_of(of_polling.begin(), of_polling.end(), fits);
}

bool check_name(const yaml::Reader& at, const std::string& subject, const Kind& kind) {
  if (!is_known(subject, kind)) {
    std::vector<std::string> known(kind.subjects.begin(), kind.subjects.end());
    const auto near = base::nearest(subject, known);
    at.error(fmt::format("'{}' tells nothing of '{}'", kind.name, subject),
             near ? fmt::format("did you mean '{}'?", *near) : "it tells of " + base::join(known, ", "));
    return false;
  }
  if (const auto why = check_subject(subject); !why.empty()) {
    at.error(fmt::format("'{}' is no path: {}", subject, why));
    return false;
  }
  return true;
}

bool is_numeric(Matcher::Word word) {
  using Word = Matcher::Word;
  return word == Word::at_least || word == Word::at_most || word == Word::over || word == Word::under ||
         word == Word::range;
}

/// "time: 3s": to the microsecond?
bool can_be_met(std::string_view subject, const Matcher& matcher) {
  return subject == "lag" || std::find(times.begin(), times.end(), subject) == times.end() ||
         matcher.form == Matcher::Form::quoted || !parse_quantity(matcher.operands[0].shown());
}

/// "status: 20x" is a slip, for nothing can be both, and so is "success: all".
bool check_number(const yaml::Reader& at, const Names& names, const std::string& subject,
                  const Matcher& matcher) {
  constexpr std::array<std::string_view, 13> numbers{"status", "size",      "redirects", "time",  "p50",
                                                     "p95",    "p99",       "waited",    "polls", "rows",
                                                     "lag",    "days_left", "success"};
  if (std::find(numbers.begin(), numbers.end(), subject) == numbers.end()) return true;
  if (matcher.word != Matcher::Word::equals || !matcher.operands[0].is_literal()) return true;
  const auto text = matcher.operands[0].shown();
  const auto value = parse_quantity(text);
  if (!can_be_met(subject, matcher)) {
    const bool has_unit = value->unit == Value::Unit::duration;
    names.mistake(at, fmt::format("{} is never {} exactly", subject, text),
                  fmt::format("write 'at most {}{}'", text, has_unit ? "" : "s"));
    return false;
  }
  const bool status = subject == "status";
  const bool quoted = matcher.form == Matcher::Form::quoted;
  if (value && !quoted && (!status || (value->number >= 100 && value->number <= 999))) return true;
  names.mistake(at,
                fmt::format("{}{}{} can never be the {}, which is a number{}", quoted ? '"' : '\'', text,
                            quoted ? '"' : '\'', subject, status ? " of three digits" : ""),
                value && quoted        ? "leave the quotes out"
                : status               ? "write 200, 2xx, 200 to 299 or [200, 204]"
                : subject == "success" ? "write 'at least 19 of 20', or a number"
                                       : "write a number, or 'at most N'");
  return false;
}

/// "time: at most 3": of what?
bool check_units(const yaml::Reader& at, const Names& names, const std::string& subject,
                 const Matcher& matcher) {
  if (std::find(times.begin(), times.end(), subject) == times.end() || !is_numeric(matcher.word)) return true;
  for (const auto& operand : matcher.operands) {
    if (!operand.is_literal()) continue;
    const auto value = parse_quantity(operand.shown());
    if (value && value->unit == Value::Unit::duration) continue;
    names.mistake(at, fmt::format("'{}' has no unit of time", operand.shown()), "write 3s, 800ms or 2m");
    return false;
  }
  return true;
}

/// "json.n: at least 3 of 20": of what?
bool check_of(const yaml::Reader& at, const Names& names, const std::string& subject,
              const Matcher& matcher) {
  if (!matcher.of || subject == "success") return true;
  names.mistake(
      at, fmt::format("'of {}' counts the answers of a sample, and {} is none of that", *matcher.of, subject),
      "leave it out; or quote it when the text is meant");
  return false;
}

/// Whether the subject can ever be what is wanted; what cannot is a mistake at `at`.
bool can_hold(const yaml::Reader& at, const Names& names, const std::string& subject,
              const Matcher& matcher) {
  const bool is_about_it = matcher.word != Matcher::Word::count;
  return check_of(at, names, subject, matcher) && check_units(at, names, subject, matcher) &&
         check_number(at, names, subject, matcher) &&
         std::all_of(matcher.inner.begin(), matcher.inner.end(), [&](const auto& inner) {
           return is_about_it ? can_hold(at, names, subject, inner) : check_of(at, names, subject, inner);
         });
}

/// What is wanted in words, and as a matcher.
std::optional<Matcher> read_phrase(const yaml::Reader& at, const Names& names, const Text& text,
                                   Matcher::Form form, std::string& wanted) {
  std::string why, help;
  auto matcher = parse_matcher(text, form, why, help);
  if (!matcher) {
    names.mistake(at, std::move(why), std::move(help));
    return std::nullopt;
  }
  wanted +=
      form == Matcher::Form::quoted ? "\"" + text.shown() + "\"" : std::string(base::trim(text.shown()));
  return matcher;
}

/// A value put in for a name has no quotes of its own: 0012 may be text or a number.
Matcher::Form form_of(const yaml::Node& node, const Names& names) {
  if (node.quoted) return Matcher::Form::quoted;
  if (names_in(node.text).empty()) return Matcher::Form::plain;
  return names.is_cell(node.text) ? Matcher::Form::cell : Matcher::Form::substituted;
}

std::optional<Matcher> read_scalar(const yaml::Reader& reader, const Names& names, std::string& wanted) {
  const auto& node = reader.node();
  if (node.refused) return std::nullopt;
  if (node.kind == yaml::Kind::map || node.kind == yaml::Kind::list) {
    reader.error("an expectation is a phrase or a list of values");
    return std::nullopt;
  }
  if (node.kind == yaml::Kind::null && node.text.empty()) {
    reader.error("nothing is written here", "write null when that is wanted; '#' begins a comment: quote it");
    return std::nullopt;
  }
  const auto text = names.expand(node.kind == yaml::Kind::null ? "null" : node.text, reader);
  if (!text) return std::nullopt;
  for (const auto& piece : text->pieces())
    if (std::holds_alternative<plan::SecretRef>(piece)) {
      reader.error("a secret cannot be compared with: what is wanted is printed");
      return std::nullopt;
    }
  const auto form = form_of(node, names);
  auto matcher = read_phrase(reader, names, *text, form, wanted);
  if (!matcher || form != Matcher::Form::substituted) return matcher;
  const auto& core = matcher->word == Matcher::Word::negation ? matcher->inner.front() : *matcher;
  std::string why, help;
  if (core.word != Matcher::Word::equals || !is_slip_around(with_holes(node.text), why, help)) return matcher;
  reader.error(std::move(why), std::move(help));
  return std::nullopt;
}

/// Adds one of the values of a list, if there is nothing wrong with it.
bool add_value(const yaml::Reader& at, const Names& names, const std::string& subject,
               std::optional<Matcher> matcher, Matcher& list) {
  if (!matcher || !can_hold(at, names, subject, *matcher)) return false;
  list.inner.push_back(std::move(*matcher));
  return true;
}

bool read_list(const yaml::Reader& reader, const Names& names, const std::string& subject,
               Expectation& expectation) {
  const auto items = reader.list();
  if (!items || items->empty()) {
    reader.error("a list of no value can never hold");
    return false;
  }
  for (const auto& item : *items) {
    if (&item != &items->front()) expectation.wanted += ", ";
    if (!add_value(item, names, subject, read_scalar(item, names, expectation.wanted), expectation.matcher))
      return false;
  }
  return true;
}

/// "[a, b]" in a cell is a list as it is in a suite, but that no name stands in it for a value.
bool read_list_of_cell(const yaml::Reader& reader, const Names& names, const std::string& subject,
                       const std::string& cell, Expectation& expectation) {
  diag::Diagnostics own;
  const auto root = yaml::parse(cell, "cell", own);
  const bool values = root && root->kind == yaml::Kind::list && !root->items.empty() &&
                      std::all_of(root->items.begin(), root->items.end(), [](const yaml::Node& item) {
                        return item.kind == yaml::Kind::scalar || !item.text.empty();
                      });
  if (!values || own.has_errors()) {
    names.mistake(
        reader, fmt::format("'{}' is not a list of values", cell),
        "write [a, b]; or quote the column's name in the suite, \"$(case.NAME)\", when its cells are "
        "texts");
    return false;
  }
  for (const auto& item : root->items) {
    if (&item != &root->items.front()) expectation.wanted += ", ";
    const auto form = item.quoted ? Matcher::Form::quoted : Matcher::Form::cell;
    auto matcher = read_phrase(reader, names, Text(item.text), form, expectation.wanted);
    if (!add_value(reader, names, subject, std::move(matcher), expectation.matcher)) return false;
  }
  return true;
}

/// "[not a, not b]": whatever is not the one of them.
bool always_holds(const Matcher& list) {
  return std::count_if(list.inner.begin(), list.inner.end(), [](const Matcher& one) {
           return one.word == Matcher::Word::negation && one.inner[0].word == Matcher::Word::equals;
         }) > 1;
}

/// The text of a cell that begins a list.
std::optional<std::string> list_of_cell(const yaml::Reader& reader, const Names& names) {
  const auto& node = reader.node();
  if (node.kind != yaml::Kind::scalar || node.quoted || !names.is_cell(node.text)) return std::nullopt;
  const auto text = names.expand(node.text, reader);
  std::string cell(base::trim(text ? text->shown() : ""));
  return cell.starts_with('[') ? std::optional(std::move(cell)) : std::nullopt;
}

std::optional<Expectation> read_one(const yaml::Reader& reader, std::string subject, const Kind& kind,
                                    const Names& names) {
  if (!check_name(reader, subject, kind)) return std::nullopt;
  Expectation expectation;
  expectation.position = reader.node().position;
  const auto cell = list_of_cell(reader, names);
  if (cell || reader.node().kind == yaml::Kind::list) {
    expectation.matcher.word = Matcher::Word::one_of;
    expectation.wanted = "one of ";
    if (!(cell ? read_list_of_cell(reader, names, subject, *cell, expectation)
               : read_list(reader, names, subject, expectation)))
      return std::nullopt;
    if (always_holds(expectation.matcher)) {
      names.mistake(reader, fmt::format("'{}' always holds: one of them is enough", expectation.wanted),
                    "write 'not matches ^(a|b)$' for neither of two");
      return std::nullopt;
    }
  } else {
    auto matcher = read_scalar(reader, names, expectation.wanted);
    if (!matcher || !can_hold(reader, names, subject, *matcher)) return std::nullopt;
    expectation.matcher = std::move(*matcher);
  }
  expectation.subject = std::move(subject);
  return expectation;
}

/// Header names have no case.
std::string canonical(const std::string& subject) {
  return subject.starts_with("header.") ? base::lower(subject) : subject;
}

}  // namespace

std::vector<Expectation> read_expectations(const yaml::Reader& reader, const Kind& kind, const Names& names) {
  std::vector<Expectation> expectations;
  if (reader.node().kind != yaml::Kind::map) {
    if (auto one = read_one(reader, std::string(kind.main_subject), kind, names))
      expectations.push_back(std::move(*one));
    return expectations;
  }
  const auto members = reader.map();
  if (!members) return expectations;
  if (members->empty())
    reader.error("this says nothing: it could never fail", "say what must hold, or leave it out");
  for (const auto& member : *members)
    if (auto one = read_one(member.value, canonical(member.key.value), kind, names))
      expectations.push_back(std::move(*one));
  return expectations;
}

}  // namespace staithe::checks
