#include "names.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <set>

namespace staithe::checks {
namespace {

constexpr std::size_t most_rows = 10'000;

/// All records, quotes resolved; false when a quote is not closed.
bool records_of(std::string_view text, std::vector<std::vector<std::string>>& records) {
  std::vector<std::string> record;
  std::string field;
  bool quoted = false, any = false;
  const auto end_record = [&] {
    record.push_back(std::exchange(field, {}));
    if (any || record.size() > 1) records.push_back(std::exchange(record, {}));
    record.clear();
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"')
        field += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        field += text[++i];
      else
        quoted = false;
    } else if (c == '"' && field.empty()) {
      quoted = any = true;
    } else if (c == ',') {
      record.push_back(std::exchange(field, {}));
      any = true;
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r') {
      field += c;
      any = true;
    }
  }
  if (any || !record.empty()) end_record();
  return !quoted;
}

/// What separates the names in the first row where no comma does: '\0' for nothing. What stands in quotes
/// is part of a name.
char other_separator(std::string_view text) {
  bool quoted = false;
  for (const char c : base::trim(text)) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ';' || c == '\t') return c;
    if (c == '\n') break;
  }
  return '\0';
}

}  // namespace

std::optional<Table> parse_csv(std::string_view text, std::string& why) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::vector<std::string>> records;
  if (!base::is_utf8(text)) {
    why = "the file is no UTF-8";
  } else if (!records_of(text, records)) {
    why = "a quote is not closed";
  } else if (records.size() < 2) {
    why = "the file needs a first row with the names of the columns, and at least one more";
  } else if (records.size() > most_rows) {
    why = fmt::format("the file has more than {} rows", most_rows);
  }
  if (!why.empty()) return std::nullopt;
  Table table;
  for (const auto& name : records.front()) table.columns.emplace_back(base::trim(name));
  if (const char other = other_separator(text); table.columns.size() == 1 && other != '\0') {
    why = fmt::format(
        "its columns are separated by {}, and CSV has commas: save it so, or put '\"' around the name",
        other == ';' ? "';'" : "tabs");
    return std::nullopt;
  }
  if (std::set<std::string>(table.columns.begin(), table.columns.end()).size() != table.columns.size()) {
    why = "two columns have the same name";
    return std::nullopt;
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (records[i].size() != table.columns.size()) {
      why = fmt::format("row {} has {} fields, the first row has {}", i + 1, records[i].size(),
                        table.columns.size());
      return std::nullopt;
    }
    table.rows.push_back(std::move(records[i]));
  }
  return table;
}

}  // namespace staithe::checks
