#include "filter.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

std::string joined(const ForeignKey& key, const std::string& child, const std::string& parent) {
  std::string text;
  for (std::size_t i = 0; i < key.columns.size(); ++i)
    text += fmt::format("{}{}.{} = {}.{}", i == 0 ? "" : " AND ", parent,
                        pg::quoted_name(key.parent_columns[i]), child, pg::quoted_name(key.columns[i]));
  return text;
}

/// MATCH SIMPLE: with one column NULL the key points nowhere and holds.
std::string points_nowhere(const ForeignKey& key, const std::string& alias) {
  std::string text;
  for (const auto& column : key.columns)
    text += fmt::format("{}{}.{} IS NULL", text.empty() ? "" : " OR ", alias, pg::quoted_name(column));
  return text;
}

std::string both(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  return fmt::format("{} AND {}", a, b);
}

}  // namespace

bool Filters::any() const {
  return std::any_of(masks_.tables.begin(), masks_.tables.end(), [](const TableRules& rules) {
    return rules.rows != TableRules::Rows::all || !rules.where.empty() || rules.limit > 0;
  });
}

std::string Filters::condition(const Table& table, const std::string& alias) const {
  return any() ? condition(table, alias, {}) : std::string();
}

/// `way`: tables on the way here; a key that leads back is left to the target (orphan_statements).
std::string Filters::condition(const Table& table, const std::string& alias, std::vector<Oid> way) const {
  constexpr std::size_t deepest = 12;
  const bool again = std::find(way.begin(), way.end(), table.oid) != way.end();
  if (again || way.size() > deepest) return {};
  way.push_back(table.oid);
  std::string text = both(own_condition(table, alias), referenced(table, alias, way));
  for (const auto& key : catalogue_.foreign_keys) {
    const auto* parent = catalogue_.find(key.parent);
    if (key.table != table.oid || parent == nullptr) continue;
    const std::string other = fmt::format("p{}", way.size());
    const auto kept = condition(*parent, other, way);
    if (kept.empty()) continue;
    text = both(
        text, fmt::format("({} OR EXISTS (SELECT 1 FROM ONLY {} {} WHERE {} AND {}))",
                          points_nowhere(key, alias), parent->sql(), other, joined(key, alias, other), kept));
  }
  return text;
}

std::string Filters::own_condition(const Table& table, const std::string& alias) const {
  const auto* rules = masks_.find(table.full_name());
  if (rules == nullptr) return {};
  if (rules->rows == TableRules::Rows::none) return "false";
  if (rules->where.empty() && rules->limit == 0) return {};
  // The user's words see the bare columns of their table, whatever stands around them. The key makes the
  // choice the same wherever this condition is asked for; without one, the place of the row does.
  std::string key;
  for (const auto& column : table.primary_key) key += (key.empty() ? "" : ", ") + pg::quoted_name(column);
  if (key.empty()) key = "ctid";
  std::string outer;
  for (const auto& column : table.primary_key)
    outer += (outer.empty() ? "" : ", ") + alias + "." + pg::quoted_name(column);
  if (outer.empty()) outer = alias + ".ctid";
  std::string inner = fmt::format("SELECT {} FROM ONLY {}", key, table.sql());
  if (!rules->where.empty()) inner += fmt::format(" WHERE ({})", rules->where);
  if (rules->limit > 0) inner += fmt::format(" ORDER BY {} LIMIT {}", key, rules->limit);
  return fmt::format("({}) IN ({})", outer, inner);
}

std::string Filters::referenced(const Table& table, const std::string& alias,
                                const std::vector<Oid>& way) const {
  const auto* rules = masks_.find(table.full_name());
  if (rules == nullptr || rules->rows != TableRules::Rows::referenced) return {};
  std::string text;
  for (const auto& key : catalogue_.foreign_keys) {
    const auto* child = catalogue_.find(key.table);
    if (key.parent != table.oid || child == nullptr || child->oid == table.oid) continue;
    const std::string other = fmt::format("c{}", way.size());
    const auto kept = condition(*child, other, way);
    text += fmt::format("{}EXISTS (SELECT 1 FROM ONLY {} {} WHERE {}{})", text.empty() ? "" : " OR ",
                        child->sql(), other, joined(key, other, alias), kept.empty() ? "" : " AND " + kept);
  }
  return text.empty() ? "false" : "(" + text + ")";
}

std::vector<std::string> orphan_statements(const Catalogue& catalogue) {
  std::vector<std::string> statements;
  for (const auto& key : catalogue.foreign_keys) {
    const auto* child = catalogue.find(key.table);
    const auto* parent = catalogue.find(key.parent);
    if (child == nullptr || parent == nullptr || !key.is_valid) continue;
    statements.push_back(
        fmt::format("DELETE FROM ONLY {} c WHERE NOT ({}) AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
                    child->sql(), points_nowhere(key, "c"), parent->sql(), joined(key, "c", "p")));
  }
  return statements;
}

}  // namespace staithe::stage
