#include "copy_findings.hpp"

#include "code_words.hpp"
#include "estimate.hpp"
#include "facts.hpp"
#include "lint.hpp"
#include "sight.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A masked column, and what of it is production's own.
struct MaskedColumn {
  std::string table, name;
  bool nulls_kept = false;
};

/// "col IS NULL", "col IS NOT NULL" or "ALTER col SET NOT NULL" from this token on: values do not matter.
bool asks_for_null(const std::vector<Token>& tokens, std::size_t at) {
  const auto is = [&](std::size_t i, std::string_view word) {
    return i < tokens.size() && tokens[i].is(word);
  };
  if (is(at + 1, "set") || is(at + 1, "drop")) return is(at + 2, "not") && is(at + 3, "null");
  return is(at + 1, "is") && (is(at + 2, "null") || (is(at + 2, "not") && is(at + 3, "null")));
}

/// Whether the statement looks at what the mask has altered.
bool looks_at(const SqlStatement& sql, const MaskedColumn& column) {
  for (std::size_t i = 0; i < sql.tokens.size(); ++i) {
    if (!sql.tokens[i].is_name() || plain_name(sql.tokens[i].text) != column.name) continue;
    if (!column.nulls_kept || !asks_for_null(sql.tokens, i)) return true;
  }
  return false;
}

bool touches(const StatementReport& one, const std::string& table) {
  return std::any_of(one.touched.begin(), one.touched.end(),
                     [&](const Touched& touched) { return plain_name(touched.table) == table; });
}

/// Whether the statement would take longer, or could end otherwise, with the rows that are not there. A
/// column that is only added looks at none.
bool depends_on_rows(const StatementReport& one, const std::string& table, const RehearsalReport& report) {
  if (!works_on(one, table, report)) return false;
  return one.failure || touches(one, table) ||
         sight_of(parsed({one.text, one.line, 1, true}), one, report) != Sight::none ||
         std::any_of(one.deeds.begin(), one.deeds.end(), works_on_all_rows);
}

/// "app.users" is meant by app.users and, as far as words show it, by users.
bool means(const std::string& written, const std::string& table) {
  const auto name = plain_name(written);
  return name == table || (!name.empty() && table.ends_with("." + name));
}

/// VALIDATE names no column: they stand where the constraint was added, and any may be meant when that was in
/// an earlier migration.
bool validates(const std::vector<Fact>& facts, const MaskedColumn& column,
               const std::vector<StatementReport>& statements) {
  for (const auto& fact : facts) {
    if (fact.act != Act::validate || !means(fact.table, column.table)) continue;
    const auto is_added = [&](const Fact& other) {
      return (other.act == Act::add_check || other.act == Act::add_foreign_key) &&
             plain_name(other.name) == plain_name(fact.name);
    };
    bool is_known = false;
    for (const auto& one : statements) {
      const auto sql = parsed({one.text, one.line, 1, true});
      const auto others = facts_of(sql);
      if (std::none_of(others.begin(), others.end(), is_added)) continue;
      if (looks_at(sql, column)) return true;
      is_known = true;
    }
    if (!is_known) return true;
  }
  return false;
}

/// A statement as far as its words and the trace show what it looks at.
struct Look {
  const SqlStatement& sql;
  const StatementReport& one;
  std::vector<Fact> facts;
  Sight sight;
};

/// Whether nothing says that it is not the column's values on which the outcome rests.
bool may_rest_on(const Look& look, const MaskedColumn& column, const RehearsalReport& report) {
  const bool works = works_on(look.one, column.table, report);
  if (look.sight == Sight::anything)
    return works && code_may_look_at(look.sql, look.one, report, column.table, column.name);
  if (look.sight != Sight::hidden || !works) return false;
  return has_star(look.sql) || takes_rows_of(look.sql, column.table, report) ||
         !names(look.sql, column.table, report);
}

bool rests_on(const Look& look, const MaskedColumn& column, const RehearsalReport& report) {
  if (may_rest_on(look, column, report) || validates(look.facts, column, report.statements)) return true;
  const bool is_there = works_on(look.one, column.table, report) ||
                        std::any_of(look.facts.begin(), look.facts.end(),
                                    [&](const Fact& fact) { return means(fact.table, column.table); });
  return is_there && looks_at(look.sql, column);
}

/// The masked columns on whose values a statement rests, of the tables that it works on.
std::vector<std::string> masked_of(const StatementReport& one, const RehearsalReport& report,
                                   const std::vector<std::string>& nulls_kept) {
  const auto sql = parsed({one.text, one.line, 1, true});
  const Look look{sql, one, facts_of(sql), sight_of(sql, one, report)};
  std::vector<std::string> found;
  if (look.sight == Sight::none) return found;
  for (const auto& name : report.masked) {
    const auto dot = name.rfind('.');
    if (rests_on(look, {name.substr(0, dot), name.substr(dot + 1), holds(nulls_kept, name)}, report))
      found.push_back(name);
  }
  return found;
}

void add(RehearsalReport& report, const char* code, const StatementReport* where, const std::string& object,
         bool accepted, std::string text, const std::string& advice) {
  Finding finding;
  finding.severity = accepted ? Severity::warning : Severity::error;
  finding.gate = !accepted;
  finding.code = code;
  if (where != nullptr) {
    finding.file = where->file;
    finding.line = where->line;
  }
  finding.object = object;
  finding.text = std::move(text);
  finding.advice = accepted ? "declared in the settings: accept" : advice;
  report.findings.push_back(std::move(finding));
}

}  // namespace

void add_copy_findings(const RehearsalPlan& plan, RehearsalReport& report) {
  const auto& accepted = plan.settings.accepted;
  for (const auto& table : report.partial) {
    const bool matters =
        std::any_of(report.statements.begin(), report.statements.end(),
                    [&](const StatementReport& one) { return depends_on_rows(one, table, report); });
    if (!matters) continue;
    const bool declared = holds(accepted.partial, table);
    if (declared) report.accepted.partial.push_back(table);
    add(report, "partial", nullptr, table, declared,
        fmt::format(
            "the snapshot has not all rows of {}: in production it takes longer, and rows that are not "
            "there may violate what is asked for",
            table),
        fmt::format(
            "a snapshot with all of its rows; or, when it will do, 'accept: {{partial: [{}]}}' in the "
            "file of --with",
            table));
  }
  for (std::size_t i = 0; i < report.statements.size(); ++i) {
    const auto& one = report.statements[i];
    for (const auto& column : masked_of(one, report, plan.nulls_kept)) {
      const bool declared = holds(accepted.masked, column);
      if (declared && !holds(report.accepted.masked, column)) report.accepted.masked.push_back(column);
      add(report, "masked", &one, column, declared,
          fmt::format("{} has masked values in the snapshot: whether production's satisfy this was not seen",
                      column),
          fmt::format(
              "ask production itself, read only, how many rows violate it; or, when the mask keeps what "
              "matters, 'accept: {{masked: [{}]}}' in the file of --with",
              column));
    }
  }
}

}  // namespace staithe::stage
