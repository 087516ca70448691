#include "staithe/base/text.hpp"
#include "staithe/stage/masks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

class Check {
 public:
  Check(const Masks& masks, const Catalogue& catalogue, diag::Diagnostics& diagnostics)
      : masks_(masks), catalogue_(catalogue), diagnostics_(diagnostics) {}

  void run() {
    for (const auto& rules : masks_.tables) table(rules);
    for (const auto& key : catalogue_.foreign_keys) foreign_key(key);
  }

 private:
  void say(const yaml::Located<std::string>& at, std::string message, std::string help = {}) {
    diagnostics_.add(
        {diag::Severity::error, at.position, at.length, std::move(message), at.path, std::move(help)});
  }

  void table(const TableRules& rules) {
    const auto found = std::find_if(catalogue_.tables.begin(), catalogue_.tables.end(),
                                    [&](const Table& one) { return one.full_name() == rules.table.value; });
    if (found == catalogue_.tables.end()) {
      std::vector<std::string> names;
      for (const auto& one : catalogue_.tables) names.push_back(one.full_name());
      const auto near = base::nearest(rules.table.value, names);
      return say(rules.table, fmt::format("the source has no table '{}'", rules.table.value),
                 near ? fmt::format("did you mean '{}'?", *near) : "write schema.table");
    }
    for (const auto& one : rules.columns) column(*found, one);
  }

  void column(const Table& table, const ColumnMask& rule) {
    const auto found = std::find_if(table.columns.begin(), table.columns.end(),
                                    [&](const Column& one) { return one.name == rule.column.value; });
    if (found == table.columns.end()) {
      std::vector<std::string> names;
      for (const auto& one : table.columns) names.push_back(one.name);
      const auto near = base::nearest(rule.column.value, names);
      return say(rule.column, fmt::format("{} has no column '{}'", table.full_name(), rule.column.value),
                 near ? fmt::format("did you mean '{}'?", *near) : "");
    }
    fits(table, *found, rule);
  }

  void fits(const Table& table, const Column& column, const ColumnMask& rule) {
    using Kind = Mask::Kind;
    const Kind kind = rule.mask.kind;
    const bool is_text = column.category == 'S';
    const auto& type = column.base_type;
    if (column.is_generated && kind != Kind::keep)
      return say(rule.column,
                 fmt::format("'{}' is generated: staging computes it from the masked columns", column.name),
                 "take the rule away");
    if (kind == Kind::null && column.not_null)
      say(rule.column, fmt::format("'{}' is NOT NULL", column.name), "take a constant, or hash");
    const bool hashable = is_text || type == "uuid" || type == "bytea" || type == "bigint" ||
                          type == "integer" || type == "numeric" || type == "json" || type == "jsonb";
    if (kind == Kind::hash && !hashable)
      say(rule.column, fmt::format("hash cannot make a {}", column.type), "write {sql: EXPRESSION}");
    if ((kind == Kind::fake_email || kind == Kind::partial) && !is_text)
      say(rule.column, fmt::format("'{}' is no text but {}", column.name, column.type));
    if (kind == Kind::shift_days && column.category != 'D')
      say(rule.column, fmt::format("'{}' is no date but {}", column.name, column.type));
    const bool makes_equal = kind == Kind::constant || kind == Kind::partial || kind == Kind::shift_days;
    if (makes_equal && column.is_unique)
      say(rule.column,
          fmt::format("{}.{} is unique, which this mask would not keep", table.full_name(), column.name),
          "hash and fake_email keep different values different");
    if (!rule.mask.by.empty() && std::none_of(table.columns.begin(), table.columns.end(),
                                              [&](const Column& one) { return one.name == rule.mask.by; }))
      say(rule.column, fmt::format("{} has no column '{}'", table.full_name(), rule.mask.by));
  }

  std::string mask_of(const Table& table, const std::string& column) const {
    const auto* rules = masks_.find(table.full_name());
    const auto* rule = rules == nullptr ? nullptr : rules->find(column);
    return rule == nullptr ? "keep" : mask_text(rule->mask);
  }

  void foreign_key(const ForeignKey& key) {
    const auto* child = catalogue_.find(key.table);
    const auto* parent = catalogue_.find(key.parent);
    if (child == nullptr || parent == nullptr) return;
    for (std::size_t i = 0; i < key.columns.size() && i < key.parent_columns.size(); ++i) {
      const auto here = mask_of(*child, key.columns[i]);
      const auto there = mask_of(*parent, key.parent_columns[i]);
      if (here == there || here == "null") continue;
      const auto* rules = masks_.find(here == "keep" ? parent->full_name() : child->full_name());
      const auto* rule =
          rules == nullptr ? nullptr : rules->find(here == "keep" ? key.parent_columns[i] : key.columns[i]);
      if (rule == nullptr) continue;
      say(rule->column,
          fmt::format("foreign key {}: {}.{} ({}) would not meet {}.{} ({})", key.name, child->full_name(),
                      key.columns[i], here, parent->full_name(), key.parent_columns[i], there),
          "give both ends the same mask");
    }
  }

  const Masks& masks_;
  const Catalogue& catalogue_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void check_masks(const Masks& masks, const Catalogue& catalogue, diag::Diagnostics& diagnostics) {
  Check(masks, catalogue, diagnostics).run();
}

}  // namespace staithe::stage
