#include "code_words.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace staithe::stage {
namespace {

using Tokens = std::vector<Token>;

const Token& at(const Tokens& tokens, std::size_t index) {
  static const Token none;
  return index < tokens.size() ? tokens[index] : none;
}

/// Behind these a name is that of a table; behind the others it is a value.
constexpr std::array<std::string_view, 6> before_tables{"from", "join", "update", "into", "using", "table"};
constexpr std::array<std::string_view, 24> ends_of_tables{
    "where",  "set",   "on",     "values", "select",  "returning", "group",  "order",
    "having", "limit", "when",   "then",   "if",      "begin",     "return", "loop",
    "window", "union", "except", "for",    "perform", "do",        "else",   "execute"};
/// Of what may follow a table's name, what is no name for it.
constexpr std::array<std::string_view, 16> no_alias{
    "as",    "inner",   "left",       "right",       "full",   "cross", "natural",   "join",
    "using", "default", "overriding", "tablesample", "offset", "fetch", "intersect", "only"};

/// Where tables stand in a statement, and where their rows are values.
class TableWords {
 public:
  TableWords(const Tokens& tokens, std::string_view table) : tokens_(tokens), table_(table) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      step(i);
      if (is_table(i)) define(i);
    }
  }

  bool any_value() const {
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      if (is_value(i)) return true;
    return false;
  }

 private:
  void step(std::size_t i) {
    const auto& token = tokens_[i];
    if (token.is_symbol('(')) {
      // FROM (a JOIN b): tables still; elsewhere arguments and columns.
      const bool goes_on =
          tables_ && (at(tokens_, i - 1).is_symbol('(') || at(tokens_, i - 1).is_symbol(',') ||
                      at(tokens_, i - 1).is_one_of(before_tables));
      outer_.push_back(tables_);
      tables_ = goes_on;
    } else if (token.is_symbol(')') && !outer_.empty()) {
      tables_ = outer_.back();
      outer_.pop_back();
    } else if (token.is_one_of(before_tables)) {
      tables_ = true;
    } else if (token.is_one_of(ends_of_tables)) {
      tables_ = false;
    }
  }

  bool is_table(std::size_t i) const {
    if (!tables_ || !tokens_[i].is_name() || tokens_[i].text != table_ || at(tokens_, i + 1).is_symbol('('))
      return false;
    const auto& before = at(tokens_, i - 1);
    return before.is_symbol('.') || before.is_symbol(',') || before.is_symbol('(') || before.is("only") ||
           before.is_one_of(before_tables);
  }

  void define(std::size_t i) {
    definitions_.insert(i);
    const std::size_t next = at(tokens_, i + 1).is("as") ? i + 2 : i + 1;
    const auto& name = at(tokens_, next);
    const bool is_alias = name.is_name() && !name.is_one_of(ends_of_tables) && !name.is_one_of(no_alias) &&
                          !name.is_one_of(before_tables);
    aliases_.insert(is_alias ? name.text : tokens_[i].text);
    if (is_alias) definitions_.insert(next);
  }

  bool is_value(std::size_t i) const {
    const auto &token = tokens_[i], &before = at(tokens_, i - 1), &after = at(tokens_, i + 1);
    if (!token.is_name() || !aliases_.contains(token.text) || definitions_.contains(i)) return false;
    // "u.id", "x.u", "u(…)", "… AS u", "FOR UPDATE OF u", "u%ROWTYPE"
    return !after.is_symbol('.') && !before.is_symbol('.') && !after.is_symbol('(') && !before.is("as") &&
           !before.is("of") && !after.is_symbol('%');
  }

  const Tokens& tokens_;
  std::string_view table_;
  bool tables_ = false;
  std::vector<bool> outer_;
  std::set<std::size_t> definitions_;
  std::set<std::string> aliases_;
};

/// TABLE as a command of its own or as a query in another; not ALTER TABLE and the like.
bool is_table_query(const Tokens& tokens, std::size_t i) {
  constexpr std::array<std::string_view, 14> no_query{"create", "temp",  "temporary", "unlogged", "foreign",
                                                      "alter",  "drop",  "truncate",  "lock",     "on",
                                                      "global", "local", "new",       "old"};
  if (!tokens[i].is("table") || !at(tokens, i + 1).is_name()) return false;
  return i == 0 || !tokens[i - 1].is_one_of(no_query);
}

bool is_natural_join(const Tokens& tokens, std::size_t i) {
  constexpr std::array<std::string_view, 5> joins{"join", "inner", "left", "right", "full"};
  return tokens[i].is("natural") && at(tokens, i + 1).is_one_of(joins);
}

/// As an item of a list; not in count(*) and not between two factors.
bool is_star(const Tokens& tokens, std::size_t i) {
  if (i == 0 || !tokens[i].is_symbol('*')) return false;
  const auto &before = tokens[i - 1], &after = at(tokens, i + 1);
  if (before.is("select") || before.is("distinct") || before.is("all") || before.is("returning") ||
      before.is("perform") || before.is_symbol(',') || before.is_symbol('.'))
    return true;
  // SELECT DISTINCT ON (a) *
  return before.is_symbol(')') &&
         (i + 1 == tokens.size() || after.is("from") || after.is("into") || after.is_symbol(','));
}

/// NEW or OLD as one value, other than what a trigger gives back.
bool is_triggers_row(const Tokens& tokens, std::size_t i) {
  const auto is_row = [](const Token& token) { return token.is("new") || token.is("old"); };
  if (!is_row(tokens[i]) || at(tokens, i + 1).is_symbol('.') || at(tokens, i + 1).is("table")) return false;
  for (std::size_t before = i; before-- > 0;) {
    const auto& token = tokens[before];
    if (is_row(token) || token.is("coalesce") || token.is_symbol('(') || token.is_symbol(',')) continue;
    return !token.is("return");
  }
  return true;
}

}  // namespace

std::string text_in_quotes(const std::string& text) {
  if (text.starts_with('$')) {
    const auto tag = text.find('$', 1) + 1;
    return text.size() < 2 * tag ? std::string() : text.substr(tag, text.size() - 2 * tag);
  }
  const auto open = text.find('\'');
  if (open == std::string::npos || text.size() < open + 2) return {};
  std::string out;
  for (std::size_t i = open + 1; i + 1 < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\'' && text[i + 1] == '\'') ++i;
  }
  return out;
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '_' || c == '$' || byte >= 0x80)
      word += static_cast<char>(std::tolower(byte));
    else if (!word.empty())
      words.insert(std::exchange(word, {}));
  }
  if (!word.empty()) words.insert(word);
  return words;
}

namespace {

/// A body, or what EXECUTE is given at once or with format().
bool is_run(const Tokens& tokens, std::size_t i) {
  const auto before = [&](std::size_t by) { return i < by ? Token{} : tokens[i - by]; };
  if (before(1).is("as") || before(1).is("do") || before(1).is("execute") || before(2).is("language"))
    return true;
  return before(1).is_symbol('(') && before(2).is("format") && before(3).is("execute");
}

}  // namespace

bool Code::add(std::string_view text) {
  diag::Diagnostics wrong;
  auto parsed = split_sql(text, "", wrong);
  if (wrong.has_errors()) {
    words_.merge(words_of(text));
    return false;
  }
  for (auto& statement : parsed.statements) {
    add_texts(statement);
    statements_.push_back(std::move(statement));
  }
  return true;
}

void Code::add_texts(const SqlStatement& statement) {
  const auto& tokens = statement.tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    if (token.kind == TokenKind::word) words_.insert(token.text);
    if (token.kind == TokenKind::quoted) words_.merge(words_of(token.text));
    if (token.kind != TokenKind::string || (texts_ == Texts::run && !is_run(tokens, i))) continue;
    const auto text = text_in_quotes(token.text);
    // Else one that cannot be understood is a message, or a piece of what EXECUTE runs, which is a word of
    // its own.
    const bool is_body =
        token.text.starts_with('$') || at(tokens, i - 1).is("as") || at(tokens, i - 1).is("do");
    if (!add(text) && is_body) has_hidden_star_ |= text.find('*') != std::string::npos;
  }
}

bool Code::has_star() const {
  if (has_hidden_star_) return true;
  return std::any_of(statements_.begin(), statements_.end(), [](const SqlStatement& one) {
    if (stage::has_star(one)) return true;
    for (std::size_t i = 0; i < one.tokens.size(); ++i)
      if (is_triggers_row(one.tokens, i)) return true;
    return false;
  });
}

bool Code::takes_whole_rows(std::string_view table) const {
  return std::any_of(statements_.begin(), statements_.end(),
                     [&](const SqlStatement& one) { return stage::takes_whole_rows(one, table); });
}

bool has_star(const SqlStatement& sql) {
  for (std::size_t i = 0; i < sql.tokens.size(); ++i)
    if (is_star(sql.tokens, i) || is_table_query(sql.tokens, i) || is_natural_join(sql.tokens, i))
      return true;
  return false;
}

bool takes_whole_rows(const SqlStatement& sql, std::string_view table) {
  return TableWords(sql.tokens, table).any_value();
}

std::optional<MadeFunction> function_made_by(const SqlStatement& sql) {
  const auto& tokens = sql.tokens;
  const std::size_t kind = at(tokens, 1).is("or") ? 3 : 1;
  if (!at(tokens, 0).is("create") || !(at(tokens, kind).is("function") || at(tokens, kind).is("procedure")))
    return std::nullopt;
  MadeFunction made;
  for (std::size_t i = kind + 1; i < tokens.size(); ++i) {
    if (tokens[i].is_symbol('%')) break;  // format()'s
    if (!tokens[i].is_symbol('(')) continue;
    if (tokens[i - 1].is_name() && i > kind + 1) made.name = tokens[i - 1].text;
    break;
  }
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (!tokens[i].is("language")) continue;
    const auto& name = tokens[i + 1].text;
    made.is_readable = name == "sql" || name == "plpgsql" || name == "'sql'" || name == "'plpgsql'";
    break;
  }
  return made;
}

std::optional<MadeTrigger> trigger_made_by(const SqlStatement& sql) {
  const auto& tokens = sql.tokens;
  std::size_t i = at(tokens, 1).is("or") ? 3 : 1;
  if (at(tokens, i).is("constraint")) ++i;
  if (!at(tokens, 0).is("create") || !at(tokens, i).is("trigger")) return std::nullopt;
  MadeTrigger made;
  for (; i < tokens.size() && !tokens[i].is("on"); ++i) {
    made.on_insert |= tokens[i].is("insert");
    made.on_update |= tokens[i].is("update");
    made.on_delete |= tokens[i].is("delete");
    made.on_truncate |= tokens[i].is("truncate");
  }
  for (++i; i < tokens.size() && (tokens[i].is_name() || tokens[i].is_symbol('.')); ++i) {
    if (!made.table.empty() && !tokens[i].is_symbol('.') && !made.table.ends_with('.')) break;
    made.table += tokens[i].text;
  }
  for (; i + 1 < tokens.size(); ++i)
    if (tokens[i].is("execute"))
      for (i += 2; i < tokens.size() && !tokens[i].is_symbol('('); ++i)
        made.function = tokens[i].is_name() ? tokens[i].text : std::string();
  return made;
}

bool may_drop_code(const SqlStatement& sql) {
  for (std::size_t i = 0; i + 1 < sql.tokens.size(); ++i) {
    if (!sql.tokens[i].is("drop")) continue;
    const auto& what = sql.tokens[i + 1];
    if (what.is("function") || what.is("procedure") || what.is("routine") || what.is("trigger") ||
        what.is("schema"))
      return true;
    if (std::any_of(sql.tokens.begin(), sql.tokens.end(),
                    [](const Token& token) { return token.is("cascade"); }))
      return true;
  }
  return false;
}

}  // namespace staithe::stage
