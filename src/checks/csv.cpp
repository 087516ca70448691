#include "names.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <set>

namespace staithe::checks {
namespace {

constexpr std::size_t most_rows = 10'000;

using Record = std::vector<Cell>;

/// Takes a text apart, quotes resolved.
class Records {
 public:
  explicit Records(std::string_view text) : text_(text) {}

  /// False when a quote is not closed.
  bool read(TableFault& fault) {
    for (; at_ < text_.size(); step()) take(text_[at_]);
    if (any_ || !record_.empty()) end_record();
    if (quoted_) fault = {"a quote is not closed", quote_line_, quote_column_};
    return !quoted_;
  }
  std::vector<Record> all;

 private:
  void step() {
    const char c = text_[at_++];
    if (c == '\n')
      ++line_, column_ = 1;
    else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U)
      ++column_;
    if (begins_) field_.line = line_, field_.column = column_, begins_ = false;
  }
  void take(char c) {
    if (quoted_) {
      const bool twice = c == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"';
      if (twice) step();
      if (c == '"' && !twice)
        quoted_ = false;
      else
        field_.text += c;
    } else if (c == '"' && field_.text.empty()) {
      quoted_ = any_ = true;
      quote_line_ = line_, quote_column_ = column_;
    } else if (c == ',') {
      end_field();
      any_ = true;
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r') {
      field_.text += c;
      any_ = true;
    }
  }
  void end_field() {
    record_.push_back(std::exchange(field_, {}));
    begins_ = true;
  }
  void end_record() {
    end_field();
    if (any_ || record_.size() > 1) all.push_back(std::exchange(record_, {}));
    record_.clear();
    any_ = false;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1, column_ = 1, quote_line_ = 0, quote_column_ = 0;
  Record record_;
  Cell field_;
  bool quoted_ = false, any_ = false;
  bool begins_ = false;  ///< the next byte is the first of a field
};

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

std::optional<Table> parse_csv(std::string_view text, TableFault& fault) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Records read(text);
  auto& records = read.all;
  if (!base::is_utf8(text)) {
    fault.why = "the file is not UTF-8";
  } else if (read.read(fault) && records.size() < 2) {
    fault.why = "the file needs a first row with the names of the columns, and at least one more";
  } else if (records.size() > most_rows) {
    fault.why = fmt::format("the file has more than {} rows", most_rows);
  }
  if (!fault.why.empty()) return std::nullopt;
  Table table;
  for (const auto& name : records.front()) table.columns.emplace_back(base::trim(name.text));
  if (const char other = other_separator(text); table.columns.size() == 1 && other != '\0') {
    fault.why = fmt::format(
        "its columns are separated by {}, and CSV has commas: save it so, or put '\"' around the name",
        other == ';' ? "';'" : "tabs");
    return std::nullopt;
  }
  std::set<std::string> names;
  for (const auto& name : records.front()) {
    if (names.insert(std::string(base::trim(name.text))).second) continue;
    fault = {"two columns have the same name", name.line, name.column};
    return std::nullopt;
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (records[i].size() != table.columns.size()) {
      fault = {fmt::format("row {} has {} fields, the first row has {}", i + 1, records[i].size(),
                           table.columns.size()),
               records[i].front().line, records[i].front().column};
      return std::nullopt;
    }
    table.rows.push_back(std::move(records[i]));
  }
  return table;
}

}  // namespace staithe::checks
