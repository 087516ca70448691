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

/// Whether "WHILE …" goes on as long as a NULL is left: "EXISTS (… WHERE column IS NULL …)" and nothing else.
bool is_while_nulls(const SqlStatement& statement, std::size_t begin, std::size_t end,
                    const std::string& table, const std::string& name) {
  const auto& tokens = statement.tokens;
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

/// Whether the WHERE of an UPDATE says more than which rows are of the batch: "AND", but before "one.key =
/// other.key" and "column IS NULL", or "OR".
bool asks_for_less(const SqlStatement& statement, std::size_t where, const std::string& name) {
  const auto& tokens = statement.tokens;
  const auto is_column = [&](std::size_t at) {
    return at + 2 < tokens.size() && tokens[at].is_name() && tokens[at + 1].is_symbol('.') &&
           tokens[at + 2].is_name();
  };
  int depth = 0;
  for (std::size_t i = where; i < tokens.size(); ++i) {
    depth += tokens[i].is_symbol('(') ? 1 : tokens[i].is_symbol(')') ? -1 : 0;
    if (depth < 0) return false;
    if (depth > 0) continue;
    if (tokens[i].is("or")) return true;
    if (!tokens[i].is("and")) continue;
    const bool joins = is_column(i + 1) && i + 4 < tokens.size() && tokens[i + 4].is_symbol('=') &&
                       is_column(i + 5) && tokens[i + 1].text != tokens[i + 5].text;
    if (!joins && !asks_for_nulls(statement, is_column(i + 1) ? i + 3 : i + 1, name)) return true;
  }
  return false;
}

/// What an UPDATE does for the column: one of the batches that a loop is made of, or all there is to do. A
/// batch that leaves out what is locked by somebody finds nothing although there is something left.
enum class Does { nothing, batch_but_locked, batch, all };

/// FOR UPDATE SKIP LOCKED.
bool skips_locked(const SqlStatement& piece, std::size_t begin) {
  const auto& tokens = piece.tokens;
  for (std::size_t i = begin; i + 1 < tokens.size(); ++i)
    if (tokens[i].is("skip") && tokens[i + 1].is("locked")) return true;
  return false;
}

/// Whether what tells how many rows there were speaks of an UPDATE that asks for NULLs, whatever way led
/// there.
struct Told {
  bool found = false, row_count = false;
  std::vector<std::string> variables;  ///< that ROW_COUNT was read into

  void forget(const std::string& variable) { std::erase(variables, variable); }
};

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
        if (begins_ == i) begin(piece.tokens, i);
        structure(piece, i);
        act(piece, i);
      }
    }
    return nested_.size() == 1 && nested_[0].fills;
  }

 private:
  enum class Kind { block, loop, maybe, expression };
  struct Nested {
    Kind kind = Kind::block;
    bool fills = false;
    bool while_found = false;            ///< goes on for as long as its last statement found something
    std::vector<std::string> variables;  ///< that told of a batch before it
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

  /// Updates what we know at the start of a statement, except for an UPDATE of the column itself.
  /// https://www.postgresql.org/docs/current/plpgsql-statements.html#PLPGSQL-STATEMENTS-DIAGNOSTICS
  void begin(const std::vector<Token>& tokens, std::size_t i) {
    static constexpr std::string_view neither[] = {"begin", "commit", "continue", "end",  "exit",
                                                   "get",   "loop",   "null",     "while"};
    if (may_leave_nulls(tokens, i)) doubt_loops();
    if (tokens[i].is("rollback"))
      for (auto& one : nested_) one.fills = false;
    if (std::any_of(std::begin(neither), std::end(neither), [&](auto word) { return tokens[i].is(word); }))
      return;
    told_.row_count = false;
    const bool assigns = i + 1 < tokens.size() && tokens[i].is_name() &&
                         (tokens[i + 1].is_symbol(':') || tokens[i + 1].is_symbol('='));
    if (assigns) told_.forget(tokens[i].text);
    if (assigns || tokens[i].is("raise")) return;
    told_.found = false;
    if (tokens[i].is("declare")) told_.variables.clear();
    if (tokens[i].is("else") || tokens[i].is("elsif") || tokens[i].is("when")) as_before(nested_.back());
    bool into = false;
    for (std::size_t at = i; at < tokens.size(); ++at) {
      if (into) told_.forget(tokens[at].text);
      into |= tokens[at].is("into");
    }
  }

  /// What holds also when that was not run.
  void as_before(const Nested& last) {
    std::erase_if(told_.variables, [&](const std::string& one) {
      return std::find(last.variables.begin(), last.variables.end(), one) == last.variables.end();
    });
  }

  void enter(Kind kind, bool while_found = false) {
    nested_.push_back({kind, false, while_found, told_.variables});
  }

  void structure(const SqlStatement& piece, std::size_t i) {
    const auto& tokens = piece.tokens;
    const auto& token = tokens[i];
    const bool starts = begins_ == i, behind_end = i > 0 && tokens[i - 1].is("end");
    if (token.is("row_count") && tokens[begins_].is("get")) note_count(tokens, i);
    if (token.is("begin"))
      enter(Kind::block);
    else if (token.is("if") && starts)
      enter(Kind::maybe);
    else if (token.is("case") && !behind_end)
      enter(starts ? Kind::maybe : Kind::expression);
    else if (token.is("loop") && !behind_end)
      enter_loop(piece, i);
    else if (token.is("exception") && starts)
      nested_.back().kind = Kind::maybe;
    else if (token.is("end"))
      leave();
  }

  void enter_loop(const SqlStatement& piece, std::size_t loop) {
    const auto& first = piece.tokens[begins_];
    const bool while_found =
        first.is("while") && loop == begins_ + 2 && piece.tokens[begins_ + 1].is("found") && told_.found;
    enter(while_found ? Kind::loop : loop_kind(piece, loop), while_found);
    // The next time round another statement is the one before.
    told_ = {};
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
    told_.forget(tokens[at].text);
    if (told_.row_count) told_.variables.push_back(tokens[at].text);
  }

  /// A RETURN, a ROLLBACK, or an EXIT but when a batch found nothing.
  bool may_leave_nulls(const std::vector<Token>& tokens, std::size_t at) const {
    if (tokens[at].is("return") || tokens[at].is("rollback")) return true;
    if (!tokens[at].is("exit")) return false;
    const std::size_t has_label = at + 1 < tokens.size() && !tokens[at + 1].is("when") ? 1 : 0;
    const std::size_t when = at + 1 + has_label, left = tokens.size() - std::min(tokens.size(), when);
    if (left == 3) return !tokens[when + 1].is("not") || !tokens[when + 2].is("found") || !told_.found;
    const auto& counts = told_.variables;
    return left != 4 || std::find(counts.begin(), counts.end(), tokens[when + 1].text) == counts.end() ||
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
    const bool is_done = last.kind != Kind::maybe && (!last.while_found || told_.found);
    if (is_done) nested_.back().fills |= last.fills;
    if (last.kind == Kind::block || last.kind == Kind::expression) return;
    told_.found = told_.row_count = false;
    as_before(last);
  }

  bool loops() const {
    return std::any_of(nested_.begin(), nested_.end(),
                       [](const Nested& one) { return one.kind == Kind::loop; });
  }

  /// An UPDATE that begins there, also one behind "WITH batch AS (…)" or in a text that EXECUTE runs.
  void act(const SqlStatement& piece, std::size_t i) {
    const auto& tokens = piece.tokens;
    const bool is_dynamic = i > 0 && tokens[i - 1].is("execute") && tokens[i].kind == TokenKind::string;
    const bool is_lock =
        i > 0 && (tokens[i - 1].is("for") || tokens[i - 1].is("key") || tokens[i - 1].is("do"));
    auto does = Does::nothing;
    if (is_dynamic)
      does = executes(tokens, i);
    else if (tokens[i].is("update") && !is_lock)
      does = updates(piece, begins_, i);
    if (does == Does::nothing) return;
    if (!over_ && (does == Does::all || loops())) nested_.back().fills = true;
    int depth = 0;
    for (std::size_t at = begins_; at < i; ++at)
      depth += tokens[at].is_symbol('(') ? 1 : tokens[at].is_symbol(')') ? -1 : 0;
    const bool tells = depth == 0 && does != Does::batch_but_locked;
    told_.row_count = tells;
    told_.found = tells && !is_dynamic;
  }

  /// Of a text that is put together the rest is not known.
  Does executes(const std::vector<Token>& tokens, std::size_t i) const {
    const bool is_whole = i + 1 == tokens.size() || tokens[i + 1].is("using") || tokens[i + 1].is("into");
    diag::Diagnostics ignored;
    const auto texts = split_sql(text_in_quotes(tokens[i].text), "", ignored).statements;
    return is_whole && texts.size() == 1 ? updates(texts[0], 0, 0) : Does::nothing;
  }

  Does updates(const SqlStatement& piece, std::size_t begin, std::size_t update) const {
    const auto& tokens = piece.tokens;
    const auto statement = parsed({piece.text.substr(tokens[update].begin), 1, 1, true});
    if (fills_at_once(statement, table_, column_)) return Does::all;
    bool in_batches = false;
    for (std::size_t i = begin; i < tokens.size(); ++i)
      in_batches |= tokens[i].is("where") && takes_nulls_at(piece, i, table_, column_);
    const auto set = set_of(statement, table_, column_);
    const bool is_batch = in_batches && set.is_set && !asks_for_less(statement, set.where, column_);
    if (!is_batch) return Does::nothing;
    return skips_locked(piece, begin) ? Does::batch_but_locked : Does::batch;
  }

  const std::string &table_, &column_;
  std::vector<Nested> nested_{Nested{}};
  std::size_t begins_ = 0;  ///< of the statement that is read
  Told told_;
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
