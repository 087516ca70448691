#include "kinds/sql_fields.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 7> compare_subjects{"missing", "different", "extra", "left",
                                                           "right",   "lag",       "time"};

std::optional<SqlRequest> side(Fields& fields, yaml::Mapping& map, const char* which) {
  auto inner = map.mapping(which, yaml::Need::required);
  if (!inner) return std::nullopt;
  const auto connection = inner->value("sql", yaml::Need::required);
  std::optional<SqlRequest> request;
  if (connection) request = read_sql(fields, *inner, *connection);
  inner->finish();
  return request;
}

std::optional<Request> parse_compare(Fields& fields, const yaml::Reader& value) {
  yaml::Mapping map(value);
  CompareRequest request;
  auto left = side(fields, map, "left");
  auto right = side(fields, map, "right");
  const auto key = map.text("key", yaml::Need::required);
  if (const auto allowance = map.duration("ignore_newer_than")) request.allowance = allowance->value;
  map.finish();
  if (!left || !right || !key) return std::nullopt;
  request.left = std::move(*left);
  request.right = std::move(*right);
  request.key = key->value;
  return request;
}

}  // namespace

const Kind compare_kind{
    "compare",
    "compare two databases",
    "compare:\n  left: {sql: ledger_readonly, query: \"select id, amount from journal\"}\n"
    "  right: {sql: analytics_readonly, query: \"select id, amount from journal\"}\n  key: id\n"
    "  ignore_newer_than: 15s\nexpect: {missing: 0, different: 0}",
    R"(Two queries, row by row. The left side is asked once; what the right side lacks or has otherwise may still
come until ignore_newer_than has passed, which is the same as not looking at rows newer than that.

left, right         {sql: CONNECTION, query: QUERY, args: [...]}
key                 the column that tells rows apart
ignore_newer_than   how far the right side may lag, besides its timeout; nothing unless said
Expectations: missing (on the right), different, extra (on the right only), left and right (rows), lag (how long
it took until nothing was missing or different; absent where something still is), time.)",
    compare_subjects,
    "missing",
    parse_compare};

}  // namespace staithe::checks
