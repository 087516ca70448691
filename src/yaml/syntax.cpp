#include "syntax.hpp"

#include "abbreviation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::yaml {
namespace {

struct Finding {
  std::size_t offset;
  std::string message;
  std::string help;
};

/// What yaml-cpp says, and what it means. The first that is contained in its message counts.
struct Meaning {
  std::string_view theirs;
  std::string_view message;
  std::string_view help;
};
constexpr std::array<Meaning, 9> meanings{{
    {"illegal tab", "a tab cannot indent", "use spaces"},
    {"illegal map value", "a ':' cannot stand here",
     "put a text that contains ': ' in quotes; a mapping starts on a line of its own, indented further"},
    {"illegal map key", "a key cannot stand here", "a mapping starts on a line of its own, indented further"},
    {"illegal block entry", "a list item cannot stand here", "a list starts on a line of its own"},
    {"referenced anchor", "anchors and aliases are not supported",
     "a text that starts with '*' needs quotes"},
    {"anchor", "anchors and aliases are not supported", "a text that starts with '&' needs quotes"},
    {"alias", "anchors and aliases are not supported", "a text that starts with '*' needs quotes"},
    {"tag", "tags are not supported", "a text that starts with '!' needs quotes"},
    {"bad file", "nested too deeply", ""},
}};

Finding unclosed_quote(std::size_t offset, const Source& source, const Builder& builder) {
  const std::size_t quote = source.opening_quote(builder.token_end());
  if (quote == npos) return {offset, "a quote is not closed", ""};
  return {quote, fmt::format("this {} is not closed", source.text()[quote]), "add the closing quote"};
}

/// A bracket that is open at `offset`. The parser's own idea of it lags behind: what may still turn out to be
/// a key has not been told yet.
std::size_t open_bracket(std::size_t offset, const Source& source, const Builder& builder) {
  const std::size_t known = builder.open_bracket();
  return source.open_bracket(known == npos ? builder.token_end() : known, offset);
}

Finding unclosed_bracket(std::size_t offset, const Source& source, std::size_t bracket) {
  if (bracket == npos) return {offset, "a bracket is not closed", ""};
  const auto& text = source.text();
  const char closing = text[bracket] == '[' ? ']' : '}';
  const std::size_t stop = source.skip_blanks(std::min(offset, text.size()));
  std::string where = "the end of the file";
  if (stop < text.size()) {
    const bool here = source.line_of(stop) == source.line_of(bracket) && text[stop] != closing;
    where = here ? fmt::format("'{}'", text[stop]) : fmt::format("line {}", source.line_of(stop) + 1);
  }
  return {bracket, fmt::format("this '{}' is not closed", text[bracket]),
          fmt::format("',' or '{}' is missing before {}", closing, where)};
}

/// Block structure that does not go on: either a wrong column, or text behind a quoted value.
Finding misplaced(std::size_t offset, const Source& source, const Builder& builder) {
  const auto& text = source.text();
  const std::size_t start = builder.token_start();
  const std::size_t end = std::min(builder.token_end(), text.size());
  const bool after_quote = end > start && start < text.size() &&
                           (text[start] == '"' || text[start] == '\'') && end <= offset &&
                           source.line_of(end) == source.line_of(offset);
  if (!after_quote)
    return {offset, "this line does not fit the lines before it",
            "keys of one mapping, and items of one list, start in the same column"};
  if (source.line_of(start) != source.line_of(end))
    return {offset, "text after a closing quote",
            fmt::format("the quoted text began on line {}: is its closing quote missing there?",
                        source.line_of(start) + 1)};
  return {offset, "text after a closing quote", "put the whole value in quotes, or none of it"};
}

/// In braces and brackets the parser takes a '?' inside of a text for the beginning of a key.
std::optional<Finding> cut_at_question_mark(std::size_t offset, std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  if (offset == 0 || text[offset] != '?' || (blanks.find(text[offset - 1]) != npos) ||
      std::string_view(",[{").find(text[offset - 1]) != npos)
    return std::nullopt;
  std::size_t begin = offset;
  while (begin > 0 && std::string_view(",[{\n").find(text[begin - 1]) == npos &&
         !(text[begin - 1] == ' ' && begin > 1 && text[begin - 2] == ':'))
    --begin;
  std::string_view whole = text.substr(begin, text.find_first_of(",]}\r\n", offset) - begin);
  whole.remove_prefix(std::min(whole.find_first_not_of(blanks), whole.size()));
  whole = whole.substr(0, whole.find_last_not_of(blanks) + 1);
  const bool plain = whole.find_first_of("\"\\") == npos;
  return Finding{offset, "in braces and brackets a text with a '?' inside needs quotes",
                 plain ? fmt::format("write \"{}\"", whole) : "put the whole text in quotes"};
}

Finding find(const std::string& message, std::size_t offset, const Source& source, const Builder& builder) {
  const auto says = [&](std::string_view part) { return message.find(part) != npos; };
  const char here = offset < source.text().size() ? source.text()[offset] : '\0';
  const std::size_t tab = source.indenting_tab(std::min(offset, source.text().size()));
  if (tab != npos) return {tab, "a tab cannot indent", "use spaces"};
  if (says("document indicator") || says("EOF in scalar")) return unclosed_quote(offset, source, builder);
  if (says("flow not found")) return unclosed_bracket(offset, source, open_bracket(offset, source, builder));
  if (says("end of map not found") || says("end of sequence not found"))
    return misplaced(offset, source, builder);
  if (says("flow end")) {
    const std::size_t bracket = open_bracket(offset, source, builder);
    if (bracket != npos) return unclosed_bracket(offset, source, bracket);
    return {offset, fmt::format("this '{}' closes nothing", here), "remove it, or put the text in quotes"};
  }
  if (says("unknown token") && here != '\0') {
    if (const auto cut = cut_at_question_mark(offset, source.text())) return *cut;
    return {offset, fmt::format("a text cannot start with '{}'", here), "put it in quotes"};
  }
  if (says("unknown escape") && offset >= 2 && offset <= source.text().size()) {
    // Their mark is behind the character behind the backslash.
    return {offset - 2, fmt::format("unknown escape \\{}", source.text()[offset - 1]),
            "write the text in single quotes, or the backslash twice"};
  }
  for (const auto& meaning : meanings)
    if (says(meaning.theirs)) return {offset, std::string(meaning.message), std::string(meaning.help)};
  std::string readable = message;
  std::erase(readable, Abbreviation::mark);
  return {offset, "not YAML: " + readable, ""};
}

}  // namespace

diag::Diagnostic explain_syntax_error(const std::string& message, std::size_t offset, Source& source,
                                      const Builder& builder) {
  Finding finding = find(message, offset, source, builder);
  return {diag::Severity::error, source.position(finding.offset), 1, std::move(finding.message),
          builder.path(),        std::move(finding.help)};
}

}  // namespace staithe::yaml
