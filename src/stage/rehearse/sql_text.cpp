#include "sql_text.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::stage {
namespace {

constexpr std::string_view header_mark = "staithe:";

using base::is_digit;
using base::lower;

bool starts_word(char c) {
  return base::is_alpha(c) || c == '_' || base::byte_of(c) >= 0x80;
}
bool continues_word(char c) {
  return starts_word(c) || is_digit(c) || c == '$';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/// Walks over the text once and hands out tokens; comments are skipped, headers among them noted.
class Lexer {
 public:
  Lexer(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics)
      : text_(text), file_(file), diagnostics_(diagnostics) {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') line_starts_.push_back(i + 1);
  }

  /// False at the end, or where a quote is not closed (which has been reported).
  bool next(Token& token) {
    skip_blank();
    if (at_ >= text_.size()) return false;
    token.begin = at_;
    token.text.clear();
    const char c = text_[at_];
    const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    bool ok = true;
    if (c == '\'') {
      ok = string(token, false);
    } else if (c == '"') {
      ok = quoted(token);
    } else if ((c == 'e' || c == 'E') && after == '\'') {
      ++at_;
      ok = string(token, true);
    } else if ((c == 'b' || c == 'B' || c == 'x' || c == 'X' || c == 'n' || c == 'N') && after == '\'') {
      ++at_;
      ok = string(token, false);
    } else if ((c == 'u' || c == 'U') && after == '&' && at_ + 2 < text_.size() &&
               (text_[at_ + 2] == '\'' || text_[at_ + 2] == '"')) {
      at_ += 2;
      ok = text_[at_] == '"' ? quoted(token) : string(token, false);
    } else if (c == '$' && dollar(token, ok)) {
    } else if (starts_word(c)) {
      word(token);
    } else if (is_digit(c) || (c == '.' && is_digit(after))) {
      number(token);
    } else {
      token.kind = TokenKind::symbol;
      token.text.assign(1, c);
      ++at_;
    }
    token.end = at_;
    return ok;
  }

  diag::Position place(std::size_t offset) const {
    const auto line = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset) - 1;
    const auto column = base::code_points(text_.substr(*line, offset - *line)) + 1;
    return {file_, static_cast<std::uint32_t>(line - line_starts_.begin() + 1),
            static_cast<std::uint32_t>(column)};
  }

  std::vector<Header> take_headers() { return std::move(headers_); }

 private:
  void skip_blank() {
    while (at_ < text_.size()) {
      if (is_space(text_[at_])) {
        ++at_;
      } else if (text_.substr(at_, 2) == "--") {
        const std::size_t end = std::min(text_.find('\n', at_), text_.size());
        note_header(base::trim(text_.substr(at_ + 2, end - at_ - 2)));
        at_ = end;
      } else if (text_.substr(at_, 2) == "/*") {
        skip_block();
      } else {
        return;
      }
    }
  }

  void note_header(std::string_view comment) {
    if (!comment.starts_with(header_mark)) return;
    const auto where = place(at_);
    headers_.push_back(
        {std::string(base::trim(comment.substr(header_mark.size()))), where.line, where.column});
  }

  void skip_block() {
    const std::size_t begin = at_;
    int depth = 0;
    do {
      const auto two = text_.substr(at_, 2);
      if (two.size() < 2) {
        diagnostics_.error(place(begin), "this comment is not closed", {}, "end it with */");
        at_ = text_.size();
        return;
      }
      depth += two == "/*" ? 1 : two == "*/" ? -1 : 0;
      at_ += two == "/*" || two == "*/" ? 2 : 1;
    } while (depth > 0);
  }

  bool unclosed(std::size_t begin, std::string_view what) {
    diagnostics_.error(place(begin), "this " + std::string(what) + " is not closed");
    at_ = text_.size();
    return false;
  }

  bool string(Token& token, bool backslashes) {
    const std::size_t begin = at_++;
    token.kind = TokenKind::string;
    for (; at_ < text_.size(); ++at_) {
      if (backslashes && text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '\'') {
        if (at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
          ++at_;
          continue;
        }
        ++at_;
        token.text = text_.substr(token.begin, at_ - token.begin);
        return true;
      }
    }
    return unclosed(begin, "text in quotes");
  }

  bool quoted(Token& token) {
    const std::size_t begin = at_++;
    token.kind = TokenKind::quoted;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') {
        token.text += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        token.text += text_[at_++];
      } else {
        ++at_;
        return true;
      }
    }
    return unclosed(begin, "name in quotes");
  }

  /// "$$…$$" or "$tag$…$tag$"; false when it is something else ("$1").
  bool dollar(Token& token, bool& ok) {
    std::size_t end = at_ + 1;
    if (end < text_.size() && is_digit(text_[end])) return false;
    while (end < text_.size() && continues_word(text_[end]) && text_[end] != '$') ++end;
    if (end >= text_.size() || text_[end] != '$') return false;
    const auto tag = text_.substr(at_, end + 1 - at_);
    const std::size_t close = text_.find(tag, end + 1);
    token.kind = TokenKind::string;
    if (close == std::string_view::npos) {
      ok = unclosed(at_, "text after " + std::string(tag));
      return true;
    }
    at_ = close + tag.size();
    token.text = text_.substr(token.begin, at_ - token.begin);
    return true;
  }

  void word(Token& token) {
    token.kind = TokenKind::word;
    while (at_ < text_.size() && continues_word(text_[at_])) token.text += lower(text_[at_++]);
  }

  void number(Token& token) {
    token.kind = TokenKind::number;
    while (at_ < text_.size() && (continues_word(text_[at_]) || text_[at_] == '.'))
      token.text += text_[at_++];
  }

  std::string_view text_;
  const std::string& file_;
  diag::Diagnostics& diagnostics_;
  std::vector<std::size_t> line_starts_{0};
  std::vector<Header> headers_;
  std::size_t at_ = 0;
};

/// Whether a ';' ends the statement, from what was read of it.
class Nesting {
 public:
  void see(const Token& token, std::size_t index) {
    if (token.is_symbol('(')) ++parentheses_;
    if (token.is_symbol(')')) parentheses_ = std::max(0, parentheses_ - 1);
    if (index == 0) creates_ = token.is("create");
    if (creates_ && index > 0 && index <= 3 && (token.is("function") || token.is("procedure")))
      routine_ = true;
    if (!routine_) return;
    if (token.is("atomic") && after_begin_) ++bodies_;
    if (bodies_ > 0 && token.is("case")) ++bodies_;
    if (bodies_ > 0 && token.is("end")) --bodies_;
    after_begin_ = token.is("begin");
  }
  bool open() const { return parentheses_ > 0 || bodies_ > 0; }

 private:
  int parentheses_ = 0, bodies_ = 0;
  bool creates_ = false, routine_ = false, after_begin_ = false;
};

bool reads_stdin(const SqlStatement& statement) {
  const auto& tokens = statement.tokens;
  if (tokens.empty() || !tokens.front().is("copy")) return false;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
    if (tokens[i].is("from") && tokens[i + 1].is("stdin")) return true;
  return false;
}

}  // namespace

SqlFile split_sql(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics) {
  diagnostics.sources().add(file, std::string(text));
  SqlFile result;
  Lexer lexer(text, file, diagnostics);
  std::vector<Token> tokens;
  Nesting nesting;
  const auto finish = [&] {
    if (tokens.empty()) return;
    SqlStatement statement;
    const std::size_t begin = tokens.front().begin;
    statement.text = text.substr(begin, tokens.back().end - begin);
    const auto place = lexer.place(begin);
    statement.line = place.line;
    statement.column = place.column;
    for (auto& token : tokens) {
      token.begin -= begin;
      token.end -= begin;
    }
    statement.tokens = std::move(tokens);
    if (reads_stdin(statement))
      diagnostics.error(place, "COPY FROM STDIN is followed by rows, which only psql reads", {},
                        "use INSERT, or COPY from a file of the server");
    result.statements.push_back(std::move(statement));
    tokens.clear();
    nesting = Nesting();
  };
  for (Token token; lexer.next(token);) {
    if (token.is_symbol('\\') && tokens.empty()) {
      diagnostics.error(
          lexer.place(token.begin), "this is a command of psql, not SQL", {},
          "write the SQL itself; or rehearse the command that runs psql: stage rehearse -- psql …");
      break;
    }
    if (token.is_symbol(';') && !nesting.open()) {
      finish();
      continue;
    }
    nesting.see(token, tokens.size());
    tokens.push_back(token);
  }
  finish();
  result.headers = lexer.take_headers();
  return result;
}

}  // namespace staithe::stage
