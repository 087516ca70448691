#include "collations.hpp"
#include "filter.hpp"
#include "roles.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

constexpr std::uint64_t small_bytes = 4UL * 1024 * 1024;
constexpr std::uint32_t usual_jobs = 2;
/// Below this, what a second session costs is more than what it saves.
constexpr std::uint64_t split_bytes = 128UL * 1024 * 1024;

class Planner {
 public:
  Planner(SnapshotPlan& plan, const Masks& masks, diag::Diagnostics& diagnostics)
      : plan_(plan), masks_(masks), diagnostics_(diagnostics), filters_(plan.source, masks) {}

  void run() {
    check_masks(masks_, plan_.source, diagnostics_);
    for (const auto& table : plan_.source.tables) {
      if (auto why = why_not_touched(table); !why.empty())
        differ(table.full_name(), std::move(why));
      else
        plan_.tables.push_back(copy_of(table));
    }
    std::stable_sort(plan_.tables.begin(), plan_.tables.end(),
                     [](const TableCopy& a, const TableCopy& b) { return a.bytes > b.bytes; });
    split_largest();
    extensions();
    live_things();
    for (const auto& table : plan_.source.foreign_tables)
      differ(table, "a foreign table: it comes as it is defined, and reaches nothing");
    for (const auto& [what, why] : plan_.source.left_behind) differ(what, why);
    for (auto& one : collation_differences(plan_.source, plan_.target))
      plan_.differences.push_back(std::move(one));
    for (auto& one : role_differences(plan_.source, plan_.settings))
      plan_.differences.push_back(std::move(one));
  }

 private:
  void differ(std::string what, std::string why) {
    plan_.differences.push_back({std::move(what), std::move(why)});
  }

  bool left_out(const Table& table) const {
    const auto& patterns = plan_.settings.leave_out;
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
      return base::wildcard_match(pattern, table.full_name());
    });
  }

  const AvailableExtension* available(const std::string& name) const {
    const auto& there = plan_.target.extensions;
    const auto found = std::find_if(there.begin(), there.end(),
                                    [&](const AvailableExtension& one) { return one.name == name; });
    return found == there.end() ? nullptr : &*found;
  }

  /// Why nothing is done about a table of an extension; "" when something is.
  std::string why_not_touched(const Table& table) const {
    if (table.extension.empty()) return {};
    const auto* extension = available(table.extension);
    if (extension == nullptr) return fmt::format("stays behind, as the extension {} does", table.extension);
    if (!extension->can_be_made)
      return fmt::format("its rows stay behind, since the extension {} may not come", table.extension);
    if (!extension->will_be_ours)
      return fmt::format("is as the extension {} makes it: its rows belong to a superuser, and {} is none",
                         table.extension, plan_.target.maker);
    return {};
  }

  /// Why no row of it comes; "" when they do.
  std::string why_empty(const Table& table) const {
    const auto* rules = masks_.find(table.full_name());
    if (rules != nullptr && rules->rows == TableRules::Rows::none) return "comes empty: rows: none";
    if (left_out(table)) return "comes empty: leave_out";
    if (table.is_unlogged && plan_.source.in_recovery)
      return "comes empty: unlogged, and the source is a standby";
    if (table.extension == "pg_cron") return "comes empty: its jobs would run";
    return {};
  }

  TableCopy copy_of(const Table& table) {
    TableCopy copy;
    copy.oid = table.oid;
    copy.name = table.full_name();
    copy.target = table.sql();
    copy.rows = table.rows;
    if (auto why = why_empty(table); !why.empty()) {
      differ(copy.name, std::move(why));
      copy.filtered = true;
      return copy;
    }
    copy.bytes = table.bytes;
    const bool same_major = plan_.source.version / 10000 == plan_.target.version / 10000;
    copy.binary = same_major && !table.text_only;
    statements(table, copy);
    return copy;
  }

  void statements(const Table& table, TableCopy& copy) {
    const auto* rules = masks_.find(copy.name);
    std::string columns, selected;
    for (const auto& column : table.columns) {
      if (column.is_generated) continue;
      const auto* rule = rules == nullptr ? nullptr : rules->find(column.name);
      const Mask mask = rule == nullptr ? Mask{} : rule->mask;
      if (mask.kind != Mask::Kind::keep) {
        copy.masks.emplace_back(column.name, mask_text(mask));
        if (keeps_nulls(mask)) copy.nulls_kept.push_back(column.name);
      }
      columns += (columns.empty() ? "" : ", ") + pg::quoted_name(column.name);
      selected += (selected.empty() ? "" : ", ") + mask_expression(column, mask, plan_.source.encoding);
    }
    const auto condition = filters_.condition(table, "t");
    copy.filtered = !condition.empty();
    const std::string format = copy.binary ? "(FORMAT binary" : "(FORMAT text";
    const std::string list = columns.empty() ? "" : fmt::format(" ({})", columns);
    // FREEZE needs a table that this transaction has truncated; then wal_level=minimal writes no WAL either.
    // The old file's end makes the COMMIT wait for the disk, which a thousand small tables would feel.
    copy.is_small = table.bytes < small_bytes;
    copy.is_prefilled = !table.extension.empty();
    copy.emptying = copy.is_prefilled ? fmt::format("DELETE FROM ONLY {} t {}", table.sql(), table.condition)
                                      : "TRUNCATE " + table.sql();
    copy.copy_in = fmt::format("COPY {}{} FROM STDIN {}{})", table.sql(), list, format,
                               copy.is_small || copy.is_prefilled ? "" : ", FREEZE");
    const bool plain = copy.masks.empty() && condition.empty() && table.condition.empty();
    if (plain) {
      copy.copy_out = fmt::format("COPY {}{} TO STDOUT {})", table.sql(), list, format);
      return;
    }
    std::string select = fmt::format("SELECT {} FROM ONLY {} t", selected, table.sql());
    if (!table.condition.empty()) select += " " + table.condition;
    if (!condition.empty()) select += (table.condition.empty() ? " WHERE " : " AND ") + condition;
    copy.copy_out = fmt::format("COPY ({}) TO STDOUT {})", select, format);
  }

  /// One table with more than half of all rows keeps the other jobs waiting at the end. Its parts are stored
  /// without FREEZE and meet at the table's end, which costs 5 to 14 % more processor time: on two processors
  /// that both servers share it was slower (measured: tests/bench/stage/run --one), so only who asks for more
  /// than the usual two jobs gets it. Before PostgreSQL 14 a range of pages is a scan of all.
  void split_largest() {
    const auto jobs = plan_.settings.jobs;
    std::uint64_t all = 0;
    for (const auto& table : plan_.tables) all += table.bytes;
    if (jobs <= usual_jobs || plan_.source.version < 140000) return;
    for (auto& table : plan_.tables) {
      const auto* facts = plan_.source.find(table.oid);
      if (table.bytes < split_bytes || table.bytes <= all / 2 || table.filtered) continue;
      if (facts->pages < jobs || table.is_prefilled) continue;
      const auto freeze = table.copy_in.rfind(", FREEZE");
      if (freeze != std::string::npos) table.copy_in.erase(freeze, std::string_view(", FREEZE").size());
      for (std::uint32_t part = 0; part < jobs; ++part)
        table.parts.push_back(part_statement(*facts, table, part, jobs));
    }
  }

  std::string part_statement(const Table& table, const TableCopy& copy, std::uint32_t part,
                             std::uint32_t parts) const {
    const auto* rules = masks_.find(copy.name);
    std::string selected, range;
    for (const auto& column : table.columns) {
      if (column.is_generated) continue;
      const auto* rule = rules == nullptr ? nullptr : rules->find(column.name);
      selected += (selected.empty() ? "" : ", ") +
                  mask_expression(column, rule == nullptr ? Mask{} : rule->mask, plan_.source.encoding);
    }
    const auto page = [&](std::uint32_t at) { return table.pages / parts * at; };
    if (part > 0) range = fmt::format("t.ctid >= '({},0)'", page(part));
    // The last has no end: the table may have grown since.
    if (part + 1 < parts)
      range += fmt::format("{}t.ctid < '({},0)'", range.empty() ? "" : " AND ", page(part + 1));
    return fmt::format("COPY (SELECT {} FROM ONLY {} t WHERE {}) TO STDOUT (FORMAT {})", selected,
                       table.sql(), range, copy.binary ? "binary" : "text");
  }

  void extensions() {
    for (const auto& [name, version] : plan_.source.extensions) {
      const auto* there = available(name);
      if (there == nullptr)
        differ("extension " + name, "the target has none of that name; what needs it fails");
      else if (!there->can_be_made)
        differ("extension " + name,
               fmt::format("may stay behind, and what needs it with it: it takes a superuser, unless whoever "
                           "runs the target has arranged otherwise, and {} is none",
                           plan_.target.maker));
      else if (there->version != version)
        differ("extension " + name,
               fmt::format("version {} in the source, {} in the target", version, there->version));
    }
  }

  /// Whether a rule says a word about it.
  bool is_spoken_for(const LiveThing& thing) const {
    if (thing.kind == "queue-like table") {
      const auto* rules = masks_.find(thing.name);
      const bool is_left_out = std::any_of(plan_.differences.begin(), plan_.differences.end(),
                                           [&](const Difference& one) { return one.what == thing.name; });
      return is_left_out || (rules != nullptr && (rules->live_kept || rules->rows == TableRules::Rows::none));
    }
    const auto dot = thing.name.rfind('.');
    const auto* rules = masks_.find(thing.name.substr(0, dot));
    return rules != nullptr && rules->find(thing.name.substr(dot + 1)) != nullptr;
  }

  void live_things() {
    for (const auto& thing : plan_.source.live) {
      const std::string what = thing.kind + " " + thing.name;
      if (thing.kind == "subscription")
        differ(what, "left out: it would replicate");
      else if (thing.kind == "user mapping")
        differ(what, "left out: it holds a password");
      else if (thing.kind == "foreign server")
        plan_.defanged.push_back({what, "its options are taken away"});
      else if (thing.kind == "event trigger" || thing.kind == "trigger that notifies")
        plan_.defanged.push_back({what, "disabled"});
      else if (thing.kind == "publication")
        differ(what, "comes along; nobody subscribes, and it has no slot");
      else if (thing.kind == "extension that reaches out")
        differ(what, "comes along: see that staging may not reach out");
      else if (!is_spoken_for(thing))
        unspoken(thing);
    }
  }

  void unspoken(const LiveThing& thing) {
    if (plan_.settings.keep_live) return differ(thing.kind + " " + thing.name, "comes along: keep_live");
    const bool table = thing.kind == "queue-like table";
    diag::Position at;
    at.file = plan_.masks_path;
    diagnostics_.error(at, fmt::format("{} {} would be live in the copy", thing.kind, thing.name), "",
                       table ? "in a file of masks: rows: none, or live: keep"
                             : "in a file of masks: a mask for it, or keep");
  }

  SnapshotPlan& plan_;
  const Masks& masks_;
  diag::Diagnostics& diagnostics_;
  Filters filters_;
};

}  // namespace

SnapshotPlan make_snapshot_plan(Catalogue source, TargetFacts target, const Masks& masks,
                                SnapshotSettings settings, diag::Diagnostics& diagnostics) {
  SnapshotPlan plan;
  plan.settings = std::move(settings);
  plan.source = std::move(source);
  plan.target = std::move(target);
  plan.masks_path = masks.path;
  plan.needs_key = masks.needs_key();
  Planner(plan, masks, diagnostics).run();
  return plan;
}

std::optional<Refusal> refuse_target(const Catalogue& source, const TargetFacts& target,
                                     const SnapshotSettings& settings) {
  if (source.origin.system_identifier == target.system_identifier)
    return Refusal{fmt::format("{} and {} are the same cluster ({})", source.origin.where, target.where,
                               target.system_identifier),
                   "give the target a cluster of its own"};
  if (!target.production.empty())
    return Refusal{
        fmt::format("{}: the database {} is marked as production", target.where, target.production.front()),
        "choose another cluster"};
  if (target.version / 10000 < source.version / 10000)
    return Refusal{fmt::format("the source is PostgreSQL {}, the target {}: an older server cannot take it",
                               source.version / 10000, target.version / 10000),
                   "use a target of the same major version"};
  if (!target.missing_roles.empty())
    return Refusal{
        fmt::format("{} has no role '{}', which roles: names", target.where, target.missing_roles.front()),
        "make it there, or map to another, or to drop"};
  if (!target.foreign_roles.empty())
    return Refusal{
        fmt::format("nothing can be given to the role '{}' of {}: who makes the copy is no member of it",
                    target.foreign_roles.front(), target.where),
        "GRANT it to the role of databases.target, or to owner"};
  if (target.exists && !target.is_snapshot && !target.is_empty && !settings.replace)
    return Refusal{
        fmt::format("the database {} of {} is not empty, and no snapshot", target.database, target.where),
        "--replace puts the snapshot in its place, or name another with --name"};
  if (target.sessions > 0 && !settings.replace)
    return Refusal{
        fmt::format("{} open in {}", base::count_text(target.sessions, "session"), target.database),
        "end them, or let --replace end them"};
  return std::nullopt;
}

}  // namespace staithe::stage
