#include "cases.hpp"

#include <fmt/format.h>

#include <set>

namespace staithe::checks {

std::vector<Instance> CaseReader::read(const yaml::Reader& reader) {
  std::vector<Instance> cases;
  const auto path = reader.text();
  if (!path) return cases;
  std::string why;
  text_ = context_.read_file ? context_.read_file(*path, why) : std::nullopt;
  if (!text_) {
    reader.error(fmt::format("{}: {}", *path, why));
    return cases;
  }
  const auto slash = path->starts_with('/') ? std::string::npos : suite_file_.rfind('/');
  file_ = (slash == std::string::npos ? "" : suite_file_.substr(0, slash + 1)) + *path;
  TableFault fault;
  const auto table = parse_csv(*text_, fault);
  if (!table) {
    reader.diagnostics().error({file_, fault.line, fault.column}, fault.why, reader.path());
    return cases;
  }
  std::set<std::string> labels;
  for (std::size_t row = 0; row < table->rows.size(); ++row) {
    auto one = case_of(*table, row);
    if (!is_on_one_line(one.label))
      reader.diagnostics().error(place_of_label(one), not_on_one_line, reader.path());
    else if (labels.insert(one.label).second)
      cases.push_back(std::move(one));
    else
      reader.diagnostics().error(
          one.cells.front().second,
          fmt::format("two rows are called '{}': their histories would be one", one.label), reader.path());
  }
  return cases;
}

diag::Position CaseReader::place_of_label(const Instance& one) {
  for (const auto& [name, position] : one.cells)
    if (name == "case.name") return position;
  return one.cells.front().second;
}

Instance CaseReader::case_of(const Table& table, std::size_t row) const {
  Instance one;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    const auto& cell = table.rows[row][column];
    const auto name = "case." + table.columns[column];
    one.values.emplace_back(name, cell.text);
    one.cells.emplace_back(name, diag::Position{file_, cell.line, cell.column});
    if (table.columns[column] == "name") one.label = cell.text;
  }
  if (one.label.empty()) one.label = fmt::format("row {}", row + 1);
  return one;
}

}  // namespace staithe::checks
