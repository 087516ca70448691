#include "builds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace staithe::stage {
namespace {

constexpr Oid pg_class = 1259;
constexpr Oid pg_constraint = 2606;

/// "ALTER TABLE ONLY t ADD CONSTRAINT c PRIMARY KEY (id) DEFERRABLE;" and what follows it, made to take an
/// index that is there: the constraint's own build would lock the table against its other indexes.
std::string using_index(const Entry& entry, const Index& index) {
  const auto end = end_of_statement(entry.sql);
  const std::string first = entry.sql.substr(0, end);
  const char* word = index.constraint_type == 'p' ? " PRIMARY KEY " : " UNIQUE ";
  const std::string name = pg::quoted_name(index.name);
  const auto at = first.find(word, first.find("ADD CONSTRAINT"));
  if (at == std::string::npos) return {};
  std::string deferrable;
  if (first.find(" DEFERRABLE", at) != std::string::npos) deferrable = " DEFERRABLE";
  if (first.find(" INITIALLY DEFERRED", at) != std::string::npos) deferrable += " INITIALLY DEFERRED";
  return first.substr(0, at) + fmt::format("{}USING INDEX {}{};", word, name, deferrable) +
         entry.sql.substr(end);
}

bool can_be_taken_over(const Index& index) {
  const bool is_key = index.constraint_type == 'p' || index.constraint_type == 'u';
  return is_key && index.definition.find(" USING btree ") != std::string::npos;
}

/// One statement after the other in one message: a small table is built in less time than a round trip takes.
Build all_at_once(const std::vector<Build>& list, const TableCopy& table) {
  Build all{Build::Stage::index, table.name, {}, 0, table.oid};
  for (const auto& build : list) {
    all.sql += build.sql + ";\n";
    all.bytes += build.bytes;
  }
  return all;
}

}  // namespace

std::map<Oid, std::vector<Build>> plan_builds(const SnapshotPlan& plan, std::vector<Entry>& after) {
  using Stage = Build::Stage;
  std::map<Oid, std::vector<Build>> builds;
  std::map<std::pair<Oid, Oid>, const Index*> wanted;
  std::set<Oid> copied;
  for (const auto& table : plan.tables) copied.insert(table.oid);
  for (const auto& index : plan.source.indexes) {
    if (copied.count(index.table) == 0) continue;
    if (index.constraint == 0)
      wanted[{pg_class, index.oid}] = &index;
    else
      wanted[{pg_constraint, index.constraint}] = &index;
  }
  std::erase_if(after, [&](Entry& entry) {
    const auto found = wanted.find({entry.catalogue, entry.oid});
    if (found == wanted.end() || (entry.type != "INDEX" && entry.type != "CONSTRAINT")) return false;
    const Index& index = *found->second;
    auto& list = builds[index.table];
    const auto takes = can_be_taken_over(index) ? using_index(entry, index) : std::string();
    if (!takes.empty()) {
      list.push_back({Stage::index, index.name, index.definition, index.bytes, index.table});
      list.push_back({Stage::constraint, index.name, takes, 0, index.table});
    } else {
      const bool is_index = index.constraint == 0;
      list.push_back(
          {is_index ? Stage::index : Stage::constraint, index.name, entry.sql, index.bytes, index.table});
    }
    return true;
  });
  for (const auto& table : plan.tables) {
    auto& list = builds[table.oid];
    list.push_back({Stage::analyze, table.name, "ANALYZE " + table.target, table.bytes / 16, table.oid});
    std::stable_sort(list.begin(), list.end(),
                     [](const Build& a, const Build& b) { return a.stage < b.stage; });
    if (table.is_small) list = {all_at_once(list, table)};
  }
  return builds;
}

}  // namespace staithe::stage
