#include "staithe/checks/judge.hpp"

#include "json_tree.hpp"
#include "jsonpath.hpp"
#include "match.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include <algorithm>

namespace staithe::checks {
namespace {

using nlohmann::json;

constexpr std::size_t deepest_body = 200;
/// What a subject finds is copied, and below '..' each node has all that lies under it once more.
constexpr std::size_t most_found = 100'000, most_found_bytes = 16 * 1024 * 1024;

/// The values that a subject finds, as far as that is bounded.
class Found {
 public:
  explicit Found(std::vector<Value>& values) : values_(values) {}
  /// Throws base::Error{invalid} where it is too much.
  void add(Value value) {
    bytes_ += value.text.size();
    values_.push_back(std::move(value));
    if (bytes_ > most_found_bytes || values_.size() > most_found)
      throw base::Error(base::ErrorCode::invalid,
                        fmt::format("it finds more than the {} values and {} that are looked at", most_found,
                                    base::bytes_text(most_found_bytes)));
  }

 private:
  std::vector<Value>& values_;
  std::size_t bytes_ = 0;
};

/// How a subject is to be looked for.
enum class Source { fact, json_dotted, json_path, xml };
struct Subject {
  Source source = Source::fact;
  std::string_view path;
};

Subject subject_of(std::string_view text) {
  if (text == "json") return {Source::json_dotted, {}};
  if (text.starts_with("json.")) return {Source::json_dotted, text.substr(5)};
  if (text.starts_with("json ")) return {Source::json_path, base::trim(text.substr(5))};
  if (text.starts_with("xml ")) return {Source::xml, base::trim(text.substr(4))};
  return {Source::fact, text};
}

JsonPath path_of(const Subject& subject) {
  return subject.source == Source::json_path ? JsonPath(subject.path) : JsonPath::dotted(subject.path);
}

Value value_of(const json& node) {
  Value value;
  switch (node.type()) {
    case json::value_t::string:
      return Value::of(node.get<std::string>());
    case json::value_t::boolean:
      return Value::of(node.get<bool>());
    case json::value_t::null:
    case json::value_t::discarded:
      value.kind = Value::Kind::null;
      value.text = "null";
      return value;
    case json::value_t::array:
    case json::value_t::object:
      value.kind = node.is_array() ? Value::Kind::list : Value::Kind::object;
      value.number = static_cast<double>(node.size());
      break;
    default:
      value.kind = Value::Kind::number;
      value.number = number_of(node);
  }
  value.text = written(node);
  return value;
}

/// A part of a dotted path; '*' has no query.
struct Part {
  std::string name;
  std::optional<JsonPath> query;
};

std::vector<Part> parts_of(std::string_view dotted) {
  std::vector<Part> parts;
  if (dotted.empty()) return parts;
  for (auto& name : base::split(dotted, '.')) {
    auto query = name == "*" ? std::nullopt : std::optional(JsonPath::dotted(name));
    parts.push_back({std::move(name), std::move(query)});
  }
  return parts;
}

/// Where a way of a path with '*' breaks off: "items.3.price" of the element that has none. Nothing when
/// every way leads to a value or to an empty list. A member that is not there may have been renamed: it was
/// not judged.
std::optional<std::string> gap_in(const json& node, std::span<const Part> parts) {
  if (parts.empty()) return std::nullopt;
  const auto& part = parts.front();
  const auto rest = parts.subspan(1);
  if (part.query) {
    const auto found = part.query->find(node);
    if (found.empty()) return part.name;
    const auto gap = gap_in(*found.front(), rest);
    return gap ? std::optional(part.name + "." + *gap) : std::nullopt;
  }
  if (!node.is_structured()) return part.name;
  std::size_t index = 0;
  for (auto one = node.begin(); one != node.end(); ++one, ++index)
    if (const auto gap = gap_in(*one, rest))
      return (node.is_object() ? one.key() : std::to_string(index)) + "." + *gap;
  return std::nullopt;
}

/// "$.a[*].b" and "$['a'][*].b" as "a.*.b"; nothing for a query that says more than that.
std::optional<std::string> as_dotted(std::string_view query) {
  if (!query.starts_with('$')) return std::nullopt;
  std::string dotted(query.substr(1));
  for (auto at = dotted.find("[*]"); at != std::string::npos; at = dotted.find("[*]"))
    dotted.replace(at, 3, ".*");
  for (auto at = dotted.find("['"); at != std::string::npos; at = dotted.find("['", at)) {
    const auto end = dotted.find("']", at);
    if (end == std::string::npos || dotted.find('.', at) < end) return std::nullopt;
    dotted.replace(end, 2, "").replace(at, 2, ".");
  }
  if (dotted.find("..") != std::string::npos || dotted.find_first_of("[]?()'\" ") != std::string::npos)
    return std::nullopt;
  return dotted.starts_with('.') ? dotted.substr(1) : dotted;
}

/// Whether a matcher asks something of every way of a path, and not whether there is one, none, or how many.
bool speaks_of_each(const Matcher& matcher) {
  using Word = Matcher::Word;
  if (matcher.word != Word::negation)
    return matcher.word == Word::exists || (matcher.word != Word::contains && !speaks_of_presence(matcher));
  const auto inner = matcher.inner[0].word;
  return inner == Word::absent || inner == Word::empty || !speaks_of_presence(matcher);
}

bool asks_how_many(const Matcher& matcher) {
  using Word = Matcher::Word;
  return matcher.word == Word::count || (matcher.word == Word::negation && asks_how_many(matcher.inner[0]));
}

bool fails_of_more(const Matcher& matcher);

/// Whether what holds of the first part of something holds of the whole, too.
bool holds_of_more(const Matcher& matcher) {
  using Word = Matcher::Word;
  const auto& inner = matcher.inner;
  if (matcher.word == Word::count) return holds_of_more(inner[0]);
  if (matcher.word == Word::negation) return fails_of_more(inner[0]);
  if (matcher.word == Word::one_of) return std::all_of(inner.begin(), inner.end(), holds_of_more);
  // Not what a pattern matches: it may speak of the end.
  return matcher.word == Word::contains || matcher.word == Word::exists || matcher.word == Word::at_least ||
         matcher.word == Word::over;
}

/// The same of what does not hold.
bool fails_of_more(const Matcher& matcher) {
  using Word = Matcher::Word;
  const auto& inner = matcher.inner;
  if (matcher.word == Word::count) return fails_of_more(inner[0]);
  if (matcher.word == Word::negation) return holds_of_more(inner[0]);
  if (matcher.word == Word::one_of) return std::all_of(inner.begin(), inner.end(), fails_of_more);
  return matcher.word == Word::absent || matcher.word == Word::empty || matcher.word == Word::at_most ||
         matcher.word == Word::under;
}

bool is_no_command(const std::string& exit) {
  return exit == "126" || exit == "127";
}
/// Whether a matcher says that very value: "not 1" does not mean 127.
bool names(const Matcher& matcher, const std::string& value) {
  if (matcher.word == Matcher::Word::equals) return matcher.operands[0].shown() == value;
  return matcher.word == Matcher::Word::one_of &&
         std::any_of(matcher.inner.begin(), matcher.inner.end(),
                     [&](const Matcher& inner) { return names(inner, value); });
}

std::string no_command_text(const std::string& exit) {
  return exit + " says that the command is not there, or cannot be run";
}

/// "" of what was read whole.
std::string only_a_part(const Reply& reply, std::string_view subject) {
  const auto cut = reply.cut.find(subject);
  return cut == reply.cut.end() ? ""
                                : fmt::format("there is more of it than the {} that are read", cut->second);
}
std::string body_too_large(const Reply& reply) {
  const auto cut = reply.cut.find("body");
  return cut == reply.cut.end()
             ? ""
             : fmt::format("the body is larger than the {} that are read of it", cut->second);
}

/// nlohmann's parser recurses for nothing, but its destructor and our walk do.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest_body) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

/// What a path says that names one value; `got` is what was there. The value outlives the match.
Match judge_one(const Expectation& expectation, const Judge::Selected& selected, Typing typing, double now,
                const Clean& clean, std::string& got) {
  const auto& matcher = expectation.matcher;
  static const Value nothing;
  const Value& value = selected.values.empty() ? nothing : selected.values.front();
  got = value.shown(clean);
  // How many there are is no secret, though all that they are may be.
  if (asks_how_many(matcher) && (value.kind == Value::Kind::list || value.kind == Value::Kind::object))
    got = Value::of_number(value.number).shown() + " in " + got;
  auto result = match(matcher, value, typing, now);
  if (result.is == Match::Is::yes && expectation.subject == "exit" && is_no_command(value.text) &&
      !names(matcher, value.text))
    result = {Match::Is::unknown, no_command_text(value.text), nullptr};
  return result;
}

/// The same of one that may find several: each must hold.
Match judge_many(const Matcher& matcher, const Judge::Selected& selected, Typing typing, double now,
                 const Clean& clean, std::string& got) {
  constexpr std::size_t most_shown = 5;
  const auto count = selected.values.size();
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(count, most_shown); ++i)
    shown.push_back(selected.values[i].shown(clean));
  got = count == 0
            ? "nothing"
            : fmt::format("{} values: {}{}", count, base::join(shown, ", "), count > most_shown ? ", …" : "");
  auto result = match_all(matcher, selected.values, typing, now);
  // Of a query that finds nothing nobody knows that there is an empty list.
  const bool may_be_lost =
      speaks_of_presence(matcher) && (matcher.word != Matcher::Word::empty || !selected.gap.empty());
  const bool finds_nothing =
      count == 0 ? selected.lost && !may_be_lost : !selected.gap.empty() && speaks_of_each(matcher);
  if (result.is == Match::Is::yes && finds_nothing) result.is = Match::Is::no;
  if (result.is == Match::Is::no && !selected.gap.empty())
    got += fmt::format("; {} is not there", shown_text(selected.gap, clean));
  return result;
}

/// What was not read, as `part` says, may decide otherwise. Where each value must hold, one that does not
/// has decided.
Match unless_cut(const Match& result, const Matcher& matcher, bool definite, const std::string& part) {
  const bool each = !definite && asks_each(matcher);
  const bool open = (result.is == Match::Is::yes && (each || !holds_of_more(matcher))) ||
                    (result.is == Match::Is::no && !each && !fails_of_more(matcher));
  return part.empty() || !open ? result : Match{Match::Is::unknown, part, nullptr};
}

}  // namespace

struct Judge::Body {
  bool parsed_json = false, parsed_xml = false;
  json document;
  pugi::xml_document xml;
  std::string json_trouble, xml_trouble;

  void need_json(const Reply& reply) {
    if (std::exchange(parsed_json, true)) return;
    json_trouble = body_too_large(reply);
    if (!json_trouble.empty()) return;
    if (too_deep(reply.body))
      json_trouble = "the body is nested too deeply";
    else if (reply.body.empty())
      json_trouble = "the body is empty";
    else
      document = read_json(reply.body);
  }

  /// Said anew each time: what must not be quoted may be known only later.
  std::string why_no_json(const Reply& reply, const Clean& clean) const {
    if (!json_trouble.empty() || !document.is_discarded()) return json_trouble;
    const std::string type = reply.content_type.empty() ? "" : " (" + reply.content_type + ")";
    return fmt::format("the body is not JSON{}: {}", type, Value::of(reply.body).shown(clean));
  }

  void need_xml(const Reply& reply) {
    if (std::exchange(parsed_xml, true)) return;
    xml_trouble = body_too_large(reply);
    if (!xml_trouble.empty()) return;
    const auto result = xml.load_buffer(reply.body.data(), reply.body.size());
    if (!result) xml_trouble = fmt::format("the body is not XML: {}", result.description());
  }

  Selected select_xml(const Reply& reply, const Subject& subject) {
    need_xml(reply);
    if (!xml_trouble.empty()) return {{}, true, xml_trouble};
    const pugi::xpath_query query(std::string(subject.path).c_str());
    if (query.return_type() == pugi::xpath_type_number)
      return {{Value::of_number(query.evaluate_number(xml))}, true, {}};
    if (query.return_type() == pugi::xpath_type_boolean)
      return {{Value::of(query.evaluate_boolean(xml))}, true, {}};
    if (query.return_type() == pugi::xpath_type_string)
      return {{Value::of(std::string(query.evaluate_string(xml)))}, true, {}};
    Selected selected;
    Found found(selected.values);
    auto nodes = query.evaluate_node_set(xml);
    nodes.sort();
    for (const auto& node : nodes)
      found.add(
          Value::of(std::string(node.attribute() ? node.attribute().value() : node.node().text().get())));
    selected.definite = selected.values.size() == 1;
    selected.lost = selected.values.empty();
    return selected;
  }

  Selected select_json(const Reply& reply, const Subject& subject, const Clean& clean) {
    need_json(reply);
    if (auto why = why_no_json(reply, clean); !why.empty()) return {{}, true, std::move(why)};
    Selected selected;
    Found found(selected.values);
    const auto path = path_of(subject);
    for (const auto* node : path.find(document)) found.add(value_of(*node));
    selected.definite = path.singular();
    if (selected.definite) return selected;
    // "every element is one of these" holds of an empty list, not of a list or a member that is not there.
    // What a query of RFC 9535 finds is what it asks for; "items.*.id" is the id of every item.
    const bool is_query = subject.source == Source::json_path;
    if (is_query && !selected.values.empty()) return selected;
    const auto dotted = is_query ? as_dotted(subject.path) : std::string(subject.path);
    const auto gap = dotted ? gap_in(document, parts_of(*dotted)) : std::nullopt;
    selected.lost = selected.values.empty() && (!dotted || gap);
    selected.gap = gap.value_or("");
    return selected;
  }
};

Judge::Judge(const Reply& reply, double now, Clean clean)
    : body_(std::make_unique<Body>()), reply_(reply), now_(now), clean_(std::move(clean)) {}
Judge::~Judge() = default;

Judge::Selected Judge::select(std::string_view text) const {
  const auto subject = subject_of(text);
  if (subject.source == Source::fact) {
    Selected selected;
    if (const auto fact = reply_.facts.find(text); fact != reply_.facts.end())
      selected.values.push_back(fact->second);
    else if (text == "body")
      selected.values.push_back(Value::of(reply_.body));
    return selected;
  }
  try {
    return subject.source == Source::xml ? body_->select_xml(reply_, subject)
                                         : body_->select_json(reply_, subject, clean_);
  } catch (const base::Error& error) {
    // The path itself was read with the suite: this is one of our limits.
    return {{}, true, error.what(), true};
  } catch (const pugi::xpath_exception& error) {
    return {{}, true, std::string("the XPath is invalid: ") + error.what()};
  }
}

Judge::Selected Judge::judged_in(std::string_view subject) const {
  auto selected = select(subject);
  if (!subject.starts_with("column.") || selected.values.empty()) return selected;
  auto rows = std::move(selected.values.front().items);
  selected.values = std::move(rows);
  selected.definite = false;
  return selected;
}

Judged Judge::judge(const Expectation& expectation) const {
  Judged judged;
  judged.subject = expectation.subject;
  judged.wanted = expectation.wanted;
  judged.position = expectation.position;
  const auto selected = judged_in(expectation.subject);
  if (selected.unjudged) {
    judged.why = selected.why;
    return judged;
  }
  if (!selected.why.empty()) {
    // A body that is not what was promised is the system's fault, and was judged: it is absent.
    judged.outcome = Judged::Outcome::differs;
    judged.got = selected.why;
    return judged;
  }
  const auto typing = expectation.subject.starts_with("json") ? Typing::strict : Typing::lenient;
  auto result = selected.definite
                    ? judge_one(expectation, selected, typing, now_, clean_, judged.got)
                    : judge_many(expectation.matcher, selected, typing, now_, clean_, judged.got);
  result =
      unless_cut(result, expectation.matcher, selected.definite, only_a_part(reply_, expectation.subject));
  if (result.is == Match::Is::unknown) {
    judged.why = result.why;
    return judged;
  }
  judged.outcome = result.is == Match::Is::yes ? Judged::Outcome::held : Judged::Outcome::differs;
  const bool is_about_nothing =
      reply_.hollow.count(expectation.subject) > 0 || (!selected.definite && selected.values.empty());
  judged.nothing =
      result.is == Match::Is::yes && is_about_nothing && !speaks_of_presence(expectation.matcher);
  if (result.culprit != nullptr && result.why.empty()) result.why = "not " + result.culprit->shown(clean_);
  if (const auto behind = reply_.behind.find(expectation.subject); behind != reply_.behind.end())
    if (result.why.empty()) result.why = shown_text(behind->second, clean_);
  if (result.is == Match::Is::no && !result.why.empty()) judged.got += " (" + result.why + ")";
  return judged;
}

bool says_no_command(const Reply& reply) {
  const auto exit = reply.facts.find("exit");
  return exit != reply.facts.end() && is_no_command(exit->second.text);
}

bool name_exit_of(const Reply& reply, const std::vector<Expectation>& expectations) {
  const auto exit = reply.facts.find("exit");
  return exit != reply.facts.end() &&
         std::any_of(expectations.begin(), expectations.end(), [&](const Expectation& one) {
           return one.subject == "exit" && names(one.matcher, exit->second.text);
         });
}

void doubt_without_command(const Reply& reply, std::vector<Judged>& judged) {
  using Outcome = Judged::Outcome;
  if (std::any_of(judged.begin(), judged.end(),
                  [](const Judged& one) { return one.outcome == Outcome::differs; }))
    return;
  for (auto& one : judged) {
    if (one.outcome != Outcome::held) continue;
    one.outcome = Outcome::unjudged;
    one.why = no_command_text(reply.facts.find("exit")->second.text);
  }
}

std::string check_subject(std::string_view text) {
  const auto subject = subject_of(text);
  try {
    if (subject.source == Source::json_dotted || subject.source == Source::json_path) path_of(subject);
    if (subject.source == Source::xml) pugi::xpath_query(std::string(subject.path).c_str());
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace staithe::checks
