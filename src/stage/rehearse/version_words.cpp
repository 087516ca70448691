#include "version_words.hpp"

#include "code_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace staithe::stage {
namespace {

using Tokens = std::vector<Token>;

/// Words in a row: "*" is a name, with its schema or without; "~" is anything that may stand between.
struct Pattern {
  const char* words;
  const char* what;
  int since;
};
constexpr std::array patterns{
    Pattern{"detach partition * concurrently", "DETACH PARTITION CONCURRENTLY", 14},
    Pattern{"create or replace trigger", "CREATE OR REPLACE TRIGGER", 14},
    Pattern{"set compression", "SET COMPRESSION", 14},
    Pattern{"begin atomic", "BEGIN ATOMIC", 14},
    Pattern{"merge into", "MERGE", 15},
    Pattern{"nulls not distinct", "NULLS NOT DISTINCT", 15},
    Pattern{"set access method", "SET ACCESS METHOD", 15},
    Pattern{"create unlogged sequence", "CREATE UNLOGGED SEQUENCE", 15},
    Pattern{"create publication * for ~ tables in schema", "TABLES IN SCHEMA", 15},
    Pattern{"alter publication * add ~ tables in schema", "TABLES IN SCHEMA", 15},
    Pattern{"alter publication * set ~ tables in schema", "TABLES IN SCHEMA", 15},
    Pattern{"alter publication * drop ~ tables in schema", "TABLES IN SCHEMA", 15},
    Pattern{"on delete set null (", "ON DELETE SET NULL (columns)", 15},
    Pattern{"on delete set default (", "ON DELETE SET DEFAULT (columns)", 15},
    Pattern{"security_invoker", "security_invoker", 15},
    Pattern{"is json", "IS JSON", 16},
    Pattern{"is not json", "IS NOT JSON", 16},
    Pattern{"set expression as", "SET EXPRESSION", 17},
    Pattern{"set statistics default", "SET STATISTICS DEFAULT", 17},
    Pattern{"not matched by source", "MERGE ... NOT MATCHED BY SOURCE", 17},
    Pattern{"merge into ~ returning", "MERGE ... RETURNING", 17},
    Pattern{") virtual", "a virtual generated column", 18},
    Pattern{"not enforced", "NOT ENFORCED", 18},
    Pattern{"without overlaps", "WITHOUT OVERLAPS", 18},
    Pattern{"add constraint * not null", "ADD CONSTRAINT ... NOT NULL", 18},
    Pattern{"returning with ( old", "RETURNING WITH (OLD ...)", 18},
};

struct Function {
  const char* name;
  int since;
};
constexpr std::array functions{
    Function{"date_bin", 14},
    Function{"bit_count", 14},
    Function{"unistr", 14},
    Function{"trim_array", 14},
    Function{"string_to_table", 14},
    Function{"regexp_count", 15},
    Function{"regexp_instr", 15},
    Function{"regexp_like", 15},
    Function{"regexp_substr", 15},
    Function{"pg_input_is_valid", 16},
    Function{"pg_input_error_info", 16},
    Function{"random_normal", 16},
    Function{"any_value", 16},
    Function{"array_shuffle", 16},
    Function{"array_sample", 16},
    Function{"date_add", 16},
    Function{"date_subtract", 16},
    Function{"merge_action", 17},
    Function{"json_table", 17},
    Function{"json_query", 17},
    Function{"json_value", 17},
    Function{"json_exists", 17},
    Function{"to_bin", 17},
    Function{"to_oct", 17},
    Function{"uuid_extract_version", 17},
    Function{"uuid_extract_timestamp", 17},
    Function{"uuidv4", 18},
    Function{"uuidv7", 18},
    Function{"array_reverse", 18},
    Function{"array_sort", 18},
    Function{"casefold", 18},
    Function{"crc32", 18},
    Function{"crc32c", 18},
};

bool is_at(const Tokens& tokens, std::size_t at, std::string_view word) {
  if (at >= tokens.size()) return false;
  return word.size() == 1 && (word[0] == '(' || word[0] == ')') ? tokens[at].is_symbol(word[0])
                                                                : tokens[at].is(word);
}

bool matches(const Tokens& tokens, std::size_t at, std::string_view words) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    const auto word = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    if (word == "~") {
      for (; at < tokens.size(); ++at)
        if (matches(tokens, at, words)) return true;
      return false;
    }
    if (word == "*") {
      if (at >= tokens.size() || !tokens[at].is_name()) return false;
      for (++at; at + 1 < tokens.size() && tokens[at].is_symbol('.') && tokens[at + 1].is_name();) at += 2;
      continue;
    }
    if (!is_at(tokens, at++, word)) return false;
  }
  return true;
}

/// Behind "generated always as (…)" stands STORED in every version that knows it; to say nothing is new.
bool is_unsaid_virtual(const Tokens& tokens, std::size_t at) {
  if (!matches(tokens, at, "generated always as (")) return false;
  int depth = 0;
  for (at += 3; at < tokens.size(); ++at) {
    depth += tokens[at].is_symbol('(') ? 1 : tokens[at].is_symbol(')') ? -1 : 0;
    if (depth == 0) break;
  }
  return at < tokens.size() && !is_at(tokens, at + 1, "stored") && !is_at(tokens, at + 1, "virtual");
}

/// "1_000" and "0xff"; before, the second half was taken for another name.
bool is_new_number(const Token& token) {
  const auto& text = token.text;
  if (token.kind != TokenKind::number) return false;
  return text.find('_') != std::string::npos ||
         (text.size() > 2 && text[0] == '0' &&
          std::string_view("xXoObB").find(text[1]) != std::string_view::npos);
}

bool has_schema(const Tokens& tokens, std::size_t at) {
  if (at < 2 || !tokens[at - 1].is_symbol('.')) return false;
  return tokens[at - 2].text != "pg_catalog";
}

/// Its name stands where a function is made, altered or dropped, not called.
bool is_object(const Tokens& tokens, std::size_t at) {
  return at > 0 && (tokens[at - 1].is("function") || tokens[at - 1].is("exists"));
}

const Function* function_at(const Tokens& tokens, std::size_t at, const std::set<std::string>& own) {
  if (tokens[at].kind != TokenKind::word || !is_at(tokens, at + 1, "(")) return nullptr;
  const auto* found = std::find_if(functions.begin(), functions.end(),
                                   [&](const auto& one) { return tokens[at].text == one.name; });
  if (found == functions.end() || own.contains(tokens[at].text) || has_schema(tokens, at) ||
      is_object(tokens, at))
    return nullptr;
  return found;
}

void look_at(const Tokens& tokens, int major, const std::set<std::string>& own,
             std::vector<NewWords>& found) {
  const auto add = [&](NewWords words) {
    const bool is_known = std::any_of(found.begin(), found.end(),
                                      [&](const NewWords& other) { return other.what == words.what; });
    if (words.since > major && !is_known) found.push_back(std::move(words));
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (const auto& one : patterns)
      if (one.since > major && matches(tokens, i, one.words)) add({one.what, one.since, false});
    if (is_unsaid_virtual(tokens, i)) add({"a virtual generated column", 18, false});
    if (is_new_number(tokens[i])) add({"a number such as 1_000 or 0xff", 16, false});
    if (const auto* function = function_at(tokens, i, own))
      add({std::string(function->name) + "()", function->since, true});
  }
}

bool has_body(const SqlStatement& sql) {
  return (!sql.tokens.empty() && sql.tokens[0].is("do")) || function_made_by(sql).has_value();
}

Finding finding_of(const StatementReport& one, const NewWords& words, const std::string& production) {
  Finding finding;
  finding.severity = Severity::error;
  finding.gate = true;
  finding.code = "unknown-in-production";
  finding.file = one.file;
  finding.line = one.line;
  finding.object = words.what;
  finding.text = fmt::format("{} came with PostgreSQL {}; production, which is {}, would refuse it",
                             words.what, words.since, production);
  if (words.is_function)
    finding.advice = "when it is a function of your own, its schema before its name says so";
  return finding;
}

}  // namespace

std::string versions_text(const RehearsalReport& report) {
  const auto& there = report.production_version;
  return report.server_version +
         (there.empty() || there == report.server_version ? std::string() : ", production " + there);
}

int major_of(std::string_view version) noexcept {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

std::vector<NewWords> unknown_to(int major, const std::string& sql, const std::set<std::string>& own) {
  diag::Diagnostics ignored;
  std::vector<NewWords> found;
  for (const auto& statement : split_sql(sql, "", ignored).statements) {
    look_at(statement.tokens, major, own, found);
    if (!has_body(statement)) continue;  // what stands in other quotes is a value
    Code code(Code::Texts::run);
    (void)code.add(statement.text);
    for (const auto& inner : code.statements()) look_at(inner.tokens, major, own, found);
  }
  return found;
}

void add_version_findings(RehearsalReport& report) {
  const int here = major_of(report.server_version), there = major_of(report.production_version);
  if (here == 0 || there == 0 || here == there) return;
  Finding skew;
  skew.severity = Severity::warning;
  skew.code = "version-skew";
  skew.text = fmt::format(
      "production is PostgreSQL {}, this was rehearsed on {}: what it refuses, locks, scans and plans may "
      "differ",
      report.production_version, report.server_version);
  skew.advice = "a staging server of production's major version shows what production does";
  report.findings.push_back(std::move(skew));
  if (there > here) return;
  std::set<std::string> own;
  for (const auto& [name, body] : report.functions) own.insert(name);
  for (const auto& one : report.statements)
    for (const auto& words : unknown_to(there, one.text, own))
      report.findings.push_back(finding_of(one, words, report.production_version));
}

}  // namespace staithe::stage
