#include "staithe/stage/catalogue.hpp"

#include "catalogue_sql.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/snapshots.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::stage {
namespace {

const std::string& text(const pg::Row& row, std::size_t column) {
  static const std::string none;
  return row.at(column) ? *row[column] : none;
}
std::uint64_t number(const pg::Row& row, std::size_t column) {
  const auto& value = text(row, column);
  return value.empty() || value.front() == '-' ? 0 : std::stoull(value);
}
Oid oid(const pg::Row& row, std::size_t column) {
  return static_cast<Oid>(number(row, column));
}
bool flag(const pg::Row& row, std::size_t column) {
  return text(row, column) == "t";
}
char letter(const pg::Row& row, std::size_t column) {
  return text(row, column).empty() ? ' ' : text(row, column).front();
}
/// Arrays come as JSON: PostgreSQL's own form of arrays has quoting rules of its own.
std::vector<std::string> names(const pg::Row& row, std::size_t column) {
  const auto document = nlohmann::json::parse(text(row, column), nullptr, false);
  return document.is_array() ? document.get<std::vector<std::string>>() : std::vector<std::string>();
}

void read_database(pg::Session& source, Catalogue& catalogue, const base::Scope& scope) {
  const auto answer =
      source.run(source.server_version() >= 150000 ? sql::database : sql::database_before_15, scope);
  const auto& row = answer.rows.at(0);
  catalogue.origin = {text(row, 0), text(row, 1), source.where(), text(row, 2)};
  catalogue.server = server_identity(source, scope);
  catalogue.in_recovery = flag(row, 3);
  catalogue.hot_standby_feedback = flag(row, 4);
  catalogue.standby_delay = text(row, 5);
  catalogue.encoding = text(row, 6);
  catalogue.collate = text(row, 7);
  catalogue.ctype = text(row, 8);
  catalogue.locale_provider = letter(row, 9);
  catalogue.icu_locale = text(row, 10);
  catalogue.database_bytes = number(row, 11);
  catalogue.large_objects = number(row, 12);
  catalogue.version = source.server_version();
  catalogue.sees_others = flag(source.run(sql::sees_others, scope).rows.at(0), 0);
  for (const auto& setting : source.run(sql::settings, scope).rows) {
    const auto equals = text(setting, 0).find('=');
    if (equals != std::string::npos)
      catalogue.settings.emplace_back(text(setting, 0).substr(0, equals),
                                      text(setting, 0).substr(equals + 1));
  }
  for (const auto& extension : source.run(sql::extensions, scope).rows)
    catalogue.extensions.emplace_back(text(extension, 0), text(extension, 1));
}

void read_tables(pg::Session& source, Catalogue& catalogue, const base::Scope& scope) {
  std::map<Oid, std::size_t> at;
  for (const auto& row : source.run(sql::tables, scope).rows) {
    Table table;
    table.oid = oid(row, 0);
    table.schema = text(row, 1);
    table.name = text(row, 2);
    table.bytes = number(row, 3);
    table.rows = number(row, 4);
    table.hidden_rows = flag(row, 5);
    table.is_unlogged = flag(row, 6);
    table.extension = text(row, 7);
    table.condition = text(row, 8);
    table.readable = flag(row, 9);
    table.pages = number(row, 10);
    at[table.oid] = catalogue.tables.size();
    catalogue.tables.push_back(std::move(table));
  }
  for (const auto& row : source.run(sql::columns, scope).rows) {
    const auto found = at.find(oid(row, 0));
    if (found == at.end()) continue;
    Table& table = catalogue.tables[found->second];
    Column column;
    column.name = text(row, 1);
    column.type = text(row, 2);
    column.base_type = text(row, 3);
    column.category = letter(row, 4);
    column.is_generated = flag(row, 5);
    column.not_null = flag(row, 6);
    column.is_unique = flag(row, 7);
    if (flag(row, 8) && !column.is_generated) table.text_only = true;
    if (flag(row, 9)) table.primary_key.push_back(column.name);
    table.columns.push_back(std::move(column));
  }
}

void read_indexes(pg::Session& source, Catalogue& catalogue, const base::Scope& scope) {
  for (const auto& row : source.run(sql::indexes, scope).rows)
    catalogue.indexes.push_back(
        {oid(row, 0), oid(row, 1), oid(row, 2), text(row, 3), text(row, 4), letter(row, 5), number(row, 6)});
  for (const auto& row : source.run(sql::view_indexes, scope).rows)
    catalogue.view_indexes.push_back(oid(row, 0));
  for (const auto& row : source.run(sql::foreign_keys, scope).rows)
    catalogue.foreign_keys.push_back(
        {oid(row, 0), text(row, 1), oid(row, 2), oid(row, 3), names(row, 4), names(row, 5), flag(row, 6)});
}

void append_collations(pg::Session& session, const char* sql, std::vector<Collation>& collations,
                       const base::Scope& scope) {
  for (const auto& row : session.run(sql, scope).rows)
    collations.push_back({text(row, 0), letter(row, 1), text(row, 2), text(row, 3), text(row, 4)});
}

}  // namespace

const Table* Catalogue::find(Oid wanted) const {
  for (const auto& table : tables)
    if (table.oid == wanted) return &table;
  return nullptr;
}

std::vector<MaterializedView> read_views(pg::Session& session, const base::Scope& scope) {
  std::vector<MaterializedView> views;
  for (const auto& row : session.run(sql::views, scope).rows)
    views.push_back({oid(row, 0), text(row, 1), text(row, 2), flag(row, 3)});
  return views;
}

std::vector<Collation> read_collations(pg::Session& session, const base::Scope& scope) {
  std::vector<Collation> collations;
  append_collations(session, sql::collations, collations, scope);
  return collations;
}

std::vector<std::string> read_unchecked(pg::Session& session, const base::Scope& scope) {
  std::vector<std::string> constraints;
  for (const auto& row : session.run(sql::unchecked_constraints, scope).rows)
    constraints.push_back(text(row, 0));
  return constraints;
}

std::map<Oid, Shape> shapes_now(pg::Session& source, const base::Scope& scope) {
  std::map<Oid, Shape> shapes;
  for (const auto& row : source.run(sql::table_shapes, scope).rows)
    shapes[oid(row, 0)] = {text(row, 1) + "." + text(row, 2), text(row, 3)};
  for (const auto& row : source.run(sql::sequences, scope).rows)
    shapes[oid(row, 0)] = {text(row, 1) + "." + text(row, 2), {}};
  return shapes;
}

std::map<Oid, Shape> shapes_of(const Catalogue& catalogue) {
  std::map<Oid, Shape> shapes;
  for (const auto& table : catalogue.tables) {
    std::string columns;
    for (const auto& column : table.columns)
      columns += (columns.empty() ? "" : ", ") + column.name + " " + column.type +
                 (column.is_generated ? " generated" : "");
    shapes[table.oid] = {table.full_name(), std::move(columns)};
  }
  for (const auto& sequence : catalogue.sequences)
    shapes[sequence.oid] = {sequence.schema + "." + sequence.name, {}};
  return shapes;
}

Catalogue read_catalogue(pg::Session& source, const base::Scope& scope) {
  Catalogue catalogue;
  read_database(source, catalogue, scope);
  read_tables(source, catalogue, scope);
  read_indexes(source, catalogue, scope);
  for (const auto& row : source.run(sql::sequences, scope).rows)
    catalogue.sequences.push_back({oid(row, 0), text(row, 1), text(row, 2), text(row, 3)});
  catalogue.views = read_views(source, scope);
  catalogue.unchecked = read_unchecked(source, scope);
  for (const auto& row : source.run(sql::live_things, scope).rows)
    catalogue.live.push_back({text(row, 0), text(row, 1), text(row, 2)});
  for (const auto& row : source.run(sql::foreign_tables, scope).rows)
    catalogue.foreign_tables.push_back(text(row, 0));
  for (const auto& row : source.run(sql::left_behind, scope).rows)
    catalogue.left_behind.emplace_back(text(row, 0), text(row, 1));
  for (const auto& row : source.run(sql::owners, scope).rows)
    catalogue.owners.emplace_back(text(row, 0), number(row, 1));
  for (const auto& row : source.run(sql::roles, scope).rows) catalogue.roles.push_back(text(row, 0));
  if (source.server_version() >= 150000)
    append_collations(source, sql::default_collation, catalogue.collations, scope);
  append_collations(source, sql::used_collations, catalogue.collations, scope);
  return catalogue;
}

}  // namespace staithe::stage
