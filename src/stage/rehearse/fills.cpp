#include "code_words.hpp"
#include "facts.hpp"
#include "lint.hpp"
#include "sight.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace staithe::stage {
namespace {

/// One of them may be written without its schema.
bool may_be_same(const std::string& one, const std::string& other) {
  const auto a = plain_name(one), b = plain_name(other);
  return a == b || a.ends_with("." + b) || b.ends_with("." + a);
}

/// An UPDATE in whose SET the column gets something other than NULL, and where its WHERE begins.
struct SetColumn {
  bool is_set = false, has_from = false;
  std::size_t where = 0;  ///< the number of tokens when there is none
};
SetColumn set_of(const SqlStatement& statement, const std::string& table, const std::string& name) {
  const auto& tokens = statement.tokens;
  SetColumn found{false, false, tokens.size()};
  const auto facts = facts_of(statement);
  if (facts.size() != 1 || facts[0].act != Act::update || !may_be_same(facts[0].table, table)) return found;
  int depth = 0;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    depth += tokens[i].is_symbol('(') ? 1 : tokens[i].is_symbol(')') ? -1 : 0;
    if (depth > 0) continue;
    if (tokens[i].is_name() && tokens[i].text == name && i + 2 < tokens.size() &&
        tokens[i + 1].is_symbol('=') && !tokens[i + 2].is("null"))
      found.is_set |= tokens[i - 1].is("set") || tokens[i - 1].is_symbol(',');
    found.has_from |= tokens[i].is("from");
    if (!tokens[i].is("where")) continue;
    found.where = i;
    break;
  }
  return found;
}

/// "column IS NULL" from there on.
bool asks_for_nulls(const SqlStatement& statement, std::size_t at, const std::string& name) {
  const auto& tokens = statement.tokens;
  return at + 2 < tokens.size() && tokens[at].is_name() && tokens[at].text == name &&
         tokens[at + 1].is("is") && tokens[at + 2].is("null");
}

bool fills_at_once(const SqlStatement& statement, const std::string& table, const std::string& name) {
  const auto& tokens = statement.tokens;
  const auto set = set_of(statement, table, name);
  if (!set.is_set || set.has_from) return false;
  if (set.where == tokens.size()) return true;
  const auto first = set.where + 1;
  const std::size_t at = first + 1 < tokens.size() && tokens[first + 1].is_symbol('.') ? first + 2 : first;
  return asks_for_nulls(statement, at, name) && (at + 3 == tokens.size() || tokens[at + 3].is("returning"));
}

/// "FROM the table WHERE column IS NULL", of a query that takes some of these rows and asks for nothing else.
bool takes_nulls_at(const SqlStatement& statement, std::size_t where, const std::string& table,
                    const std::string& name) {
  const auto& tokens = statement.tokens;
  const bool has_alias = where >= 4 && !tokens[where - 2].is("from") && !tokens[where - 2].is_symbol('.');
  std::size_t end = has_alias ? where - 1 : where;  // of the table's name
  if (has_alias && tokens[end - 1].is("as")) --end;
  std::size_t from = end;
  while (from > 0 && !tokens[from].is("from")) --from;
  std::string of;
  for (std::size_t i = from + 1; i < end; ++i) of += tokens[i].text;
  if (!may_be_same(of, table)) return false;
  const std::size_t first = where + 1;
  const std::size_t at = first + 1 < tokens.size() && tokens[first + 1].is_symbol('.') ? first + 2 : first;
  if (!asks_for_nulls(statement, at, name)) return false;
  if (at + 3 >= tokens.size()) return true;
  const auto& next = tokens[at + 3];
  return next.is("limit") || next.is("for") || next.is("order") || next.is_symbol(')');
}

/// Whether "WHILE …" goes on as long as a NULL is left: "EXISTS (… WHERE column IS NULL …)" and nothing else,
/// or for as long as a batch found something.
bool is_while_nulls(const SqlStatement& statement, std::size_t begin, std::size_t end,
                    const std::string& table, const std::string& name) {
  const auto& tokens = statement.tokens;
  if (end == begin + 1) return tokens[begin].is("found");
  if (end < begin + 2 || !tokens[begin].is("exists") || !tokens[begin + 1].is_symbol('(')) return false;
  int depth = 0;
  bool asks = false;
  for (std::size_t i = begin + 1; i < end; ++i) {
    depth += tokens[i].is_symbol('(') ? 1 : tokens[i].is_symbol(')') ? -1 : 0;
    if (depth == 0) return asks && i + 1 == end;
    asks |= depth == 1 && tokens[i].is("where") && takes_nulls_at(statement, i, table, name);
  }
  return false;
}

/// Follows a body of PL/pgSQL from left to right, and what of it is done whatever holds: not what is done
/// only IF something does, in a CASE, in a FOR that may find nothing, in a loop that may end before nothing
/// is left, behind a RETURN, by an exception's handler, nor what such a handler takes back.
class Body {
 public:
  Body(const std::string& table, const std::string& column) : table_(table), column_(column) {}

  bool fills(const std::vector<SqlStatement>& pieces) {
    for (const auto& piece : pieces) {
      for (std::size_t i = 0; i < piece.tokens.size(); ++i) {
        if (is_start(piece.tokens, i)) begins_ = i;
        over_ |= begins_ == i && piece.tokens[i].is("return");
        structure(piece, i);
        if (begins_ == i && may_leave_nulls(piece.tokens, i)) doubt_loops();
        if (!over_ && acts(piece, i)) nested_.back().fills = true;
      }
    }
    return nested_.size() == 1 && nested_[0].fills;
  }

 private:
  enum class Kind { block, loop, maybe, expression };
  struct Nested {
    Kind kind = Kind::block;
    bool fills = false;
  };

  /// Where a statement begins, of which a piece between two ';' has more than one: "BEGIN LOOP UPDATE …".
  bool is_start(const std::vector<Token>& tokens, std::size_t i) const {
    if (i == 0) return true;
    const auto& before = tokens[i - 1];
    if (nested_.back().kind == Kind::expression) return false;
    return before.is("begin") || before.is("then") || before.is("else") ||
           (before.is("loop") && !(i > 1 && tokens[i - 2].is("end"))) ||
           (i > 1 && before.is_symbol('>') && tokens[i - 2].is_symbol('>'));
  }

  void structure(const SqlStatement& piece, std::size_t i) {
    const auto& tokens = piece.tokens;
    const auto& token = tokens[i];
    const bool starts = begins_ == i, behind_end = i > 0 && tokens[i - 1].is("end");
    if (token.is("row_count") && tokens[begins_].is("get")) note_count(tokens, i);
    if (token.is("begin"))
      nested_.push_back({Kind::block, false});
    else if (token.is("if") && starts)
      nested_.push_back({Kind::maybe, false});
    else if (token.is("case") && !behind_end)
      nested_.push_back({starts ? Kind::maybe : Kind::expression, false});
    else if (token.is("loop") && !behind_end)
      nested_.push_back({loop_kind(piece, i), false});
    else if (token.is("exception") && starts)
      nested_.back() = {Kind::maybe, false};
    else if (token.is("end"))
      leave();
  }

  Kind loop_kind(const SqlStatement& piece, std::size_t loop) const {
    const auto& first = piece.tokens[begins_];
    if (first.is("while"))
      return is_while_nulls(piece, begins_ + 1, loop, table_, column_) ? Kind::loop : Kind::maybe;
    return first.is("for") || first.is("foreach") ? Kind::maybe : Kind::loop;
  }

  /// GET DIAGNOSTICS name = ROW_COUNT.
  void note_count(const std::vector<Token>& tokens, std::size_t at) {
    while (at > begins_ && !tokens[--at].is_name()) {
    }
    counts_.push_back(tokens[at].text);
  }

  /// A RETURN, or an EXIT but WHEN NOT FOUND, or when a count of rows is 0.
  bool may_leave_nulls(const std::vector<Token>& tokens, std::size_t at) const {
    if (tokens[at].is("return")) return true;
    if (!tokens[at].is("exit")) return false;
    const std::size_t has_label = at + 1 < tokens.size() && !tokens[at + 1].is("when") ? 1 : 0;
    const std::size_t when = at + 1 + has_label, left = tokens.size() - std::min(tokens.size(), when);
    if (left == 3) return !tokens[when + 1].is("not") || !tokens[when + 2].is("found");
    return left != 4 || std::find(counts_.begin(), counts_.end(), tokens[when + 1].text) == counts_.end() ||
           !tokens[when + 2].is_symbol('=') || tokens[when + 3].text != "0";
  }

  void doubt_loops() {
    for (auto& one : nested_)
      if (one.kind == Kind::loop) one.kind = Kind::maybe;
  }

  void leave() {
    if (nested_.size() == 1) return;
    const auto last = nested_.back();
    nested_.pop_back();
    if (last.kind != Kind::maybe) nested_.back().fills |= last.fills;
  }

  bool loops() const {
    return std::any_of(nested_.begin(), nested_.end(),
                       [](const Nested& one) { return one.kind == Kind::loop; });
  }

  /// An UPDATE that begins there, also one behind "WITH batch AS (…)" or in a text that EXECUTE runs.
  bool acts(const SqlStatement& piece, std::size_t i) const {
    const auto& tokens = piece.tokens;
    if (i > 0 && tokens[i - 1].is("execute") && tokens[i].kind == TokenKind::string) {
      // Of a text that is put together the rest is not known.
      const bool is_whole = i + 1 == tokens.size() || tokens[i + 1].is("using") || tokens[i + 1].is("into");
      if (!is_whole) return false;
      diag::Diagnostics ignored;
      const auto texts = split_sql(text_in_quotes(tokens[i].text), "", ignored).statements;
      return std::any_of(texts.begin(), texts.end(),
                         [this](const SqlStatement& text) { return updates(text, 0, 0); });
    }
    const bool is_lock =
        i > 0 && (tokens[i - 1].is("for") || tokens[i - 1].is("key") || tokens[i - 1].is("do"));
    return tokens[i].is("update") && !is_lock && updates(piece, begins_, i);
  }

  bool updates(const SqlStatement& piece, std::size_t begin, std::size_t update) const {
    const auto& tokens = piece.tokens;
    const auto statement = parsed({piece.text.substr(tokens[update].begin), 1, 1, true});
    if (fills_at_once(statement, table_, column_)) return true;
    bool in_batches = false;
    for (std::size_t i = begin; loops() && i < tokens.size(); ++i)
      in_batches |= tokens[i].is("where") && takes_nulls_at(piece, i, table_, column_);
    return in_batches && set_of(statement, table_, column_).is_set;
  }

  const std::string &table_, &column_;
  std::vector<Nested> nested_{Nested{}};
  std::size_t begins_ = 0;           ///< of the statement that is read
  std::vector<std::string> counts_;  ///< variables that hold how many rows a statement touched
  bool over_ = false;
};

/// What DO runs, where it is PL/pgSQL.
std::string body_of(const SqlStatement& statement) {
  std::string body;
  const auto& tokens = statement.tokens;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    if (!tokens[i - 1].is("language")) {
      if (tokens[i].kind == TokenKind::string) body = text_in_quotes(tokens[i].text);
    } else if (tokens[i].text != "plpgsql" && tokens[i].text != "'plpgsql'") {
      return {};
    }
  }
  return body;
}

}  // namespace

bool fills(const SqlStatement& statement, const std::string& table, const std::string& column) {
  const auto name = plain_name(column);
  if (statement.tokens.empty() || !statement.tokens.front().is("do"))
    return fills_at_once(statement, table, name);
  diag::Diagnostics wrong;
  const auto pieces = split_sql(body_of(statement), "", wrong).statements;
  return !wrong.has_errors() && Body(table, name).fills(pieces);
}

}  // namespace staithe::stage
