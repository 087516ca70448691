#include "script.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace staithe::stage {
namespace {

bool is_word(char c) {
  return base::is_alnum(c) || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}

/// Goes through SQL one token at a time, as far as quoting goes.
/// https://www.postgresql.org/docs/current/sql-syntax-lexical.html
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }
  bool done() const { return at_ >= text_.size(); }

  /// Steps over one token: a quoted thing, a comment, a word, or one other character, which is given back.
  char step() {
    const char c = text_[at_];
    if (text_.substr(at_, 2) == "--") return skip_to(text_.find('\n', at_));
    if (text_.substr(at_, 2) == "/*") return skip_comment();
    if (c == '\'') return skip_quoted('\'', escapes_);
    if (c == '"') return skip_quoted('"', false);
    if (c == '$') return skip_dollar();
    if (is_word(c)) return skip_word();
    ++at_;
    return c;
  }

 private:
  char skip_to(std::size_t end) {
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
    return '\n';
  }
  char skip_comment() {
    int depth = 0;
    while (at_ < text_.size()) {
      const auto two = text_.substr(at_, 2);
      if (two == "/*") ++depth;
      if (two == "*/") --depth;
      at_ += two == "/*" || two == "*/" ? 2 : 1;
      if (depth == 0) break;
    }
    return ' ';
  }
  char skip_quoted(char quote, bool escapes) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (escapes && text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == quote) {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != quote) break;
        ++at_;
      }
    }
    at_ = std::min(at_ + 1, text_.size());
    escapes_ = false;
    return ' ';
  }
  char skip_dollar() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_word(text_[end])) ++end;
    if (end >= text_.size() || text_[end] != '$') {
      ++at_;
      return '$';
    }
    const auto tag = text_.substr(at_, end - at_ + 1);
    const auto close = text_.find(tag, end + 1);
    at_ = close == std::string_view::npos ? text_.size() : close + tag.size();
    return ' ';
  }
  char skip_word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '$')) ++at_;
    // E'…' has backslash escapes.
    escapes_ = at_ - begin == 1 && (text_[begin] == 'E' || text_[begin] == 'e');
    return 'a';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool escapes_ = false;
};

std::optional<Oid> number_after(std::string_view line, std::string_view word) {
  const auto at = line.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + word.size());
  Oid value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

/// "-- Name: x; Type: TABLE; Schema: public; Owner: -"
void read_name(std::string_view line, Entry& entry) {
  const auto owner = line.rfind("; Owner: ");
  const auto schema = line.rfind("; Schema: ", owner);
  const auto type = line.rfind("; Type: ", schema);
  constexpr std::size_t name_begins = 9;
  if (type == std::string_view::npos || type < name_begins) return;
  entry.name = line.substr(name_begins, type - name_begins);
  entry.type = line.substr(type + 8, schema - type - 8);
  entry.schema = line.substr(schema + 10, owner - schema - 10);
}

}  // namespace

std::size_t end_of_statement(std::string_view sql) {
  for (Scanner scanner(sql); !scanner.done();)
    if (scanner.step() == ';') return scanner.at();
  return sql.size();
}

std::vector<Entry> split_script(std::string_view script, std::string& preamble) {
  std::vector<Entry> entries;
  const auto sql = [&]() -> std::string& { return entries.empty() ? preamble : entries.back().sql; };
  Scanner scanner(script);
  while (!scanner.done()) {
    const std::size_t begin = scanner.at();
    const bool line_start = begin == 0 || script[begin - 1] == '\n';
    if (line_start && script[begin] == '\\') {
      while (!scanner.done() && script[scanner.at()] != '\n') scanner.step();
      continue;
    }
    scanner.step();
    const auto token = script.substr(begin, scanner.at() - begin);
    if (!line_start || !token.starts_with("--")) {
      sql() += token;
      continue;
    }
    if (token.starts_with("-- TOC entry ")) {
      Entry entry;
      entry.catalogue = number_after(token, "(class ").value_or(0);
      entry.oid = number_after(token, " OID ").value_or(0);
      entries.push_back(std::move(entry));
    } else if (token.starts_with("-- Name: ") && !entries.empty()) {
      read_name(token.substr(0, token.find('\n')), entries.back());
    }
  }
  return entries;
}

}  // namespace staithe::stage
