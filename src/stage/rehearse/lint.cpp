#include "lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace staithe::stage {
namespace {

struct Rule {
  std::string code, text;
  Blocks blocks = Blocks::nobody;
  std::optional<Deed::Kind> deed;
};

std::optional<Rule> added_constraint_rule(const Fact& fact) {
  if (fact.not_valid || fact.using_index) return std::nullopt;
  switch (fact.act) {
    case Act::add_check:
      return Rule{"check-scans", "ADD CHECK without NOT VALID looks at every row while everybody waits",
                  Blocks::everybody, Deed::Kind::scan};
    case Act::add_foreign_key:
      return Rule{"foreign-key-scans",
                  "ADD FOREIGN KEY without NOT VALID looks at every row while writers of both tables wait",
                  Blocks::writers, Deed::Kind::foreign_key_check};
    case Act::add_unique:
    case Act::add_exclude:
      return Rule{"constraint-builds-index", "this constraint builds its index while everybody waits",
                  Blocks::everybody, Deed::Kind::index_build};
    default:
      return std::nullopt;
  }
}

std::optional<Rule> table_rule(const Fact& fact) {
  switch (fact.act) {
    case Act::set_not_null:
      return Rule{"not-null-scans", "SET NOT NULL looks at every row while everybody waits",
                  Blocks::everybody, Deed::Kind::scan};
    case Act::add_column:
      if (fact.volatile_default)
        return Rule{"volatile-default-rewrites", "a default that differs from row to row rewrites the table",
                    Blocks::everybody, Deed::Kind::rewrite};
      if (fact.not_null && !fact.has_default)
        return Rule{"not-null-without-default",
                    "a NOT NULL column without a default fails on a table with rows", Blocks::everybody,
                    std::nullopt};
      return std::nullopt;
    case Act::alter_type:
      return Rule{"type-rewrites", "changing a type usually rewrites the table while everybody waits",
                  Blocks::everybody, Deed::Kind::rewrite};
    case Act::rewrite:
      return Rule{"rewrites", "this rewrites the whole table while everybody waits", Blocks::everybody,
                  Deed::Kind::rewrite};
    case Act::rename:
    case Act::drop_column:
    case Act::drop_table:
      return Rule{"old-code-breaks", "code of the release before still uses the old name", Blocks::everybody,
                  std::nullopt};
    default:
      return added_constraint_rule(fact);
  }
}

std::optional<Rule> other_rule(const Fact& fact) {
  switch (fact.act) {
    case Act::create_index:
      if (fact.concurrently) return std::nullopt;
      return Rule{"create-index-blocks-writers", "CREATE INDEX without CONCURRENTLY keeps writers out",
                  Blocks::writers, Deed::Kind::index_build};
    case Act::drop_index:
      if (fact.concurrently) return std::nullopt;
      return Rule{"drop-index-blocks", "DROP INDEX without CONCURRENTLY keeps everybody out of its table",
                  Blocks::everybody, std::nullopt};
    case Act::reindex:
      if (fact.concurrently) return std::nullopt;
      return Rule{"reindex-blocks-writers", "REINDEX without CONCURRENTLY keeps writers out", Blocks::writers,
                  Deed::Kind::index_build};
    case Act::update:
    case Act::remove:
      return Rule{"one-big-statement", "all rows in one statement: each stays locked until it is done",
                  Blocks::nobody, std::nullopt};
    case Act::truncate:
    case Act::lock_table:
      return Rule{"locks-table", "everybody is kept out until the transaction ends", Blocks::everybody,
                  std::nullopt};
    default:
      return table_rule(fact);
  }
}

bool made_here(const std::set<std::string>& made, const std::string& table) {
  if (made.contains(table)) return true;
  const std::size_t dot = table.rfind('.');
  return dot != std::string::npos && made.contains(table.substr(dot + 1));
}

bool did(const StatementReport& report, Deed::Kind kind) {
  return std::any_of(report.deeds.begin(), report.deeds.end(),
                     [&](const Deed& deed) { return deed.kind == kind; });
}

}  // namespace

SqlStatement parsed(const PlannedStatement& statement) {
  diag::Diagnostics ignored;
  auto file = split_sql(statement.text, "", ignored);
  return file.statements.empty() ? SqlStatement{} : std::move(file.statements.front());
}

std::vector<Expectation> lint(const std::vector<MigrationFile>& files) {
  std::vector<Expectation> expected;
  std::set<std::string> made;
  for (std::size_t f = 0; f < files.size(); ++f)
    for (std::size_t s = 0; s < files[f].statements.size(); ++s)
      for (const auto& fact : facts_of(parsed(files[f].statements[s]))) {
        if (fact.act == Act::create_table) made.insert(fact.table);
        if (made_here(made, fact.table)) continue;
        if (auto rule = other_rule(fact))
          expected.push_back(
              {f, s, std::move(rule->code), fact.table, std::move(rule->text), rule->blocks, rule->deed});
      }
  return expected;
}

std::size_t report_index(const std::vector<MigrationFile>& files, std::size_t file, std::size_t statement) {
  std::size_t index = 0;
  for (std::size_t f = 0; f < file; ++f)
    index += files[f].statements.size() + (files[f].transactions == Transactions::one ? 1 : 0);
  return index + statement;
}

const StatementReport* report_of(const std::vector<MigrationFile>& files, std::size_t file,
                                 std::size_t statement, const std::vector<StatementReport>& statements) {
  const std::size_t index = report_index(files, file, statement);
  return index < statements.size() ? &statements[index] : nullptr;
}

bool blocked_during(const std::vector<StatementReport>& statements, const StatementReport& one,
                    Blocks blocks) {
  for (const auto& other : statements)
    for (const auto& lock : other.locks)
      if (!lock.is_new && static_cast<int>(lock.blocks) >= static_cast<int>(blocks) &&
          lock.from <= one.began + one.took && lock.from + lock.held >= one.began)
        return true;
  return false;
}

std::vector<std::string> disagreements(const std::vector<MigrationFile>& files,
                                       const std::vector<Expectation>& expected,
                                       const std::vector<StatementReport>& statements) {
  std::vector<std::string> out;
  std::set<std::pair<std::size_t, std::size_t>> rewrite_expected;
  for (const auto& one : expected) {
    const auto* report = report_of(files, one.file, one.statement, statements);
    if (one.deed == Deed::Kind::rewrite) rewrite_expected.emplace(one.file, one.statement);
    if (report == nullptr || report->failure) continue;
    const std::string place = fmt::format("{}:{}: ", report->file, report->line);
    if (one.deed && !did(*report, *one.deed))
      out.push_back(fmt::format(
          "{}the words suggest a {} ({}); the server did none{}", place, name_of(*one.deed), one.code,
          did(*report, Deed::Kind::scan_skipped) ? ": a constraint that holds already proves it" : ""));
    if (one.blocks != Blocks::nobody && !blocked_during(statements, *report, one.blocks))
      out.push_back(
          fmt::format("{}the words suggest that {} wait ({}); no such lock was seen on anything that "
                      "was there before",
                      place, name_of(one.blocks), one.code));
  }
  for (std::size_t f = 0; f < files.size(); ++f)
    for (std::size_t s = 0; s < files[f].statements.size(); ++s) {
      const auto* report = report_of(files, f, s, statements);
      if (report == nullptr || report->failure || rewrite_expected.contains({f, s})) continue;
      for (const auto& deed : report->deeds)
        if (deed.kind == Deed::Kind::rewrite)
          out.push_back(fmt::format("{}:{}: {} was rewritten, which the words did not suggest", report->file,
                                    report->line, deed.object));
    }
  return out;
}

}  // namespace staithe::stage
