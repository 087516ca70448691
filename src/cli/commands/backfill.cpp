#include "staithe/stage/backfill.hpp"

#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "run_plan.hpp"
#include "stage.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>

#include <optional>

namespace staithe::cli {
namespace {

constexpr base::Duration resolve_patience{60'000};
constexpr base::Duration default_timeout{30LL * 24 * 3'600'000};

/// Of the limits those that the command line has.
stage::BackfillLimits limits_of(const App& app) {
  const auto& args = app.args();
  stage::BackfillLimits limits;
  const auto duration = [&](const char* name, std::optional<base::Duration>& into) {
    if (args.has(name)) into = app.duration(name, {});
  };
  const auto number = [&](const char* name, std::optional<std::uint32_t>& into) {
    if (args.has(name)) into = app.number(name, 0);
  };
  duration("batch-time", limits.batch_time);
  duration("lock-timeout", limits.lock_timeout);
  duration("max-lag", limits.most_lag);
  number("max-waiting", limits.most_waiting);
  number("max-active", limits.most_active);
  number("rest", limits.rest_percent);
  const base::Duration none{0};
  if (limits.batch_time == none || limits.lock_timeout == none)
    throw UsageError("--batch-time and --lock-timeout are more than nothing");
  return limits;
}

stage::BackfillSpec spec_of(const App& app) {
  stage::BackfillSpec spec;
  if (app.args().positionals.size() != 1) throw UsageError("a backfill takes one table");
  spec.table = app.args().positionals.front();
  spec.set = app.args().value("set");
  spec.where = app.args().value("where");
  spec.not_null = app.args().value("not-null");
  if (spec.set.empty())
    throw UsageError("--set says what becomes of the rows, such as --set \"country = 'DE'\"");
  if (spec.where.empty() && !spec.not_null.empty()) spec.where = spec.not_null + " IS NULL";
  if (spec.where.empty()) throw UsageError("--where says which rows, such as --where 'country IS NULL'");
  stage::apply(limits_of(app), spec);
  spec.pause_file = app.args().value("pause-file");
  return spec;
}

StagePlan staged(const stage::BackfillPlan& plan) {
  StagePlan out;
  out.kind = "backfill";
  out.id = stage::id_of(plan);
  out.json = stage::to_json(plan);
  out.text = stage::render(plan);
  return out;
}

int tell(App& app, const std::string& url) {
  const auto word = app.args().value("tell");
  const auto wish = word == "pause"   ? std::optional(stage::BackfillWish::pause)
                    : word == "go"    ? std::optional(stage::BackfillWish::go)
                    : word == "abort" ? std::optional(stage::BackfillWish::abort)
                                      : std::nullopt;
  if (!wish) throw UsageError(fmt::format("--tell takes pause, go or abort, not '{}'", word));
  if (app.args().positionals.size() != 1) throw UsageError("--tell takes the table whose backfill is meant");
  const auto& table = app.args().positionals.front();
  const auto scope = base::Scope::lasting(resolve_patience, &app.stops().soft);
  if (!stage::tell_backfill(url, table, *wish, limits_of(app), scope))
    return app.fail(exit_refused, "no backfill of " + table + " is under way or stopped half way");
  app.say(fmt::format("told the backfill of {}: {}", table, word));
  return exit_done;
}

/// The name of the database, typed: the one thing that is not in the shell's history by accident.
int confirm_database(App& app, const std::string& database, const std::string& where) {
  std::string typed = app.args().value("confirm");
  if (typed.empty() && app.may_prompt())
    typed =
        ask_line(fmt::format("This writes to {}. Its database's name, to go on: ", where), &app.stops().soft)
            .value_or("");
  if (typed == database) return exit_done;
  return app.fail(
      exit_refused,
      typed.empty()
          ? fmt::format("this writes to {}: --confirm {} is needed; nothing was changed", where, database)
          : fmt::format("'{}' is not the database's name; nothing was changed", typed));
}

base::Duration timeout_of(const App& app) {
  return app.duration("timeout", default_timeout);
}

/// What is in the way is said before anybody confirms.
int look_before(App& app, pg::Session& session, const stage::BackfillSpec& spec, const base::Scope& scope) {
  const auto found = stage::backfill_preconditions(session, spec, scope);
  for (const auto& warning : found.warnings) app.say("warning: " + warning);
  if (found.obstacles.empty()) return exit_done;
  return app.fail(exit_refused, base::join(found.obstacles, "; ") + "; nothing was changed");
}

}  // namespace

int run_backfill(App& app) {
  auto loaded = load(app);
  const auto url = secret_value(app, loaded, target_of(loaded).url);
  if (app.args().has("tell")) return tell(app, url);
  stage::BackfillPlan plan;
  plan.spec = spec_of(app);
  plan.project = loaded.project.name.value;
  plan.environment = loaded.environment;
  plan.database = pg::display_url(url);
  auto out = staged(plan);
  if (!only_prints(app)) {
    const auto scope = base::Scope::lasting(resolve_patience, &app.stops().soft);
    pg::Session session(url, {stage::backfill_session, std::chrono::seconds(10), pg::usual_silence}, scope);
    stage::refuse_pooler(session, scope);
    const auto database = session.run("SELECT current_database()", scope).rows.at(0)[0].value_or("");
    if (const int refused = look_before(app, session, plan.spec, scope); refused != exit_done) return refused;
    if (const int refused = confirm_database(app, database, plan.database); refused != exit_done)
      return refused;
  }
  out.run = [&](const std::string& run_id, event::EventSink& sink) {
    return stage::perform_backfill(plan, {run_id, url, again_command(app), timeout_of(app)}, sink,
                                   app.stops().soft, app.stops().exit_code);
  };
  return run_stage_plan(app, out);
}

int run_stage_backfill(App& app) {
  auto loaded = load(app);
  if (loaded.env().is_protected)
    return app.fail(exit_refused,
                    "environment '" + loaded.environment +
                        "' is protected: staithe backfill is the command for it; nothing was changed");
  stage::BackfillPlan plan;
  plan.spec = spec_of(app);
  const auto cluster_url = secret_value(app, loaded, target_of(loaded).url);
  const auto scope = base::Scope::lasting(resolve_patience, &app.stops().soft);
  {
    auto cluster = stage::connect_cluster(cluster_url, {}, scope);
    stage::refuse_production(cluster, scope);
    const auto snapshot = chosen_snapshot(cluster, cluster_url, app.args().value("source"), scope);
    if (snapshot.marker.origin.system_identifier == stage::system_identifier(cluster, scope))
      return app.fail(exit_refused,
                      snapshot.database + " is in production's own cluster; nothing was changed");
    plan.snapshot = snapshot.database;
  }
  plan.project = loaded.project.name.value;
  plan.environment = loaded.environment;
  plan.database = pg::display_url(cluster_url);
  auto out = staged(plan);
  stage::BesideLoad::Stalls stalls;
  out.run = [&](const std::string& run_id, event::EventSink& sink) {
    const auto drop = [&app](const std::string& clone) { return drop_command(app, clone); };
    auto done = stage::perform_backfill_on_clone(
        plan, {run_id, cluster_url, app.args().has("keep-clone"), timeout_of(app), drop}, sink,
        app.stops().soft, app.stops().exit_code);
    stalls = done.stalls;
    return done.finished;
  };
  return run_stage_plan(app, out, [&](const event::RunFinished& finished) {
    if (finished.exit_code == exit_done) app.say("forecast: " + stage::forecast(stalls, finished.duration));
  });
}

}  // namespace staithe::cli
