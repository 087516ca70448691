#include "advice.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

std::string bare_name(const std::string& name) {
  std::string bare = name;
  if (const std::size_t dot = bare.rfind('.'); dot != std::string::npos && bare.back() != '"')
    bare = bare.substr(dot + 1);
  std::erase(bare, '"');
  return bare;
}

std::string made_name(const Fact& fact, std::string_view end) {
  if (!fact.name.empty()) return fact.name;
  return pg::quoted_name(bare_name(fact.table) + "_" +
                         (fact.column.empty() ? std::string() : bare_name(fact.column) + "_") +
                         std::string(end));
}

std::string alter(const Fact& fact, const std::string& action) {
  return "ALTER TABLE " + fact.table + " " + action;
}

void add(AdvicePlan& plan, std::string sql) {
  plan.steps.push_back({std::move(sql), std::nullopt});
}

void add(AdvicePlan& plan, BackfillSpec spec) {
  plan.steps.push_back({command_of(spec), std::move(spec)});
}

AdvicePlan not_null(const Fact& fact, const StatementReport& report) {
  AdvicePlan plan;
  plan.code = "not-null-in-steps";
  const std::string check = pg::quoted_name(bare_name(fact.column) + "_not_null");
  const auto* violation = report.failure && report.failure->violation ? &*report.failure->violation : nullptr;
  if (violation != nullptr && !violation->backfill_set.empty()) {
    plan.text =
        "fill the old rows in batches, add the check NOT VALID so that no new NULL comes in, fill what came "
        "in "
        "meanwhile, validate, and only then set NOT NULL: no step keeps anybody out for long";
    BackfillSpec spec;
    spec.table = fact.table;
    spec.set = violation->backfill_set;
    spec.where = violation->backfill_where;
    spec.not_null = fact.column;
    add(plan, std::move(spec));
    return plan;
  }
  plan.text =
      "a valid CHECK spares SET NOT NULL its scan: add it NOT VALID, validate it without keeping anybody out";
  add(plan,
      alter(fact, fmt::format("ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID", check, fact.column)));
  if (violation != nullptr) {
    plan.complete = false;
    plan.text += fmt::format("; between the two, fill the {} rows", violation->violating);
    return plan;
  }
  add(plan, alter(fact, "VALIDATE CONSTRAINT " + check));
  add(plan, alter(fact, "ALTER COLUMN " + fact.column + " SET NOT NULL"));
  add(plan, alter(fact, "DROP CONSTRAINT " + check));
  return plan;
}

AdvicePlan not_valid(const Fact& fact, const StatementReport& report) {
  AdvicePlan plan;
  plan.code = "not-valid-then-validate";
  plan.text =
      "add it NOT VALID, which looks at no row, then VALIDATE, which keeps nobody from reading or writing";
  std::string clause = fact.clause;
  std::string name = fact.name;
  if (name.empty()) {
    name = made_name(fact, fact.act == Act::add_check ? "check" : "fkey");
    const std::size_t after_add = std::min(clause.find_first_of(" \t\n"), clause.size());
    clause = "ADD CONSTRAINT " + name + clause.substr(after_add);
  }
  add(plan, alter(fact, clause + " NOT VALID"));
  if (report.failure && report.failure->violation) {
    plan.complete = false;
    plan.text += fmt::format("; between the two, repair the {} rows that violate it",
                             report.failure->violation->violating);
    return plan;
  }
  add(plan, alter(fact, "VALIDATE CONSTRAINT " + name));
  return plan;
}

std::optional<AdvicePlan> unique(const Fact& fact, const StatementReport& report) {
  if (fact.using_index || fact.rest.empty() || fact.rest.front() != '(') return std::nullopt;
  AdvicePlan plan;
  plan.code = "unique-index-first";
  plan.text = "build the index CONCURRENTLY, then make it the constraint, which takes a moment";
  const std::string name = made_name(fact, "key");
  const bool primary =
      fact.clause.find("PRIMARY") != std::string::npos || fact.clause.find("primary") != std::string::npos;
  const std::size_t close = fact.rest.find(')');
  add(plan, fmt::format("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} {}", name, fact.table,
                        fact.rest.substr(0, close + 1)));
  add(plan, alter(fact, fmt::format("ADD CONSTRAINT {} {} USING INDEX {}", name,
                                    primary ? "PRIMARY KEY" : "UNIQUE", name)));
  if (report.failure) {
    plan.complete = false;
    plan.text += "; the rows that are there more than once have to go first";
    plan.steps.clear();
  }
  return plan;
}

/// The statement with CONCURRENTLY behind its word INDEX, VIEW or, for REINDEX, the kind of thing.
std::optional<AdvicePlan> concurrently(const SqlStatement& statement, const Fact& fact,
                                       const StatementReport& report) {
  for (const auto& token : statement.tokens) {
    if (!token.is("index") && !token.is("view") && !(fact.act == Act::reindex && token.is("table"))) continue;
    AdvicePlan plan;
    plan.code = "concurrently";
    plan.text = "CONCURRENTLY lets everybody go on; it takes longer and needs '-- staithe: no-transaction'";
    if (report.failure) {
      plan.complete = false;
      plan.text += "; the rows that are there more than once have to go first";
    } else {
      add(plan, statement.text.substr(0, token.end) + " CONCURRENTLY" + statement.text.substr(token.end));
    }
    return plan;
  }
  return std::nullopt;
}

/// A column's definition taken apart: "uuid", "gen_random_uuid()".
struct ColumnParts {
  std::string type, value;
  bool simple = true;  ///< nothing else but NOT NULL
};
ColumnParts parts_of(const std::string& definition) {
  diag::Diagnostics ignored;
  const auto file = split_sql(definition, "", ignored);
  ColumnParts parts;
  if (file.statements.empty()) return parts;
  const auto& tokens = file.statements.front().tokens;
  const std::string& text = file.statements.front().text;
  std::size_t value_begin = std::string::npos, value_end = text.size(), type_end = text.size();
  int depth = 0;
  for (const auto& token : tokens) {
    depth += token.is_symbol('(') ? 1 : token.is_symbol(')') ? -1 : 0;
    if (depth > 0) continue;
    const bool ends = token.is("not") || token.is("default") || token.is("constraint") || token.is("check") ||
                      token.is("unique") || token.is("primary") || token.is("references") ||
                      token.is("generated");
    if (!ends) continue;
    type_end = std::min(type_end, token.begin);
    if (token.is("default"))
      value_begin = token.end;
    else if (value_begin != std::string::npos && token.begin > value_begin)
      value_end = std::min(value_end, token.begin);
    if (!token.is("default") && !token.is("not")) parts.simple = false;
  }
  parts.type = base::trim(std::string_view(text).substr(0, type_end));
  if (value_begin != std::string::npos)
    parts.value = base::trim(std::string_view(text).substr(value_begin, value_end - value_begin));
  return parts;
}

std::optional<AdvicePlan> added_column(const Fact& fact, const StatementReport& report) {
  const ColumnParts parts = parts_of(fact.rest);
  if (!parts.simple || parts.type.empty()) return std::nullopt;
  AdvicePlan plan;
  BackfillSpec spec;
  spec.table = fact.table;
  spec.where = fact.column + " IS NULL";
  if (fact.not_null) spec.not_null = fact.column;
  if (fact.volatile_default && !parts.value.empty()) {
    plan.code = "column-then-default-then-backfill";
    plan.text =
        "add the column without the default, set the default for new rows, fill the old ones in batches";
    add(plan, alter(fact, fmt::format("ADD COLUMN {} {}", fact.column, parts.type)));
    add(plan, alter(fact, fmt::format("ALTER COLUMN {} SET DEFAULT {}", fact.column, parts.value)));
    spec.set = fact.column + " = DEFAULT";
    add(plan, std::move(spec));
    return plan;
  }
  if (!report.failure || !fact.not_null) return std::nullopt;
  plan.code = "column-then-backfill-then-not-null";
  plan.text = "add the column without NOT NULL, fill the old rows, then make it NOT NULL in steps";
  add(plan, alter(fact, fmt::format("ADD COLUMN {} {}", fact.column, parts.type)));
  plan.complete = false;
  return plan;
}

AdvicePlan changed_type(const Fact& fact) {
  AdvicePlan plan;
  plan.code = "expand-and-contract";
  plan.text =
      "a new column beside the old one, written by the application and filled in batches; the next release "
      "reads it, the one after drops the old one";
  const std::string value =
      fact.using_expression.empty() ? fact.column + "::" + fact.type : fact.using_expression;
  const std::string next = pg::quoted_name(bare_name(fact.column) + "_next");
  add(plan, alter(fact, fmt::format("ADD COLUMN {} {}", next, fact.type)));
  BackfillSpec spec;
  spec.table = fact.table;
  spec.set = next + " = " + value;
  spec.where = next + " IS DISTINCT FROM " + value;
  add(plan, std::move(spec));
  return plan;
}

/// "UPDATE t SET … WHERE …" without FROM, alias or RETURNING can go by batches.
std::optional<AdvicePlan> update(const SqlStatement& statement, const Fact& fact) {
  std::size_t set = 0, where = 0, set_end = 0;
  int depth = 0;
  for (const auto& token : statement.tokens) {
    depth += token.is_symbol('(') ? 1 : token.is_symbol(')') ? -1 : 0;
    if (depth > 0) continue;
    if (token.is("set") && set == 0) {
      set = token.end;
      const auto between = base::trim(std::string_view(statement.text).substr(0, token.begin));
      if (!between.ends_with(fact.table)) return std::nullopt;
    } else if (token.is("where") && where == 0) {
      where = token.end;
      set_end = token.begin;
    } else if (token.is("from") || token.is("returning")) {
      return std::nullopt;
    }
  }
  if (set == 0) return std::nullopt;
  AdvicePlan plan;
  plan.code = "update-in-batches";
  plan.text = "in batches, each its own transaction: rows stay locked for a batch, not for all of it";
  BackfillSpec spec;
  spec.table = fact.table;
  const std::string_view text = statement.text;
  spec.set = base::trim(where == 0 ? text.substr(set) : text.substr(set, set_end - set));
  spec.where = where == 0 ? "true" : std::string(base::trim(text.substr(where)));
  add(plan, std::move(spec));
  return plan;
}

std::optional<AdvicePlan> for_fact(const SqlStatement& statement, const Fact& fact,
                                   const StatementReport& report) {
  switch (fact.act) {
    case Act::set_not_null:
      return not_null(fact, report);
    case Act::add_check:
    case Act::add_foreign_key:
      if (fact.not_valid) return std::nullopt;
      return not_valid(fact, report);
    case Act::add_unique:
      return unique(fact, report);
    case Act::create_index:
    case Act::drop_index:
    case Act::reindex:
    case Act::refresh_view:
      if (fact.concurrently) return std::nullopt;
      return concurrently(statement, fact, report);
    case Act::add_column:
      return added_column(fact, report);
    case Act::alter_type:
      return changed_type(fact);
    case Act::update:
      return update(statement, fact);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string command_of(const BackfillSpec& spec) {
  std::string command = "staithe backfill " + base::shell_quote(spec.table) + " --set " +
                        base::shell_quote(spec.set) + " --where " + base::shell_quote(spec.where);
  if (!spec.not_null.empty()) command += " --not-null " + base::shell_quote(spec.not_null);
  return command;
}

std::optional<AdvicePlan> advise(const SqlStatement& statement, const StatementReport& report) {
  const auto facts = facts_of(statement);
  std::optional<AdvicePlan> whole;
  std::vector<std::string> kept;
  for (const auto& fact : facts) {
    auto one = for_fact(statement, fact, report);
    if (!one) {
      kept.push_back(fact.clause);
    } else if (!whole) {
      whole = std::move(one);
    } else {
      whole->text += "; " + one->text;
      whole->complete = whole->complete && one->complete;
      whole->steps.insert(whole->steps.end(), std::make_move_iterator(one->steps.begin()),
                          std::make_move_iterator(one->steps.end()));
    }
  }
  if (whole && facts.size() > 1 && !kept.empty())
    whole->steps.insert(whole->steps.begin(),
                        {"ALTER TABLE " + facts.front().table + " " + base::join(kept, ", "), {}});
  return whole;
}

}  // namespace staithe::stage
