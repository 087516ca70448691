#include "facts.hpp"

#include "lint.hpp"
#include "sight.hpp"

#include <algorithm>
#include <array>

namespace staithe::stage {
namespace {

/// Functions whose value differs from row to row, so that a default of them rewrites the table.
constexpr std::array<std::string_view, 10> volatile_functions{
    "random",    "gen_random_uuid",  "uuid_generate_v4", "clock_timestamp", "nextval",
    "timeofday", "uuid_generate_v1", "uuidv7",           "uuidv4",          "random_normal"};

/// Reads a statement's tokens from left to right.
class Cursor {
 public:
  explicit Cursor(const SqlStatement& statement, std::size_t begin = 0)
      : statement_(&statement), at_(begin), end_(statement.tokens.size()) {}
  Cursor(const SqlStatement& statement, std::size_t begin, std::size_t end)
      : statement_(&statement), at_(begin), end_(end) {}

  bool done() const { return at_ >= end_; }
  std::size_t index() const { return at_; }
  const Token& token() const { return statement_->tokens[at_]; }
  void skip() { ++at_; }

  bool take(std::string_view word) {
    if (done() || !token().is(word)) return false;
    ++at_;
    return true;
  }
  /// All of them in a row, or none.
  template <class... Words>
  bool take_all(Words... words) {
    const std::size_t before = at_;
    if ((take(words) && ...)) return true;
    at_ = before;
    return false;
  }
  bool take_if_exists() { return take_all("if", "exists") || take_all("if", "not", "exists"); }

  /// "schema.name" or "name", as written.
  std::string name() {
    if (done() || !token().is_name()) return {};
    const std::size_t first = at_++;
    while (at_ + 1 < end_ && token().is_symbol('.') && statement_->tokens[at_ + 1].is_name()) at_ += 2;
    return slice(first, at_);
  }
  /// From here to the end, as written.
  std::string remainder() const { return done() ? std::string() : slice(at_, end_); }
  bool has_later(std::string_view word) const {
    for (std::size_t i = at_; i < end_; ++i)
      if (statement_->tokens[i].is(word)) return true;
    return false;
  }
  bool has_later(std::string_view first, std::string_view second) const {
    for (std::size_t i = at_; i + 1 < end_; ++i)
      if (statement_->tokens[i].is(first) && statement_->tokens[i + 1].is(second)) return true;
    return false;
  }
  std::string slice(std::size_t first, std::size_t end) const {
    const auto& tokens = statement_->tokens;
    return statement_->text.substr(tokens[first].begin, tokens[end - 1].end - tokens[first].begin);
  }
  std::size_t end() const { return end_; }
  const SqlStatement& statement() const { return *statement_; }

 private:
  const SqlStatement* statement_;
  std::size_t at_, end_;
};

bool volatile_default(const Cursor& from) {
  for (std::size_t i = from.index(); i + 1 < from.end(); ++i) {
    const auto& tokens = from.statement().tokens;
    if (tokens[i].kind == TokenKind::word && tokens[i + 1].is_symbol('(') &&
        std::find(volatile_functions.begin(), volatile_functions.end(), tokens[i].text) !=
            volatile_functions.end())
      return true;
    if (tokens[i].is("serial") || tokens[i].is("bigserial") || tokens[i].is("smallserial")) return true;
  }
  return from.has_later("identity");
}

void read_constraint(Cursor& cursor, Fact& fact) {
  if (cursor.take("check")) {
    fact.act = Act::add_check;
    const std::size_t first = cursor.index();
    int depth = 0;
    while (!cursor.done()) {
      depth += cursor.token().is_symbol('(') ? 1 : cursor.token().is_symbol(')') ? -1 : 0;
      cursor.skip();
      if (depth == 0) break;
    }
    if (cursor.index() > first) fact.rest = cursor.slice(first, cursor.index());
  } else if (cursor.take_all("foreign", "key")) {
    fact.act = Act::add_foreign_key;
    fact.rest = cursor.remainder();
  } else if (cursor.take("unique") || cursor.take_all("primary", "key")) {
    fact.act = Act::add_unique;
    fact.using_index = cursor.has_later("using", "index");
    fact.rest = cursor.remainder();
  } else if (cursor.take("exclude")) {
    fact.act = Act::add_exclude;
    fact.rest = cursor.remainder();
  }
  fact.not_valid = cursor.has_later("not", "valid");
}

void read_added(Cursor& cursor, Fact& fact) {
  if (cursor.take("constraint")) {
    fact.name = cursor.name();
    return read_constraint(cursor, fact);
  }
  if (!cursor.done()) {
    const auto& next = cursor.token();
    if (next.is("check") || next.is("foreign") || next.is("unique") || next.is("primary") ||
        next.is("exclude"))
      return read_constraint(cursor, fact);
  }
  cursor.take("column");
  cursor.take_if_exists();
  fact.act = Act::add_column;
  fact.column = cursor.name();
  fact.rest = cursor.remainder();
  fact.not_null = cursor.has_later("not", "null");
  fact.has_default = cursor.has_later("default") || cursor.has_later("generated");
  fact.volatile_default = volatile_default(cursor);
}

/// "integer", "text COLLATE x USING (lower(a))": what stands around USING may be a blank, a line or a
/// bracket.
void read_type(const Cursor& cursor, Fact& fact) {
  std::size_t split = cursor.index();
  while (split < cursor.end() && !cursor.statement().tokens[split].is("using")) ++split;
  if (split > cursor.index()) fact.type = cursor.slice(cursor.index(), split);
  if (split + 1 < cursor.end()) fact.using_expression = cursor.slice(split + 1, cursor.end());
}

void read_altered(Cursor& cursor, Fact& fact) {
  if (cursor.take("constraint")) return;
  cursor.take("column");
  fact.column = cursor.name();
  if (cursor.take_all("set", "not", "null")) {
    fact.act = Act::set_not_null;
  } else if (cursor.take("type") || cursor.take_all("set", "data", "type")) {
    fact.act = Act::alter_type;
    read_type(cursor, fact);
  }
}

Fact read_action(Cursor cursor, const std::string& table) {
  Fact fact;
  fact.table = table;
  fact.clause = cursor.remainder();
  if (cursor.take("add")) {
    read_added(cursor, fact);
  } else if (cursor.take("alter")) {
    read_altered(cursor, fact);
  } else if (cursor.take("drop")) {
    fact.act = cursor.take("constraint") ? Act::drop_constraint : Act::drop_column;
    if (fact.act == Act::drop_column) cursor.take("column");
    cursor.take_if_exists();
    (fact.act == Act::drop_column ? fact.column : fact.name) = cursor.name();
  } else if (cursor.take("validate")) {
    cursor.take("constraint");
    fact.act = Act::validate;
    fact.name = cursor.name();
  } else if (cursor.take("rename")) {
    fact.act = Act::rename;
    cursor.take("column");
    if (!cursor.done() && !cursor.token().is("to")) fact.column = cursor.name();
  } else if (cursor.take_all("set", "tablespace") || cursor.take_all("set", "logged") ||
             cursor.take_all("set", "unlogged") || cursor.take_all("set", "access", "method")) {
    fact.act = Act::rewrite;
  }
  return fact;
}

std::vector<Fact> alter_table(Cursor cursor) {
  cursor.take_if_exists();
  cursor.take("only");
  const std::string table = cursor.name();
  if (!cursor.done() && cursor.token().is_symbol('*')) cursor.skip();
  std::vector<Fact> facts;
  std::size_t first = cursor.index();
  int depth = 0;
  for (std::size_t i = first; i <= cursor.end(); ++i) {
    const bool last = i == cursor.end();
    if (!last) {
      const auto& token = cursor.statement().tokens[i];
      depth += token.is_symbol('(') ? 1 : token.is_symbol(')') ? -1 : 0;
    }
    if (!last && !(depth == 0 && cursor.statement().tokens[i].is_symbol(','))) continue;
    if (i > first) facts.push_back(read_action(Cursor(cursor.statement(), first, i), table));
    first = i + 1;
  }
  return facts;
}

Fact create_index(Cursor cursor) {
  Fact fact;
  fact.act = Act::create_index;
  fact.concurrently = cursor.take("concurrently");
  cursor.take_if_exists();
  if (!cursor.done() && !cursor.token().is("on")) fact.name = cursor.name();
  cursor.take("on");
  cursor.take("only");
  fact.table = cursor.name();
  fact.rest = cursor.remainder();
  return fact;
}

Fact created(Cursor cursor) {
  cursor.take_all("or", "replace");
  const bool unique = cursor.take("unique");
  if (cursor.take("index")) {
    Fact fact = create_index(cursor);
    fact.not_null = unique;  // a unique index refuses rows, as a constraint does
    return fact;
  }
  while (cursor.take("temporary") || cursor.take("temp") || cursor.take("unlogged")) {
  }
  Fact fact;
  if (!cursor.take("table")) return fact;
  cursor.take_if_exists();
  fact.act = Act::create_table;
  fact.table = cursor.name();
  return fact;
}

Fact dropped(Cursor cursor) {
  Fact fact;
  if (cursor.take("index")) {
    fact.act = Act::drop_index;
    fact.concurrently = cursor.take("concurrently");
    cursor.take_if_exists();
    fact.name = cursor.name();
  } else if (cursor.take("table")) {
    fact.act = Act::drop_table;
    cursor.take_if_exists();
    fact.table = cursor.name();
  }
  return fact;
}

Fact changed_rows(Cursor cursor, Act act) {
  Fact fact;
  fact.act = act;
  cursor.take("only");
  fact.table = cursor.name();
  fact.rest = cursor.remainder();
  return fact;
}

Fact maintained(Cursor cursor) {
  Fact fact;
  if (cursor.take("vacuum")) {
    if (!cursor.has_later("full")) return fact;
    fact.act = Act::rewrite;
  } else if (cursor.take("cluster")) {
    fact.act = Act::rewrite;
    cursor.take("verbose");
    fact.table = cursor.name();
  } else if (cursor.take("reindex")) {
    fact.act = Act::reindex;
    fact.concurrently = cursor.has_later("concurrently");
    cursor.take("index") || cursor.take("table") || cursor.take("schema") || cursor.take("database");
    cursor.take("concurrently");
    fact.name = cursor.name();
  } else if (cursor.take_all("refresh", "materialized", "view")) {
    fact.act = Act::refresh_view;
    fact.concurrently = cursor.take("concurrently");
    fact.table = cursor.name();
  } else if (cursor.take("lock")) {
    cursor.take("table");
    fact.act = Act::lock_table;
    fact.table = cursor.name();
  } else if (cursor.take("truncate")) {
    cursor.take("table");
    cursor.take("only");
    fact.act = Act::truncate;
    fact.table = cursor.name();
  }
  return fact;
}

Fact simple(Cursor cursor) {
  Fact fact;
  if (cursor.token().kind == TokenKind::word && controls_transaction(cursor.token().text)) {
    fact.act = Act::control;
  } else if (cursor.take("create")) {
    fact = created(cursor);
  } else if (cursor.take("drop")) {
    fact = dropped(cursor);
  } else if (cursor.take("update")) {
    fact = changed_rows(cursor, Act::update);
  } else if (cursor.take_all("delete", "from")) {
    fact = changed_rows(cursor, Act::remove);
  } else if (cursor.take_all("insert", "into")) {
    fact = changed_rows(cursor, Act::insert);
  } else if (cursor.take("set")) {
    cursor.take("local") || cursor.take("session");
    if (cursor.take("lock_timeout")) fact.act = Act::set_lock_timeout;
  } else {
    fact = maintained(cursor);
  }
  return fact;
}

}  // namespace

std::vector<Fact> facts_of(const SqlStatement& statement) {
  std::vector<Fact> facts;
  Cursor cursor(statement);
  if (cursor.take_all("alter", "table")) facts = alter_table(cursor);
  if (facts.empty()) facts.push_back(statement.tokens.empty() ? Fact{} : simple(Cursor(statement)));
  for (auto& fact : facts)
    if (fact.clause.empty()) fact.clause = statement.text;
  return facts;
}

bool controls_transaction(std::string_view word) {
  constexpr std::array<std::string_view, 8> words{"begin",   "commit", "rollback", "savepoint",
                                                  "release", "start",  "end",      "abort"};
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool may_run_in_transaction(const SqlStatement& statement) {
  Cursor cursor(statement);
  if (cursor.done()) return true;
  const auto& first = cursor.token();
  if (first.is("vacuum")) return false;
  if (first.is("create") || first.is("drop") || first.is("reindex")) {
    if (cursor.has_later("index", "concurrently")) return false;
    if (first.is("reindex") && cursor.has_later("concurrently")) return false;
    cursor.skip();
    if (!cursor.done() && (cursor.token().is("database") || cursor.token().is("tablespace"))) return false;
  }
  if (first.is("alter") && (cursor.has_later("alter", "system") || cursor.has_later("detach", "partition")))
    return !cursor.has_later("alter", "system") && !cursor.has_later("concurrently");
  return true;
}

}  // namespace staithe::stage
