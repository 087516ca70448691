#pragma once
#include "sql_text.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// What SQL and PL/pgSQL may look at, as far as their words show it. All of it is pure.
namespace staithe::stage {

/// Words and parts of names in lower case: of "e-mail" there are two.
std::set<std::string> words_of(std::string_view text);

/// What stands between the quotes of a string token.
std::string text_in_quotes(const std::string& token);

/// A text of SQL or PL/pgSQL, with the texts in quotes that it may run: bodies of functions, of EXECUTE.
class Code {
 public:
  /// Of texts in quotes that are none of a body or of EXECUTE some may be run all the same, put together or
  /// by way of a variable; others are messages and values.
  enum class Texts { all, run };

  explicit Code(Texts texts = Texts::all) : texts_(texts) {}

  /// False when it cannot be understood; its words are there all the same.
  bool add(std::string_view text);
  const std::set<std::string>& words() const { return words_; }
  const std::vector<SqlStatement>& statements() const { return statements_; }

  /// Columns that have no name in it: has_star(), or a trigger's row as a whole.
  bool has_star() const;
  bool takes_whole_rows(std::string_view table) const;

 private:
  void add_texts(const SqlStatement& statement);

  Texts texts_;
  std::set<std::string> words_;
  std::vector<SqlStatement> statements_;
  bool has_hidden_star_ = false;
};

/// "SELECT *", "users.*", "TABLE users", "NATURAL JOIN": columns that have no name in it.
bool has_star(const SqlStatement& sql);

/// "SELECT u FROM users u", "row_to_json(users)": a row of the table as one value. `table` without its
/// schema.
bool takes_whole_rows(const SqlStatement& sql, std::string_view table);

/// A function or trigger that a statement makes. Names are "" where a program puts them together.
struct MadeFunction {
  std::string name;
  bool is_readable = true;  ///< in SQL, which is what it is in when it does not say, or in PL/pgSQL
};
std::optional<MadeFunction> function_made_by(const SqlStatement& sql);

struct MadeTrigger {
  std::string table;  ///< as written, without quotes
  std::string function;
  bool on_insert = false, on_update = false, on_delete = false, on_truncate = false;
};
std::optional<MadeTrigger> trigger_made_by(const SqlStatement& sql);

/// DROP FUNCTION and the like, also what may take them along: nothing shows at the end that they were there.
bool may_drop_code(const SqlStatement& sql);

}  // namespace staithe::stage
