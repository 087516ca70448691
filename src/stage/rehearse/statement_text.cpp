#include "statement_text.hpp"

#include "sql_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace staithe::stage {
namespace {

using Tokens = std::vector<Token>;

/// Words that no function has for its name: what stands in parentheses behind them is a modifier.
constexpr std::array<std::string_view, 16> types_with_modifiers{
    "bit",       "char",          "character", "dec",       "decimal", "float",        "interval",
    "nchar",     "numeric",       "time",      "timestamp", "varchar", "current_time", "current_timestamp",
    "localtime", "localtimestamp"};
/// What may follow the list of ORDER BY or GROUP BY, and an item of it.
constexpr std::array<std::string_view, 15> behind_items{"asc",    "desc",      "nulls",  "limit",  "offset",
                                                        "fetch",  "for",       "having", "window", "union",
                                                        "except", "intersect", "order",  "using",  "rows"};
/// The server takes at most 1664 columns.
constexpr std::size_t longest_place = 4;

bool has_only_digits(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

/// "$1"
bool is_parameter(const Tokens& tokens, std::size_t i) {
  return i > 0 && tokens[i - 1].is_symbol('$') && tokens[i - 1].end == tokens[i].begin &&
         has_only_digits(tokens[i].text);
}

/// "varchar(20)", "character varying(20)", "x::vector(3)": one number, or several.
bool is_modifier(const Tokens& tokens, std::size_t i) {
  std::size_t open = i;
  while (open > 0 && (tokens[open].kind == TokenKind::number || tokens[open].is_symbol(','))) --open;
  if (open < 1 || !tokens[open].is_symbol('(') || !has_only_digits(tokens[i].text)) return false;
  const std::size_t type = open - 1;
  if (tokens[type].is_one_of(types_with_modifiers)) return true;
  if (type < 2) return false;
  if (tokens[type].is("varying"))
    return tokens[type - 1].is("character") || tokens[type - 1].is("char") || tokens[type - 1].is("bit") ||
           tokens[type - 1].is("nchar");
  return tokens[type].is_name() && tokens[type - 1].is_symbol(':') && tokens[type - 2].is_symbol(':');
}

/// Lists of ORDER BY and GROUP BY, followed from left to right.
class Lists {
 public:
  void see(const Tokens& tokens, std::size_t i) {
    const auto& token = tokens[i];
    if (token.is_symbol('(')) {
      in_list_.push_back(false);
    } else if (token.is_symbol(')')) {
      if (in_list_.size() > 1) in_list_.pop_back();
    } else if (token.is("by")) {
      in_list_.back() = i > 0 && (tokens[i - 1].is("order") || tokens[i - 1].is("group"));
    } else if (token.is("select") || token.is_one_of(behind_items)) {
      in_list_.back() = in_list_.back() && (token.is("asc") || token.is("desc") || token.is("nulls"));
    }
  }
  /// "ORDER BY 1, 2 DESC": an item that is a number and nothing else.
  bool has_place(const Tokens& tokens, std::size_t i) const {
    if (!in_list_.back() || i == 0 || !has_only_digits(tokens[i].text) ||
        tokens[i].text.size() > longest_place)
      return false;
    if (!tokens[i - 1].is("by") && !tokens[i - 1].is_symbol(',')) return false;
    return i + 1 == tokens.size() || tokens[i + 1].is_symbol(',') || tokens[i + 1].is_symbol(')') ||
           tokens[i + 1].is_one_of(behind_items);
  }

 private:
  std::vector<bool> in_list_{false};
};

bool may_hold_values(const Tokens& tokens) {
  Lists lists;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    lists.see(tokens, i);
    if (token.kind == TokenKind::string) return true;
    if (token.is("into") && (i == 0 || !(tokens[i - 1].is("insert") || tokens[i - 1].is("merge"))))
      return true;
    if (token.kind == TokenKind::number && !is_parameter(tokens, i) && !is_modifier(tokens, i) &&
        !lists.has_place(tokens, i))
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> text_with_no_value(const std::string& query) {
  diag::Diagnostics ignored;
  const auto parsed = split_sql(query, "", ignored);
  if (ignored.has_errors() || parsed.statements.size() != 1) return std::nullopt;
  const auto& statement = parsed.statements.front();
  if (may_hold_values(statement.tokens)) return std::nullopt;
  std::string text;
  std::size_t end = 0;
  for (const auto& token : statement.tokens) {
    const auto gap = statement.text.substr(end, token.begin - end);
    if (!text.empty()) text += gap.find_first_not_of(" \t\r\n") == std::string::npos ? gap : " ";
    text += statement.text.substr(token.begin, token.end - token.begin);
    end = token.end;
  }
  return text;
}

}  // namespace staithe::stage
