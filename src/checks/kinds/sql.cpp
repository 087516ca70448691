#include "kinds/sql_fields.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 5> sql_subjects{"rows", "row.", "column.", "columns", "time"};

std::optional<Request> parse_sql(Fields& fields, const yaml::Reader& value) {
  auto request = read_sql(fields, fields.map(), value);
  if (!request) return std::nullopt;
  return Request(std::move(*request));
}

}  // namespace

std::optional<SqlRequest> read_sql(Fields& fields, yaml::Mapping& map, const yaml::Reader& connection) {
  SqlRequest request;
  const auto name = fields.plain(connection);
  const auto query = map.value("query", yaml::Need::required);
  const auto arguments = map.list("args");
  if (!name || !query) return std::nullopt;
  const auto url = fields.database(connection, *name);
  const auto text = query->text();
  if (!url || !text) return std::nullopt;
  if (text->find("$(") != std::string::npos) {
    query->error("a query takes its values from 'args'", "write $1 in the query, and args: [$(name)]");
    return std::nullopt;
  }
  request.connection = *name;
  request.url = *url;
  request.query = *text;
  for (const auto& argument : arguments) {
    const auto filled = fields.text(argument);
    if (!filled) return std::nullopt;
    request.arguments.push_back(*filled);
  }
  return request;
}

const Kind sql_kind{
    "sql",
    "ask a database",
    "sql: ledger_readonly\nquery: select count(*) from journal where source = $1\nargs: [smoke]\n"
    "expect: {row.0.0: at least 1}",
    R"(A query on a connection that staithe.yml declares under databases, in a transaction that cannot write and
with the check's timeout for the statement. An answer of more than a million rows or 128 MiB is an error.
PostgreSQL's library holds one row whole, however large it is (a cell may have 1 GB): if that may happen, ask for
left(TEXT, 1000) or length(TEXT).

query           one statement, with $1, $2, ... for its arguments
args            their values
Expectations: rows (how many), row.N.M and row.N.NAME, column.NAME (every row's value, of 10000 at most),
columns, time.)",
    sql_subjects,
    "rows",
    parse_sql};

}  // namespace staithe::checks
