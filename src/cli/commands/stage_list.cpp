#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "run_plan.hpp"
#include "stage.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace staithe::cli {
namespace {

constexpr base::Duration patience{5 * 60'000};

base::Scope scope_of(App& app) {
  return base::Scope::lasting(patience, &app.stops().soft);
}

const char* state_of(const stage::Snapshot& snapshot) {
  return snapshot.marker.state == stage::Marker::State::complete ? "complete" : "unfinished";
}

/// "3h", "12d": how old, in its largest unit.
std::string age_of(const stage::Snapshot& snapshot) {
  if (snapshot.marker.taken_at == stage::Instant{}) return "-";  // nobody wrote it down
  const auto age = std::chrono::system_clock::now() - snapshot.marker.taken_at;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  if (hours >= 48) return fmt::format("{}d", hours / 24);
  if (hours >= 1) return fmt::format("{}h", hours);
  return fmt::format("{}m", std::chrono::duration_cast<std::chrono::minutes>(age).count());
}

nlohmann::json record_of(const stage::Snapshot& snapshot) {
  const auto& marker = snapshot.marker;
  return {{"type", "snapshot"},
          {"database", snapshot.database},
          {"name", marker.name},
          {"state", state_of(snapshot)},
          {"taken_at", base::utc_text_ms(marker.taken_at)},
          {"size_bytes", snapshot.size_bytes},
          {"sessions", snapshot.sessions},
          {"rows", marker.rows},
          {"lsn", marker.lsn},
          {"origin",
           {{"where", marker.origin.where},
            {"database", marker.origin.database},
            {"system", marker.origin.system_identifier},
            {"server", marker.origin.server_version}}},
          {"masked", marker.masked},
          {"partial", marker.partial},
          {"plan", marker.plan_id},
          {"run", marker.run_id}};
}

const char* state_of(const stage::CloneInfo& clone) {
  if (clone.mark.kept) return "clone, kept";
  return clone.is_left_behind() ? "clone, left behind" : "clone, in use";
}

nlohmann::json record_of(const stage::CloneInfo& clone) {
  return {{"type", "clone"},           {"database", clone.database},
          {"state", state_of(clone)},  {"snapshot", clone.mark.snapshot},
          {"run", clone.mark.run_id},  {"size_bytes", clone.size_bytes},
          {"sessions", clone.sessions}};
}

void print_table(App& app, const std::vector<stage::Snapshot>& snapshots,
                 const std::vector<stage::CloneInfo>& clones) {
  std::vector<std::vector<std::string>> rows{{"SNAPSHOT", "STATE", "AGE", "SIZE", "ROWS", "MASKED", "FROM"}};
  for (const auto& one : snapshots)
    rows.push_back({one.database, state_of(one), age_of(one), base::bytes_text(one.size_bytes),
                    std::to_string(one.marker.rows), base::count_text(one.marker.masked.size(), "column"),
                    one.marker.origin.where});
  for (const auto& one : clones)
    rows.push_back({one.database, state_of(one), "-", base::bytes_text(one.size_bytes), "-", "-",
                    one.mark.snapshot.empty() ? "-" : one.mark.snapshot});
  app.print(aligned(rows));
}

struct Meant {
  std::vector<stage::Snapshot> snapshots;
  std::vector<stage::CloneInfo> clones;
};

/// The ones that the command line means.
Meant meant(App& app, std::vector<stage::Snapshot> snapshots, std::vector<stage::CloneInfo> clones) {
  Meant chosen;
  for (const auto& name : app.args().positionals) {
    const auto is_it = [&](const auto& one) { return one.database == name; };
    const auto snapshot = std::find_if(snapshots.begin(), snapshots.end(), is_it);
    const auto clone = std::find_if(clones.begin(), clones.end(), is_it);
    if (snapshot != snapshots.end())
      chosen.snapshots.push_back(*snapshot);
    else if (clone != clones.end())
      chosen.clones.push_back(*clone);
    else
      throw base::Error(
          base::ErrorCode::not_found,
          fmt::format("no snapshot '{}'\n  next  staithe stage list    shows what there is", name));
  }
  if (!app.args().has("unfinished")) return chosen;
  for (auto& one : snapshots)
    if (one.marker.state == stage::Marker::State::building) chosen.snapshots.push_back(std::move(one));
  for (auto& one : clones)
    if (one.is_left_behind()) chosen.clones.push_back(std::move(one));
  return chosen;
}

/// What a run has completed goes only with its name said again.
bool confirmed(App& app, const stage::Snapshot& snapshot) {
  if (snapshot.marker.state == stage::Marker::State::building) return true;
  if (app.args().has("confirm")) return app.args().value("confirm") == snapshot.database;
  if (!app.may_prompt()) return false;
  const auto typed = ask_line(
      fmt::format("Type {} to drop it, {}: ", snapshot.database, base::bytes_text(snapshot.size_bytes)),
      &app.stops().soft);
  return typed && *typed == snapshot.database;
}

/// Clones are thrown away without a question, but not while somebody is at them.
std::string in_the_way(const stage::CloneInfo& clone) {
  if (!clone.is_in_use()) return {};
  return fmt::format("{} is in use; it was not dropped\n  next  the same with --disconnect", clone.database);
}

/// What keeps some of them from being dropped; asked before any is. "" for nothing.
std::string in_the_way(App& app, pg::Session& session, const Meant& chosen) {
  const bool disconnects = app.args().has("disconnect");
  bool unfinished = false;
  for (const auto& one : chosen.snapshots) {
    if (!confirmed(app, one))
      return fmt::format("not confirmed; {0} was not dropped\n  next  the same with --confirm {0}",
                         one.database);
    if (one.sessions > 0 && !disconnects)
      return fmt::format("{} open in {}", base::count_text(one.sessions, "session"), one.database);
    unfinished |= one.marker.state == stage::Marker::State::building;
  }
  if (disconnects) return {};
  if (unfinished && stage::is_being_built(session, scope_of(app)))
    return "a snapshot is being built there, and what is unfinished may be its own; nothing was dropped\n"
           "  next  the same when it has ended, or with --disconnect";
  for (const auto& one : chosen.clones)
    if (auto why = in_the_way(one); !why.empty()) return why;
  return {};
}

template <class One>
std::string told(const One& one) {
  return fmt::format("would drop {} ({}, {})\n", one.database, state_of(one),
                     base::bytes_text(one.size_bytes));
}

void drop(App& app, pg::Session& session, const stage::Snapshot& database) {
  stage::drop_snapshot(session, database, app.args().has("disconnect"), scope_of(app));
  app.print(fmt::format("dropped {}\n", database.database));
}

}  // namespace

int run_stage_list(App& app) {
  auto loaded = load(app);
  const auto url = url_value(app, loaded, target_of(loaded).url);
  auto session = stage::connect_cluster(url, stage::target_options(), scope_of(app));
  const auto snapshots = stage::list_snapshots(session, scope_of(app));
  const auto clones = stage::list_clones(session, scope_of(app));
  if (app.json()) {
    Records records(app);
    for (const auto& one : snapshots) records.write(record_of(one));
    for (const auto& one : clones) records.write(record_of(one));
    return exit_done;
  }
  if (snapshots.empty() && clones.empty())
    app.say(fmt::format("no snapshot in {}", session.where()));
  else
    print_table(app, snapshots, clones);
  return exit_done;
}

int run_stage_drop(App& app) {
  if (app.args().positionals.empty() && !app.args().has("unfinished"))
    throw UsageError("stage drop needs the name of a snapshot, or --unfinished");
  auto loaded = load(app);
  const auto url = url_value(app, loaded, target_of(loaded).url);
  auto session = stage::connect_cluster(url, stage::target_options(), scope_of(app));
  const auto chosen =
      meant(app, stage::list_snapshots(session, scope_of(app)), stage::list_clones(session, scope_of(app)));
  if (chosen.snapshots.empty() && chosen.clones.empty()) return exit_done;
  stage::refuse_production(session, scope_of(app));
  if (only_prints(app)) {
    for (const auto& one : chosen.snapshots) app.print(told(one));
    for (const auto& one : chosen.clones) app.print(told(one));
    return exit_done;
  }
  if (const auto why = in_the_way(app, session, chosen); !why.empty()) return app.fail(exit_refused, why);
  stage::allow_writes(session, scope_of(app));
  for (const auto& one : chosen.snapshots) drop(app, session, one);
  for (const auto& one : chosen.clones) {
    if (app.args().has("disconnect"))
      stage::drop_database(session, one.database, one.oid, stage::OpenSessions::end, scope_of(app));
    else
      stage::drop_left_behind(session, one, scope_of(app));
    app.print(fmt::format("dropped {}\n", one.database));
  }
  return exit_done;
}

}  // namespace staithe::cli
