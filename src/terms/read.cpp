#include "staithe/terms/read.hpp"

#include <cstdint>
#include <limits>

namespace staithe::terms {

void read_budgets(yaml::Mapping& budgets, plan::Budgets& into) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (const auto blocking = budgets.duration("blocking")) into.blocking = blocking->value;
  if (const auto total = budgets.duration("total")) into.total = total->value;
  if (const auto rows = budgets.integer("rewrite_rows", 0, most))
    into.rewrite_rows = static_cast<std::uint64_t>(rows->value);
  if (const auto bytes = budgets.integer("wal_bytes", 0, most))
    into.wal_bytes = static_cast<std::uint64_t>(bytes->value);
  budgets.finish();
}

void read_accepted(yaml::Mapping& accepted, plan::Accepted& into) {
  for (const auto& table : accepted.texts("partial")) into.partial.push_back(table.value);
  for (const auto& column : accepted.texts("masked")) into.masked.push_back(column.value);
  accepted.finish();
}

}  // namespace staithe::terms
