#include "shell_scanner.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace staithe::steps {
namespace {

constexpr std::array<std::string_view, 9> keywords{"if",    "then", "else", "elif", "while",
                                                   "until", "do",   "!",    "{"};
/// No program is run for these.
constexpr std::array<std::string_view, 9> builtins{"echo",     "printf", "test", "[",   "export",
                                                   "readonly", "local",  ":",    "case"};

bool is_one_of(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  const auto name = word.substr(0, equals);
  return !base::is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return base::is_alnum(c) || c == '_'; });
}

/// What stands in front of the last word's end since the last command began.
std::string_view last_command(std::string_view script) {
  std::size_t start = script.size();
  while (start > 0) {
    const char c = script[start - 1];
    const bool continued = c == '\n' && start > 1 && script[start - 2] == '\\';
    if (std::string_view("\n;&|(").find(c) != std::string_view::npos && !continued) break;
    --start;
  }
  return script.substr(start);
}

}  // namespace

bool becomes_argument(std::string_view before) {
  std::string_view rest = last_command(before);
  for (;;) {
    const std::size_t begin = rest.find_first_not_of(" \t\\\n");
    // The value itself is the name of the command, and so the first of its arguments.
    if (begin == std::string_view::npos) return true;
    rest.remove_prefix(begin);
    const std::size_t end = rest.find_first_of(" \t\\\n");
    const std::string_view word = rest.substr(0, end);
    const bool assigns = is_assignment(word);
    if (end == std::string_view::npos && assigns) return false;
    if (!assigns && !is_one_of(keywords, word)) return !is_one_of(builtins, word);
    if (end == std::string_view::npos) return true;
    rest.remove_prefix(end);
  }
}

void ShellScanner::feed(std::string_view literal) {
  for (const char c : literal) step(c);
}

void ShellScanner::passed_value(std::string_view written) {
  at_word_start_ = false;
  recent_.clear();
  if (!reading_document_) return;
  line_ += written;
  line_has_value_ = true;
}

ShellScanner::Place ShellScanner::place() const {
  if (reading_delimiter_) return Place::fragile;
  if (reading_document_) {
    return documents_.front().quoted ? Place::quoted_here_document : Place::here_document;
  }
  const bool fragile = std::any_of(nests_.begin(), nests_.end(), [](Nest nest) {
    return nest == Nest::backquotes || nest == Nest::braces || nest == Nest::arithmetic ||
           nest == Nest::comment;
  });
  if (fragile) return Place::fragile;
  if (in(Nest::single_quotes)) return Place::single_quotes;
  if (in(Nest::double_quotes)) return Place::double_quotes;
  return Place::bare;
}

std::optional<char> ShellScanner::open_quote() const {
  for (const Nest nest : nests_) {
    if (nest == Nest::single_quotes) return '\'';
    if (nest == Nest::double_quotes) return '"';
    if (nest == Nest::backquotes) return '`';
  }
  return std::nullopt;
}

void ShellScanner::step(char c) {
  if (reading_document_) return step_document(c);
  if (reading_delimiter_) return step_delimiter(c);
  if (in(Nest::comment)) {
    if (c != '\n') return;
    nests_.pop_back();
  }
  if (in(Nest::single_quotes)) {
    if (c == '\'') nests_.pop_back();
    return;
  }
  if (escape_) {
    escape_ = false;
    at_word_start_ = false;
    recent_.clear();
    return;
  }
  if (c == '\\') {
    escape_ = true;
    recent_.clear();
    return;
  }
  if (recent_ == "$" && (c == '(' || c == '{')) return open_dollar(c);
  if (recent_ == "$(" && c == '(' && in(Nest::parentheses)) {
    nests_.back() = Nest::arithmetic;
    nests_.push_back(Nest::parentheses);
    recent_.clear();
    return;
  }
  if (in(Nest::double_quotes)) return step_double_quotes(c);
  step_code(c);
}

void ShellScanner::open_dollar(char c) {
  nests_.push_back(c == '{' ? Nest::braces : Nest::parentheses);
  recent_ = c == '{' ? "" : "$(";
  at_word_start_ = c == '(';
}

void ShellScanner::step_double_quotes(char c) {
  recent_.clear();
  if (c == '"') nests_.pop_back();
  if (c == '`') nests_.push_back(Nest::backquotes);
  if (c == '$') recent_ = "$";
}

void ShellScanner::step_code(char c) {
  const std::string before = std::exchange(recent_, {});
  const bool word_start = std::exchange(at_word_start_, false);
  switch (c) {
    case '\'':
      nests_.push_back(Nest::single_quotes);
      return;
    case '"':
      nests_.push_back(Nest::double_quotes);
      return;
    case '`':
      if (in(Nest::backquotes)) {
        nests_.pop_back();
      } else {
        nests_.push_back(Nest::backquotes);
        at_word_start_ = true;
      }
      return;
    case '$':
      recent_ = "$";
      return;
    case '}':
      if (in(Nest::braces)) nests_.pop_back();
      return;
    case '(':
      nests_.push_back(Nest::parentheses);
      at_word_start_ = true;
      return;
    case ')':
      if (in(Nest::parentheses) || in(Nest::arithmetic)) nests_.pop_back();
      return;
    case '<':
      // A shift inside $((…)) is no here-document.
      if (before == "<" && std::find(nests_.begin(), nests_.end(), Nest::arithmetic) == nests_.end()) {
        documents_.emplace_back();
        reading_delimiter_ = true;
        delimiter_quote_ = '\0';
        recent_ = "<<";
      } else {
        recent_ = "<";
      }
      return;
    case '#':
      if (word_start && !in(Nest::braces)) nests_.push_back(Nest::comment);
      return;
    case '\n':
      at_word_start_ = true;
      if (!documents_.empty()) {
        reading_document_ = true;
        line_.clear();
        line_has_value_ = false;
      }
      return;
    case ' ':
    case '\t':
    case ';':
    case '&':
    case '|':
      at_word_start_ = true;
      return;
    default:
      return;
  }
}

void ShellScanner::step_delimiter(char c) {
  Document& document = documents_.back();
  if (recent_ == "<<") {
    recent_.clear();
    if (c == '<') {  // a here-string
      documents_.pop_back();
      reading_delimiter_ = false;
      return;
    }
    if (c == '-') {
      document.strips_tabs = true;
      return;
    }
  }
  if (delimiter_quote_ != '\0') {
    if (c == delimiter_quote_) {
      delimiter_quote_ = '\0';
    } else {
      document.delimiter += c;
    }
    return;
  }
  if (c == '\'' || c == '"') {
    document.quoted = true;
    delimiter_quote_ = c;
    return;
  }
  if (c == '\\') {
    document.quoted = true;
    return;
  }
  const bool ends = std::string_view(" \t\n;&|<>()").find(c) != std::string_view::npos;
  if (!ends) {
    document.delimiter += c;
    return;
  }
  if (document.delimiter.empty() && (c == ' ' || c == '\t')) return;
  reading_delimiter_ = false;
  step(c);
}

void ShellScanner::step_document(char c) {
  if (c != '\n') {
    line_ += c;
    return;
  }
  const Document& document = documents_.front();
  std::string_view line = line_;
  if (document.strips_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
  if (line == document.delimiter) {
    ended_by_value_ = ended_by_value_ || line_has_value_;
    documents_.pop_front();
    reading_document_ = !documents_.empty();
    at_word_start_ = true;
  }
  line_.clear();
  line_has_value_ = false;
}

}  // namespace staithe::steps
