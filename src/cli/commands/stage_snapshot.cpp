#include "commands.hpp"
#include "exit_codes.hpp"
#include "stage.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/pg/programs.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>

namespace staithe::cli {
namespace {

constexpr base::Duration catalogue_patience{5 * 60'000};
constexpr std::uint32_t most_jobs = 32;

stage::SnapshotSettings settings_of(const App& app, const playbook::SnapshotDefaults& defaults) {
  stage::SnapshotSettings settings;
  settings.name = app.args().value("name");
  settings.jobs = app.number("jobs", defaults.jobs);
  if (settings.jobs == 0 || settings.jobs > most_jobs) throw UsageError("--jobs is from 1 to 32");
  settings.keep = defaults.keep;
  settings.keep_live = defaults.keep_live || app.args().has("keep-live");
  settings.keep_grants = defaults.keep_grants;
  settings.replace = app.args().has("replace");
  settings.owner = defaults.owner;
  for (const auto& [from, to] : defaults.roles) settings.roles[from.value] = to;
  settings.leave_out = defaults.leave_out;
  settings.lock_wait = defaults.lock_wait;
  settings.blocked = defaults.blocked;
  settings.replication_lag = defaults.replication_lag;
  settings.longest_snapshot = defaults.longest_snapshot;
  return settings;
}

stage::Masks masks_of(App& app, Loaded& loaded, const playbook::SnapshotDefaults& defaults) {
  const auto path = app.args().value("masks", defaults.masks);
  if (path.empty()) return {};
  auto masks = stage::load_masks(path, read_text(path), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  if (!masks) throw FilesWrong();
  return std::move(*masks);
}

/// The key itself never goes to a server: what does is made from it and serves nothing else.
std::string key_of(App& app, const Loaded& loaded, const playbook::SnapshotDefaults& defaults, bool needed) {
  if (!needed) return {};
  if (!defaults.mask_key)
    throw FilesWrong(
        "the masks need a key\n  next  under databases.snapshot: mask_key: env MASK_KEY, with a long "
        "random value that stays the same");
  auto key = base::sha256_hex("staithe masks 1\n" + secret_value(app, loaded, *defaults.mask_key));
  app.redactor().add(key);
  return key;
}

void require_rules(App& app, Loaded& loaded, const std::vector<stage::Suspect>& suspects,
                   const std::string& path) {
  for (const auto& one : suspects) {
    diag::Position at;
    at.file = path.empty() ? loaded.project.path : path;
    loaded.diagnostics.error(
        at, fmt::format("{}.{} ({}) has no rule: {}", one.table, one.column, one.type, one.why), "",
        "give it a mask, or keep; staithe stage suggest-masks writes a first file");
  }
  stop_on_errors(app, loaded.diagnostics);
}

/// A role that production does not have is a slip of the pen, which would leave its objects unmapped.
void check_roles(App& app, Loaded& loaded, const playbook::SnapshotDefaults& defaults,
                 const stage::Catalogue& source) {
  for (const auto& [from, to] : defaults.roles) {
    if (std::find(source.roles.begin(), source.roles.end(), from.value) != source.roles.end()) continue;
    const auto meant = base::nearest(from.value, source.roles);
    loaded.diagnostics.add({diag::Severity::error, from.position, from.length,
                            fmt::format("the source has no role '{}'", from.value), from.path,
                            meant ? fmt::format("did you mean '{}'?", *meant) : ""});
  }
  stop_on_errors(app, loaded.diagnostics);
}

struct Resolved {
  stage::Catalogue catalogue;
  stage::TargetFacts target;
  std::vector<stage::Suspect> suspects;
};

/// Sizes and definitions need a moment's lock too. False: a table is locked, and it is worth another try.
bool look(pg::Session& source, Resolved& resolved, const stage::Masks& masks, bool look_for_suspects,
          int attempt, const base::Scope& scope) {
  constexpr int attempts = 4;
  source.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", scope);
  try {
    resolved.catalogue = stage::read_catalogue(source, scope);
    if (look_for_suspects) resolved.suspects = stage::find_suspects(source, resolved.catalogue, masks, scope);
  } catch (const pg::SqlError& error) {
    if (error.sqlstate() != "55P03") throw;
    source.run("ROLLBACK", scope);
    if (attempt < attempts) return false;
    throw base::Error(base::ErrorCode::conflict,
                      std::string(error.what()) +
                          ": a table is locked by somebody else\n"
                          "  next  look for long transactions in pg_stat_activity there");
  }
  source.run("COMMIT", scope);
  return true;
}

/// The one look at both servers that a plan is made from; it says so.
Resolved resolve(App& app, const stage::SnapshotSettings& settings, const stage::Masks& masks,
                 bool look_for_suspects, const std::string& source_url, const std::string& target_url) {
  const auto scope = base::Scope::lasting(catalogue_patience, &app.stops().soft);
  Resolved resolved;
  pg::Session source(source_url, stage::source_options(), scope);
  if (!app.quiet() && !app.json())
    app.say(fmt::format("Reading the catalogue of {}, read only", source.where()));
  stage::guard_source(source, settings, scope);
  for (int attempt = 1; !look(source, resolved, masks, look_for_suspects, attempt, scope); ++attempt) {
    if (!app.quiet() && !app.json()) app.say("A table is locked by somebody else; trying again");
    base::sleep_for(std::chrono::seconds(attempt), scope);
  }
  resolved.target = stage::read_target(target_url, settings, scope);
  return resolved;
}

/// A source that cannot be read whole is found out now, not at its last table.
void refuse_unreadable(const stage::Catalogue& catalogue) {
  for (const auto& table : catalogue.tables) {
    if (!table.readable)
      throw base::Error(base::ErrorCode::permission,
                        fmt::format("{}: no right to read {}\n  next  GRANT pg_read_all_data, "
                                    "pg_read_all_stats to the role that reads",
                                    catalogue.origin.where, table.full_name()));
    if (table.hidden_rows)
      throw base::Error(base::ErrorCode::permission,
                        fmt::format("{}: row security would hide rows of {} from this role\n"
                                    "  next  ALTER ROLE … BYPASSRLS for the role that reads",
                                    catalogue.origin.where, table.full_name()));
  }
}

}  // namespace

ReadySnapshot ready_snapshot(App& app, Loaded& loaded) {
  const auto& defaults = databases_of(loaded).snapshot;
  const auto settings = settings_of(app, defaults);
  const auto masks = masks_of(app, loaded, defaults);
  const auto source_url = url_value(app, loaded, source_of(loaded).url);
  const auto target_url = url_value(app, loaded, target_of(loaded).url);
  const bool require = defaults.require_masks || app.args().has("require-masks");
  // pg_dump would be given it with a snapshot held there.
  if (const auto left_over = pg::keywords_without_variable(source_url); !left_over.empty())
    return {
        {},
        {},
        app.fail(exit_refused,
                 fmt::format("the source's URL has '{}', which cannot be handed on to pg_dump; nothing was "
                             "touched\n  next  leave it out of the URL",
                             left_over.front()))};
  auto resolved = resolve(app, settings, masks, require, source_url, target_url);
  if (const auto refusal = stage::refuse_target(resolved.catalogue, resolved.target, settings))
    return {{},
            {},
            app.fail(exit_refused,
                     fmt::format("{}; nothing was changed\n  next  {}", refusal->why, refusal->next))};
  refuse_unreadable(resolved.catalogue);
  check_roles(app, loaded, defaults, resolved.catalogue);
  stage::require_programs(resolved.catalogue, base::Scope::lasting(catalogue_patience, &app.stops().soft));
  require_rules(app, loaded, resolved.suspects, masks.path);
  const auto plan = stage::make_snapshot_plan(std::move(resolved.catalogue), std::move(resolved.target),
                                              masks, settings, loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  StagePlan staged;
  staged.kind = "snapshot";
  staged.id = stage::id_of(plan);
  staged.json = stage::to_json(plan);
  staged.text = stage::render(plan, app.verbosity() > 0);
  if (settings.replace && plan.target.exists)
    staged.question =
        fmt::format("Put the snapshot in the place of {} in {}?", plan.target.database, plan.target.where);
  const auto key = key_of(app, loaded, defaults, plan.needs_key);
  staged.run = [&app, plan, source_url, target_url, key](const std::string& run_id, event::EventSink& sink) {
    return stage::run_snapshot(plan, {run_id, source_url, target_url, key}, sink, app.stops().soft,
                               app.stops().exit_code);
  };
  return {std::move(staged), plan.target.database, exit_done};
}

int run_stage_snapshot(App& app) {
  if (!app.args().positionals.empty())
    throw UsageError("stage snapshot takes no word; --name names the snapshot");
  auto loaded = load(app);
  const auto ready = ready_snapshot(app, loaded);
  return ready.refused != exit_done ? ready.refused : run_stage_plan(app, ready.plan);
}

}  // namespace staithe::cli
