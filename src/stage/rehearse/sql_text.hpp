#pragma once
#include "staithe/diag/diagnostic.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::stage {

enum class TokenKind { word, quoted, string, number, symbol };

/// A piece of SQL. Offsets are bytes of the text that was read.
struct Token {
  TokenKind kind = TokenKind::symbol;
  std::string text;  ///< a word in lower case; a quoted name without its quotes; else as written
  std::size_t begin = 0, end = 0;

  bool is(std::string_view word) const { return kind == TokenKind::word && text == word; }
  bool is_one_of(const auto& words) const {
    return kind == TokenKind::word && std::find(std::begin(words), std::end(words), text) != std::end(words);
  }
  bool is_symbol(char c) const { return kind == TokenKind::symbol && text.size() == 1 && text[0] == c; }
  bool is_name() const { return kind == TokenKind::word || kind == TokenKind::quoted; }
};

struct SqlStatement {
  std::string text;  ///< without the ';' and what stands around it
  std::uint32_t line = 0, column = 0;
  std::vector<Token> tokens;  ///< their offsets are of `text`
};

/// A comment line "-- staithe: WORDS" and where it stands.
struct Header {
  std::string words;
  std::uint32_t line = 0, column = 0;
};

struct SqlFile {
  std::vector<SqlStatement> statements;
  std::vector<Header> headers;
};

/// Takes a file of SQL apart as psql does: quotes (also E'' and U&''), dollar quotes, nested comments, rules
/// in parentheses, bodies in BEGIN ATOMIC. Unclosed quotes, psql's own commands and COPY FROM STDIN, whose
/// rows would have to follow, are errors.
/// Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html and psqlscan.l.
SqlFile split_sql(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics);

}  // namespace staithe::stage
