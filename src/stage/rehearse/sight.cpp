#include "sight.hpp"

#include "code_words.hpp"
#include "facts.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace staithe::stage {
namespace {

/// They alter definitions, or look at no value.
constexpr std::array<std::string_view, 29> without_values{
    "begin",    "commit",   "rollback", "savepoint",  "release",   "start",  "end",    "abort",
    "set",      "reset",    "show",     "comment",    "grant",     "revoke", "drop",   "truncate",
    "lock",     "vacuum",   "analyze",  "cluster",    "reindex",   "listen", "notify", "discard",
    "security", "reassign", "unlisten", "checkpoint", "deallocate"};

bool has_word(const SqlStatement& sql, std::string_view word) {
  return std::any_of(sql.tokens.begin(), sql.tokens.end(), [&](const Token& one) { return one.is(word); });
}

/// "f(", where f is a function that somebody made.
bool calls_code(const SqlStatement& sql, const RehearsalReport& report) {
  for (std::size_t i = 0; i + 1 < sql.tokens.size(); ++i)
    if (sql.tokens[i].is_name() && sql.tokens[i + 1].is_symbol('(') &&
        report.functions.contains(sql.tokens[i].text))
      return true;
  return false;
}

/// An expression or a predicate is worked out for each row, and may fail for some.
bool is_of_expressions(const Fact& index) {
  if (index.rest.find("::") != std::string::npos) return true;
  const auto first = index.rest.find('(');
  return first != std::string::npos && index.rest.find('(', first + 1) != std::string::npos;
}

Sight of_fact(const Fact& fact, const SqlStatement& sql) {
  switch (fact.act) {
    case Act::set_not_null:
    case Act::alter_type:
    case Act::add_check:
    case Act::add_foreign_key:
    case Act::add_unique:
    case Act::add_exclude:
    case Act::validate:
      return Sight::words;
    case Act::add_column:
      return has_word(sql, "generated") && !has_word(sql, "identity") ? Sight::words : Sight::none;
    case Act::create_index:
      return fact.not_null || has_word(sql, "where") || is_of_expressions(fact) ? Sight::words : Sight::none;
    case Act::create_table:
      return has_word(sql, "as") && !has_word(sql, "generated") ? Sight::hidden : Sight::none;
    case Act::update:
    case Act::remove:
    case Act::insert:
    case Act::refresh_view:
      return Sight::hidden;
    default:
      return Sight::none;
  }
}

Sight of_alter(const SqlStatement& sql) {
  if (sql.tokens.size() > 1 && sql.tokens[1].is("domain")) return Sight::anything;
  Sight most = Sight::none;
  for (const auto& fact : facts_of(sql)) {
    most = std::max(most, of_fact(fact, sql));
    // The bounds of a partition are those of columns that are named elsewhere.
    if (fact.act == Act::other && fact.clause.size() > 6 && has_word(sql, "attach")) most = Sight::anything;
  }
  return most;
}

Sight of_create(const SqlStatement& sql) {
  if (has_word(sql, "materialized")) return Sight::hidden;
  return of_fact(facts_of(sql).front(), sql);
}

Sight of_words(const SqlStatement& sql) {
  const auto& first = sql.tokens.front();
  if (first.is("do") || first.is("call") || first.is("execute")) return Sight::anything;
  if (first.is("alter")) return of_alter(sql);
  if (first.is("create")) return of_create(sql);
  return first.is_one_of(without_values) && !facts_of(sql).empty() ? Sight::none : Sight::hidden;
}

/// Whether it empties the table, by its words or by those of code that it runs.
bool truncates(const SqlStatement& sql, const StatementReport& one, const std::string& table,
               const RehearsalReport& report) {
  Code code;
  (void)code.add(sql.text);
  const auto& first = sql.tokens.front();
  const bool may_run_code = first.is("do") || first.is("call") || first.is("select") || first.is("with");
  if (!code.words().contains("truncate") && !may_run_code) return false;
  return names(sql, table, report) ||
         std::any_of(one.locks.begin(), one.locks.end(), [&](const LockSpan& lock) {
           return lock.mode == "AccessExclusiveLock" && plain_name(lock.object) == table;
         });
}

/// What triggers call that fire by the rows which a statement was seen to write, by whatever way it wrote
/// them, or because it empties a table. Those of a partition's whole fire as well.
std::set<std::string> fired_functions(const SqlStatement& sql, const StatementReport& one,
                                      const RehearsalReport& report) {
  std::set<std::string> functions;
  for (const auto& rows : one.touched) {
    for (std::string table = plain_name(rows.table);;) {
      if (const auto found = report.triggers.find(table); found != report.triggers.end())
        for (const auto& trigger : found->second)
          if ((trigger.on_insert && rows.inserted > 0) || (trigger.on_update && rows.updated > 0) ||
              (trigger.on_delete && rows.deleted > 0))
            functions.insert(trigger.function);
      const auto whole = report.parents.find(table);
      if (whole == report.parents.end() || whole->second == table) break;
      table = whole->second;
    }
  }
  for (const auto& [table, triggers] : report.triggers)
    for (const auto& trigger : triggers)
      if (trigger.on_truncate && truncates(sql, one, table, report)) functions.insert(trigger.function);
  return functions;
}

bool fires_a_trigger(const SqlStatement& sql, const StatementReport& one, const RehearsalReport& report) {
  return !fired_functions(sql, one, report).empty() ||
         std::any_of(one.side_effects.begin(), one.side_effects.end(),
                     [](const std::string& effect) { return effect.starts_with("trigger "); });
}

/// Whether the name may be among the words: of one that had to be quoted, such as "e-mail", each of its
/// parts.
bool may_name(const std::set<std::string>& words, const std::string& name) {
  const auto parts = words_of(name);
  return std::includes(words.begin(), words.end(), parts.begin(), parts.end());
}

/// All that runs: the statement, the functions that it or its triggers call, and theirs. Nothing when some of
/// it cannot be read.
std::optional<Code> code_that_runs(const SqlStatement& sql, const StatementReport& one,
                                   const RehearsalReport& report) {
  if (report.has_unseen_code) return std::nullopt;
  Code code;
  if (!code.add(sql.text)) return std::nullopt;
  std::set<std::string> called;
  for (const auto& function : fired_functions(sql, one, report)) called.merge(words_of(function));
  for (const auto& effect : one.side_effects) called.merge(words_of(effect));
  std::set<std::string> read;
  for (bool is_new = true; is_new;) {
    is_new = false;
    for (const auto& [name, body] : report.functions) {
      if (!may_name(called, name) && !may_name(code.words(), name)) continue;
      if (!read.insert(name).second) continue;
      if (body.empty() || !code.add(body)) return std::nullopt;
      is_new = true;
    }
  }
  return code;
}

/// They make statements of texts, or one value of a row.
constexpr std::array<std::string_view, 6> opaque_words{"execute",     "to_json", "to_jsonb",
                                                       "row_to_json", "hstore",  "query_to_xml"};

}  // namespace

bool code_may_look_at(const SqlStatement& sql, const StatementReport& one, const RehearsalReport& report,
                      const std::string& table, const std::string& column) {
  const auto& first = sql.tokens.front();
  if (first.is("alter") || first.is("execute")) return true;  // a domain, a partition, a statement of before
  const auto code = code_that_runs(sql, one, report);
  if (!code || may_name(code->words(), column) || code->has_star()) return true;
  if (std::any_of(opaque_words.begin(), opaque_words.end(),
                  [&](std::string_view word) { return code->words().contains(std::string(word)); }))
    return true;
  bool is_named = false;
  for (std::string name = table;;) {
    const auto bare = base::lower(name.substr(name.rfind('.') + 1));
    if (code->takes_whole_rows(bare)) return true;
    is_named |= code->words().contains(bare);
    const auto whole = report.parents.find(name);
    if (whole == report.parents.end() || whole->second == name) return !is_named;  // by way of a view
    name = whole->second;
  }
}

Sight sight_of(const SqlStatement& sql, const StatementReport& one, const RehearsalReport& report) {
  if (sql.tokens.empty()) return Sight::none;
  const auto sight = of_words(sql);
  if (sight == Sight::none) return fired_functions(sql, one, report).empty() ? sight : Sight::anything;
  const bool runs_code =
      calls_code(sql, report) || fires_a_trigger(sql, one, report) || report.has_unseen_code;
  return runs_code ? Sight::anything : sight;
}

bool works_on(const StatementReport& one, const std::string& table, const RehearsalReport& report) {
  const auto more_than_a_key = [&](const StatementReport& other) {
    return std::any_of(other.locks.begin(), other.locks.end(), [&](const LockSpan& lock) {
      return !lock.is_new && lock.mode != "RowShareLock" && plain_name(lock.object) == table;
    });
  };
  if (more_than_a_key(one)) return true;
  if (std::any_of(one.deeds.begin(), one.deeds.end(),
                  [&](const Deed& deed) { return plain_name(deed.object) == table; }))
    return true;
  const auto touched = std::find_if(one.touched.begin(), one.touched.end(),
                                    [&](const Touched& rows) { return plain_name(rows.table) == table; });
  if (touched == one.touched.end()) return false;
  if (touched->inserted + touched->updated + touched->deleted > 0) return true;
  // A lock that it has from before is not asked for again.
  bool is_locked = false;
  for (const auto& other : report.statements) {
    if (other.began > one.began) continue;
    if (more_than_a_key(other)) return true;
    is_locked |= std::any_of(other.locks.begin(), other.locks.end(),
                             [&](const LockSpan& lock) { return plain_name(lock.object) == table; });
  }
  return !is_locked;
}

bool names(const SqlStatement& sql, const std::string& table, const RehearsalReport& report) {
  const auto name = table.substr(table.rfind('.') + 1);
  const bool is_there = std::any_of(sql.tokens.begin(), sql.tokens.end(), [&](const Token& token) {
    return token.is_name() && token.text == name;
  });
  if (is_there) return true;
  const auto whole = report.parents.find(table);
  return whole != report.parents.end() && whole->second != table && names(sql, whole->second, report);
}

bool takes_rows_of(const SqlStatement& sql, const std::string& table, const RehearsalReport& report) {
  if (takes_whole_rows(sql, table.substr(table.rfind('.') + 1))) return true;
  const auto whole = report.parents.find(table);
  return whole != report.parents.end() && whole->second != table && takes_rows_of(sql, whole->second, report);
}

std::string plain_name(std::string name) {
  name.erase(std::remove(name.begin(), name.end(), '"'), name.end());
  return name;
}

}  // namespace staithe::stage
