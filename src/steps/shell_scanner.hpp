#pragma once
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::steps {

/// Follows a POSIX shell script just closely enough to know, at any point, what quoting a value needs there.
/// It is not a parser: a `case` pattern's lone ')' inside a command substitution ends the substitution for
/// it. Source: POSIX.1-2017, Shell Command Language, 2.2 Quoting and 2.7.4 Here-Document.
class ShellScanner {
 public:
  enum class Place {
    bare,
    double_quotes,
    single_quotes,
    here_document,         ///< its delimiter is bare: expansions happen
    quoted_here_document,  ///< its delimiter is quoted: none do
    fragile,               ///< backquotes, ${…}, $((…)), a comment: no quoting is safe there
  };

  void feed(std::string_view literal);
  /// A value has been put in here, as `written`; empty for one that the shell itself puts there.
  void passed_value(std::string_view written = {});

  Place place() const;
  /// The end of a here-document was made up, in part, of a value: what follows it would be run as commands.
  bool ended_by_value() const { return ended_by_value_; }
  /// The last byte was a backslash that quotes whatever follows.
  bool pending_escape() const { return escape_; }
  /// The quote that is still open at the end: '\'', '"' or '`'; nothing when all are closed.
  std::optional<char> open_quote() const;

 private:
  enum class Nest { single_quotes, double_quotes, backquotes, braces, parentheses, arithmetic, comment };
  struct Document {
    std::string delimiter;
    bool quoted = false;
    bool strips_tabs = false;
  };

  void step(char c);
  void step_code(char c);
  void step_double_quotes(char c);
  void step_document(char c);
  void step_delimiter(char c);
  void open_dollar(char c);
  bool in(Nest nest) const { return !nests_.empty() && nests_.back() == nest; }

  std::vector<Nest> nests_;
  std::deque<Document> documents_;  ///< announced; the first one is read once reading_document_
  std::string line_;                ///< of the here-document being read
  std::string recent_;              ///< up to two bytes that a longer operator may begin with
  bool line_has_value_ = false;
  bool ended_by_value_ = false;
  bool reading_document_ = false;
  bool reading_delimiter_ = false;
  char delimiter_quote_ = '\0';
  bool escape_ = false;
  bool at_word_start_ = true;
};

/// Whether what follows `before`, the beginning of a script, is handed to a program as an argument: not so an
/// assignment, nor what the shell's own echo, printf, test and export are given. A guess good enough to warn
/// by.
bool becomes_argument(std::string_view before);

}  // namespace staithe::steps
