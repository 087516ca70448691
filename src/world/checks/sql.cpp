#include "checks/sql.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/elapsed.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/pg/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace staithe::world {
namespace {

using checks::Value;
using Clock = std::chrono::steady_clock;

constexpr std::size_t shown_rows = 1'000;
/// Of a column; an expectation that looks at more of it does not hold.
constexpr std::size_t column_rows = 10'000;
constexpr pg::Bounds most{1'000'000, std::size_t{128} << 20U};

Value value_of(const pg::Value& cell) {
  if (cell) return Value::of(*cell);
  Value value;
  value.kind = Value::Kind::null;
  value.text = "null";
  return value;
}

/// A session in which nothing can be written, whatever the query says.
class ReadOnly {
 public:
  ReadOnly(const checks::SqlRequest& request, Secrets& secrets, const base::Scope& scope)
      : request_(request), session_(secrets.value(request.url, scope), {"staithe check"}, scope) {
    session_.run(fmt::format("SET default_transaction_read_only = on; SET statement_timeout = {}",
                             std::max<std::int64_t>(scope.left().count(), 1)),
                 scope);
    for (const auto& argument : request.arguments) arguments_.emplace_back(secrets.fill(argument, {}, scope));
  }

  pg::Result ask(const base::Scope& scope) {
    session_.run("BEGIN READ ONLY", scope);
    // Where it throws, the session ends and the transaction with it.
    auto result = session_.query(request_.query, arguments_, scope, most);
    session_.run("ROLLBACK", scope);
    return result;
  }

 private:
  const checks::SqlRequest& request_;
  pg::Session session_;
  std::vector<pg::Value> arguments_;
};

using Keyed = std::map<std::string, const pg::Row*>;

Keyed by_key(const pg::Result& result, const std::string& key, const std::string& where) {
  const auto column = std::find(result.columns.begin(), result.columns.end(), key);
  if (column == result.columns.end())
    throw base::Error(base::ErrorCode::invalid,
                      fmt::format("the query on {} has no column '{}'", where, key));
  const auto index = static_cast<std::size_t>(column - result.columns.begin());
  Keyed rows;
  for (const auto& row : result.rows)
    if (!rows.emplace(row[index].value_or(""), &row).second)
      throw base::Error(base::ErrorCode::invalid, fmt::format("the query on {} gives the key '{}' twice",
                                                              where, row[index].value_or("")));
  return rows;
}

struct Difference {
  std::size_t missing = 0, different = 0, extra = 0;
  std::string example;
};

Difference compare(const Keyed& left, const Keyed& right) {
  Difference found;
  for (const auto& [key, row] : left) {
    const auto other = right.find(key);
    if (other == right.end()) {
      ++found.missing;
    } else if (*other->second != *row) {
      ++found.different;
    } else {
      continue;
    }
    if (found.example.empty()) found.example = key;
  }
  for (const auto& [key, row] : right) found.extra += left.count(key) == 0 ? 1 : 0;
  return found;
}

}  // namespace

checks::Reply ask_sql(const checks::SqlRequest& request, Secrets& secrets, const base::Scope& scope) {
  checks::Reply reply;
  ReadOnly database(request, secrets, scope);
  const auto begun = Clock::now();
  const auto result = database.ask(scope);
  reply.duration = base::since(begun);
  auto& facts = reply.facts;
  facts["rows"] = Value::count(result.rows.size());
  facts["columns"] = Value::list(result.columns);
  for (std::size_t row = 0; row < std::min(result.rows.size(), shown_rows); ++row)
    for (std::size_t column = 0; column < result.columns.size(); ++column) {
      const auto value = value_of(result.rows[row][column]);
      facts[fmt::format("row.{}.{}", row, column)] = value;
      facts[fmt::format("row.{}.{}", row, result.columns[column])] = value;
    }
  for (std::size_t column = 0; column < result.columns.size(); ++column) {
    std::vector<std::string> texts;
    for (std::size_t row = 0; row < std::min(result.rows.size(), column_rows); ++row)
      texts.push_back(result.rows[row][column].value_or("null"));
    const auto name = "column." + result.columns[column];
    auto rows = Value::list(std::move(texts));
    for (std::size_t row = 0; row < rows.items.size(); ++row)
      rows.items[row] = value_of(result.rows[row][column]);
    facts[name] = std::move(rows);
    if (result.rows.size() > column_rows) reply.cut[name] = fmt::format("{} rows", column_rows);
  }
  reply.note =
      fmt::format("{} in {} ms", base::count_text(result.rows.size(), "row"), reply.duration.count());
  return reply;
}

checks::Reply ask_compare(const checks::CompareRequest& request, Secrets& secrets, const base::Scope& scope) {
  checks::Reply reply;
  ReadOnly left(request.left, secrets, scope);
  ReadOnly right(request.right, secrets, scope);
  const auto begun = Clock::now();
  const auto wanted = left.ask(scope);
  const auto keyed = by_key(wanted, request.key, request.left.connection);
  const auto allowed = scope.at_most(request.allowance);
  Difference found;
  pg::Result there;
  for (base::Duration pause{200};; pause = std::min<base::Duration>(pause * 2, base::Duration{2'000})) {
    there = right.ask(scope);
    found = compare(keyed, by_key(there, request.key, request.right.connection));
    if (found.missing + found.different == 0 || allowed.expired()) break;
    if (base::sleep_for(std::min(pause, std::max(allowed.left(), base::Duration{1})), scope) !=
        base::Woke::ready)
      scope.check("the right side");
  }
  reply.duration = base::since(begun);
  auto& facts = reply.facts;
  facts["missing"] = Value::count(found.missing);
  facts["different"] = Value::count(found.different);
  facts["extra"] = Value::count(found.extra);
  facts["left"] = Value::count(wanted.rows.size());
  facts["right"] = Value::count(there.rows.size());
  // What never came did not lag: nothing holds of that.
  if (const auto behind = found.missing + found.different; behind == 0)
    facts["lag"] = Value::milliseconds(static_cast<double>(reply.duration.count()));
  else
    reply.behind["lag"] = fmt::format("{} not the same on the right after {}",
                                      behind == 1 ? "1 row is" : fmt::format("{} rows are", behind),
                                      base::elapsed_text(reply.duration));
  // Nothing is missing of nothing: only what is said of the sides themselves tells that they were looked at.
  if (wanted.rows.empty()) reply.hollow = {"missing", "different", "lag"};
  if (wanted.rows.empty() && there.rows.empty()) reply.hollow.insert("extra");
  reply.note =
      fmt::format("{} left, {} right", base::count_text(wanted.rows.size(), "row"), there.rows.size());
  if (!found.example.empty()) reply.note += fmt::format("; e.g. {} '{}'", request.key, found.example);
  return reply;
}

}  // namespace staithe::world
