#include "collations.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

namespace staithe::stage {
namespace {

using nlohmann::json;

json table_json(const TableCopy& table) {
  json masks = json::object();
  for (const auto& [column, mask] : table.masks) masks[column] = mask;
  return {{"table", table.name},
          {"copy_out", table.copy_out},
          {"target", table.target},
          {"masks", masks},
          {"filtered", table.filtered}};
}

json differences_json(const std::vector<Difference>& differences) {
  json list = json::array();
  for (const auto& one : differences) list.push_back({{"what", one.what}, {"why", one.why}});
  return list;
}

/// What is done, without anything that changes by itself from minute to minute.
json what_is_done(const SnapshotPlan& plan) {
  json tables = json::array();
  for (const auto& table : plan.tables) tables.push_back(table_json(table));
  std::sort(tables.begin(), tables.end(),
            [](const json& a, const json& b) { return a["table"] < b["table"]; });
  const auto& settings = plan.settings;
  return {{"kind", "snapshot"},
          {"source",
           {{"system", plan.source.origin.system_identifier},
            {"database", plan.source.origin.database},
            {"where", plan.source.origin.where}}},
          {"target",
           {{"system", plan.target.system_identifier},
            {"where", plan.target.where},
            {"database", plan.target.database}}},
          {"masks", plan.masks_path},
          {"tables", tables},
          {"differences", differences_json(plan.differences)},
          {"defanged", differences_json(plan.defanged)},
          {"settings",
           {{"jobs", settings.jobs},
            {"keep", settings.keep},
            {"owner", settings.owner},
            {"keep_grants", settings.keep_grants},
            {"roles", settings.roles},
            {"lock_wait", base::to_text(settings.lock_wait)},
            {"blocked", base::to_text(settings.blocked)},
            {"replication_lag", base::to_text(settings.replication_lag)},
            {"longest_snapshot", base::to_text(settings.longest_snapshot)}}}};
}

std::string count(std::size_t number, const char* noun) {
  return fmt::format("{} {}{}", number, noun,
                     number == 1                                      ? ""
                     : noun[std::string_view(noun).size() - 1] == 'x' ? "es"
                                                                      : "s");
}

std::string masks_line(const TableCopy& table) {
  std::string text;
  for (const auto& [column, mask] : table.masks)
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", column, mask);
  return text;
}

void tables_text(const SnapshotPlan& plan, bool full, std::string& text) {
  constexpr std::size_t most = 15;
  std::size_t shown = 0, plain = 0;
  std::uint64_t plain_bytes = 0;
  for (const auto& table : plan.tables) {
    const bool special = !table.masks.empty() || table.filtered;
    if (!full && !special && shown >= most) {
      ++plain;
      plain_bytes += table.bytes;
      continue;
    }
    ++shown;
    text += fmt::format("  {:<40} {:>10}  ~{} rows{}{}{}\n", table.name, base::bytes_text(table.bytes),
                        table.rows,
                        table.copy_out.empty() ? "  (empty)"
                        : table.filtered       ? "  (some)"
                                               : "",
                        table.binary || table.copy_out.empty() ? "" : "  as text",
                        table.parts.empty() ? "" : fmt::format("  in {} parts", table.parts.size()));
    if (!table.masks.empty()) text += "      masked  " + masks_line(table) + "\n";
    if (full && !table.copy_out.empty()) text += "      " + table.copy_out + "\n";
  }
  if (plain > 0) text += fmt::format("  and {} more, {}\n", plain, base::bytes_text(plain_bytes));
}

/// Which of the two it will be: https://www.postgresql.org/docs/current/hot-standby.html
std::string standby_text(const Catalogue& source) {
  if (source.hot_standby_feedback)
    return "  hot_standby_feedback is on: meanwhile the primary's vacuum is held back too\n";
  if (source.standby_delay == "-1")
    return "  max_standby_streaming_delay is -1: replay waits for the copy, so the standby may fall behind\n";
  return fmt::format(
      "  hot_standby_feedback is off: the standby cancels the copy when replay has waited for it for {}\n",
      source.standby_delay);
}

/// What is no reason to stop, with the way out. A standby's own lag is seen by all.
std::vector<Difference> warnings_of(const SnapshotPlan& plan) {
  auto warnings = stale_collations(plan.source);
  if (!plan.source.sees_others && !plan.source.in_recovery)
    warnings.push_back(
        {"the role that reads is no member of pg_read_all_stats or pg_monitor: replication lag and the "
         "activity of other sessions cannot be seen, so the copy does not pause for replicas that fall "
         "behind",
         "GRANT pg_read_all_stats to it"});
  return warnings;
}

void list_text(const char* title, const std::vector<Difference>& list, std::string& text) {
  if (list.empty()) return;
  text += fmt::format("\n{}\n", title);
  for (const auto& one : list) text += fmt::format("  {}: {}\n", one.what, one.why);
}

}  // namespace

std::uint64_t room_of(const SnapshotPlan& plan) {
  std::uint64_t stays = 0;
  for (const auto& table : plan.tables) {
    if (!table.copy_out.empty()) continue;
    stays += plan.source.find(table.oid)->bytes;
    for (const auto& index : plan.source.indexes)
      if (index.table == table.oid) stays += index.bytes;
  }
  // The tables' bytes were asked for one after the other, while production wrote.
  const auto copied = plan.source.database_bytes - std::min(stays, plan.source.database_bytes);
  // Data, indexes and the WAL that writes them; measured, with room to sort.
  return copied + copied / 3;
}

std::string to_json(const SnapshotPlan& plan) {
  auto document = what_is_done(plan);
  auto& warnings = document["warnings"] = json::array();
  for (const auto& warning : warnings_of(plan)) warnings.push_back(warning.what);
  document["room_bytes"] = room_of(plan);
  auto& estimates = document["estimates"] = json::object();
  for (const auto& table : plan.tables)
    estimates[table.name] = {
        {"bytes", table.bytes}, {"rows", table.rows}, {"copy_in", table.copy_in}, {"parts", table.parts}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string id_of(const SnapshotPlan& plan) {
  return base::sha256_hex(what_is_done(plan).dump(-1, ' ', false, json::error_handler_t::replace))
      .substr(0, 12);
}

std::string render(const SnapshotPlan& plan, bool full) {
  const auto& settings = plan.settings;
  const auto bytes =
      std::accumulate(plan.tables.begin(), plan.tables.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const TableCopy& table) { return sum + table.bytes; });
  std::string text = fmt::format("Snapshot {} of {}\n", plan.target.database, plan.source.origin.where);
  text += fmt::format("  from   {} (PostgreSQL {}, cluster {}){}\n", plan.source.origin.database,
                      plan.source.origin.server_version, plan.source.origin.system_identifier,
                      plan.source.in_recovery ? ", a standby" : "");
  text += fmt::format("  to     {} (cluster {}){}\n", plan.target.where, plan.target.system_identifier,
                      plan.target.exists ? ", in place of what is there once the new one is verified" : "");
  text += fmt::format("  masks  {}\n", plan.masks_path.empty() ? "none" : plan.masks_path);
  text += fmt::format(
      "\nOn the source, read only: lock_wait {}, gives way after blocking somebody for {}, pauses over {} of "
      "replication lag,\n  holds the snapshot for {} at most\n",
      base::to_text(settings.lock_wait), base::to_text(settings.blocked),
      base::to_text(settings.replication_lag), base::to_text(settings.longest_snapshot));
  if (plan.source.in_recovery) text += standby_text(plan.source);
  for (const auto& warning : warnings_of(plan))
    text += fmt::format("\nwarning: {}\n  next  {}\n", warning.what, warning.why);
  if (!plan.target.unfinished.empty())
    text += fmt::format("\nLeft by a run that died, and of no use: {}; staithe stage drop --unfinished\n",
                        fmt::join(plan.target.unfinished, ", "));
  text += fmt::format("\nTables, {} in all, {}, by {}, largest first\n", plan.tables.size(),
                      base::bytes_text(bytes), count(settings.jobs, "job"));
  tables_text(plan, full, text);
  text += fmt::format(
      "\nThen {}, {}, {}, {}, {}, statistics\n", count(plan.source.indexes.size(), "index"),
      count(plan.source.foreign_keys.size(), "foreign key"), count(plan.source.sequences.size(), "sequence"),
      count(plan.source.views.size(), "materialized view"), count(plan.source.large_objects, "large object"));
  // No function of the server says it, and what runs a program there would be the last thing to ask.
  text += fmt::format(
      "\nRoom: about {} on the target's disks while it is made, beside what is there; see that it is free,\n"
      "  which no server tells its clients\n",
      base::bytes_text(room_of(plan)));
  list_text("Made harmless in the copy", plan.defanged, text);
  list_text("Not as in the source", plan.differences, text);
  text += fmt::format("\nBuilt under another name, verified, then renamed to {}; kept: {}\n",
                      plan.target.database, count(settings.keep, "snapshot"));
  return text + fmt::format("\nPlan id {}\n", id_of(plan));
}

}  // namespace staithe::stage
