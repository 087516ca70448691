#include "sql_text.hpp"

#include "staithe/stage/rehearsal.hpp"
#include "staithe/terms/read.hpp"
#include "staithe/yaml/reader.hpp"

#include <limits>

namespace staithe::stage {
namespace {

constexpr std::int64_t most_replayed = 32;  // each is a session of its own
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

/// One statement, so that it can be prepared.
std::string single(const std::optional<yaml::Located<std::string>>& sql, diag::Diagnostics& diagnostics) {
  if (!sql) return {};
  diag::Diagnostics inner;
  const auto parsed = split_sql(sql->value, "", inner);
  if (inner.has_errors())
    diagnostics.error(sql->position, inner.sorted().front().message, sql->path);
  else if (parsed.statements.size() != 1)
    diagnostics.error(sql->position, "one SQL statement is needed here", sql->path);
  return parsed.statements.empty() ? std::string() : parsed.statements.front().text;
}

Load read_load(const yaml::Reader& item, diag::Diagnostics& diagnostics) {
  yaml::Mapping mapping(item);
  Load load;
  if (const auto name = mapping.text("name", yaml::Need::required)) load.name = name->value;
  load.sql = single(mapping.text("sql", yaml::Need::required), diagnostics);
  load.params = single(mapping.text("params"), diagnostics);
  if (const auto every = mapping.duration("every")) load.every = every->value;
  mapping.finish();
  return load;
}

template <class Named>
Named read_named(const yaml::Reader& item, diag::Diagnostics& diagnostics) {
  yaml::Mapping mapping(item);
  Named named;
  named.sql = single(mapping.text("sql", yaml::Need::required), diagnostics);
  const auto name = mapping.text("name");
  named.name = name ? name->value : named.sql;
  mapping.finish();
  return named;
}

}  // namespace

RehearsalSettings read_rehearsal_settings(const std::string& path, std::string_view text,
                                          diag::Diagnostics& diagnostics) {
  RehearsalSettings settings;
  const auto root = yaml::parse(text, path, diagnostics);
  if (!root) return settings;
  yaml::Mapping file(*root, diagnostics);
  if (auto budgets = file.mapping("budgets")) terms::read_budgets(*budgets, settings.budgets);
  if (auto accepted = file.mapping("accept")) terms::read_accepted(*accepted, settings.accepted);
  for (const auto& item : file.list("workload")) settings.workload.push_back(read_load(item, diagnostics));
  for (const auto& item : file.list("queries"))
    settings.queries.push_back(read_named<Query>(item, diagnostics));
  for (const auto& item : file.list("assertions"))
    settings.assertions.push_back(read_named<Assertion>(item, diagnostics));
  for (const auto& check : file.texts("checks")) settings.checks.push_back(check.value);
  if (const auto open = file.duration("open_transaction")) settings.open_transaction = open->value;
  if (const auto top = file.integer("top_statements", 0, 1000))
    settings.top_statements = static_cast<std::uint32_t>(top->value);
  if (const auto replay = file.integer("replay", 0, most_replayed))
    settings.replay = static_cast<std::uint32_t>(replay->value);
  for (const auto& member : file.map("production_rows"))
    if (const auto rows = member.value.integer(0, most))
      settings.production_rows[member.key.value] = static_cast<double>(*rows);
  file.finish();
  return settings;
}

}  // namespace staithe::stage
