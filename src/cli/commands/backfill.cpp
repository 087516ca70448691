#include "staithe/stage/backfill.hpp"

#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "run_plan.hpp"
#include "stage.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearsal_report.hpp"
#include "staithe/stage/snapshots.hpp"

#include <fmt/format.h>

#include <optional>

namespace staithe::cli {
namespace {

constexpr base::Duration resolve_patience{60'000};
constexpr base::Duration default_timeout{30LL * 24 * 3'600'000};

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
  spec.batch_time = app.duration("batch-time", spec.batch_time);
  spec.lock_timeout = app.duration("lock-timeout", spec.lock_timeout);
  spec.most_lag = app.duration("max-lag", spec.most_lag);
  spec.most_waiting = app.number("max-waiting", spec.most_waiting);
  spec.most_active = app.number("max-active", spec.most_active);
  spec.rest_percent = app.number("rest", spec.rest_percent);
  spec.pause_file = app.args().value("pause-file");
  if (spec.batch_time.count() == 0 || spec.lock_timeout.count() == 0)
    throw UsageError("--batch-time and --lock-timeout are more than nothing");
  return spec;
}

/// From progress to events.
class Teller {
 public:
  Teller(event::EventSink& sink, std::string run_id) : sink_(sink), run_id_(std::move(run_id)) {}

  void begin(const std::string& plan_id, const std::string& title, const std::string& environment,
             base::Duration timeout) {
    event::RunStarted started;
    started.run_id = run_id_;
    started.plan_id = plan_id;
    started.kind = "backfill";
    started.title = title;
    started.environment = environment;
    emit(std::move(started));
    action_ = title;
    event::ActionStarted action;
    action.action_id = action.kind = action.step = "backfill";
    action.title = title;
    action.index = action.of = 1;
    action.timeout = timeout;
    emit(std::move(action));
  }

  void progress(const stage::BackfillProgress& now) {
    if (!now.step.empty()) return emit(event::Message{event::Level::info, "", now.step});
    event::Progress progress;
    progress.action_id = "backfill";
    progress.done = now.seen;
    progress.total = now.total;
    progress.unit = now.unit;
    progress.text = now.waiting_for.empty()
                        ? fmt::format("{} rows filled in {} batches, {:.0f} a second{}", now.updated,
                                      now.batches, now.rows_per_second, remaining(now))
                        : "rests for " + now.waiting_for;
    emit(std::move(progress));
  }

  /// Tells the listeners, and notes in `finished` how long it took.
  void end(event::Outcome outcome, const std::string& detail, base::Duration took,
           event::RunFinished& finished) {
    event::ActionFinished action;
    action.action_id = action.kind = action.step = "backfill";
    action.title = action_;
    action.index = action.of = 1;
    action.outcome = outcome;
    action.detail = detail;
    action.duration = took;
    emit(std::move(action));
    finished.duration = took;
    emit(finished);
  }

 private:
  void emit(event::Payload payload) {
    sink_.on_event({std::chrono::system_clock::now(), ++seq_, run_id_, std::move(payload)});
  }

  std::string remaining(const stage::BackfillProgress& now) {
    const auto clock = std::chrono::steady_clock::now();
    if (seen_ == 0) {
      seen_ = std::max<std::uint64_t>(now.seen, 1);
      since_ = clock;
      return {};
    }
    const auto elapsed = std::chrono::duration<double>(clock - since_).count();
    if (now.seen <= seen_ || now.total <= now.seen || elapsed < 1) return {};
    const double seconds =
        static_cast<double>(now.total - now.seen) * elapsed / static_cast<double>(now.seen - seen_);
    return ", " + base::elapsed_text(base::Duration{static_cast<base::Duration::rep>(seconds * 1000)}) +
           " to go";
  }

  event::EventSink& sink_;
  std::string run_id_, action_;
  std::uint64_t seq_ = 0, seen_ = 0;
  std::chrono::steady_clock::time_point since_{};
};

std::string summary(const stage::BackfillResult& result) {
  return fmt::format(
      "{} rows filled in {} batches, the longest {}; {} rested, {} tries for locks in vain{}{}",
      result.updated, result.batches, base::elapsed_text(result.longest_batch),
      base::elapsed_text(result.waited), result.lock_retries, result.resumed ? "; resumed" : "",
      result.left > 0 ? fmt::format("; {} rows match --where still", result.left) : std::string());
}

/// Where it runs: the database of a URL, or a clone that goes afterwards.
struct Place {
  std::string url;
  std::string again;  ///< the command that goes on
};

/// Seen before anything was written: another run, no such table, a server that cannot be reached.
bool is_refusal(const base::Error& error) {
  if (dynamic_cast<const pg::SqlError*>(&error) != nullptr ||
      dynamic_cast<const stage::CheckLeft*>(&error) != nullptr)
    return false;
  switch (error.code()) {
    case base::ErrorCode::conflict:
    case base::ErrorCode::not_found:
    case base::ErrorCode::invalid:
    case base::ErrorCode::connect:
    case base::ErrorCode::auth:
      return true;
    default:
      return false;
  }
}

event::RunFinished perform(App& app, const stage::BackfillPlan& plan, const Place& place,
                           const std::string& run_id, event::EventSink& sink) {
  Teller teller(sink, run_id);
  const auto timeout = app.duration("timeout", default_timeout);
  teller.begin(stage::id_of(plan), "backfill " + plan.spec.table, plan.environment, timeout);
  event::RunFinished finished;
  const auto began = std::chrono::steady_clock::now();
  const auto took = [&] {
    return std::chrono::duration_cast<base::Duration>(std::chrono::steady_clock::now() - began);
  };
  const auto scope = base::Scope::lasting(timeout, &app.stops().soft);
  try {
    const auto result = stage::run_backfill(
        place.url, plan.spec, [&](const stage::BackfillProgress& now) { teller.progress(now); }, scope);
    finished.exit_code = result.complete ? exit_done : exit_failed;
    finished.verdict = result.complete ? "done" : "failed";
    if (!result.complete) {
      finished.failure = result.left > 0
                             ? fmt::format(
                                   "{} rows match --where still: they came in behind it, or SET does not "
                                   "change what --where asks",
                                   result.left)
                             : "somebody asked it to stop; what is filled stays filled";
      if (!place.again.empty())
        finished.next.push_back(place.again + (result.left > 0 ? "  fill those too" : "  go on from here"));
    }
    teller.end(result.complete ? event::Outcome::ok : event::Outcome::cancelled, summary(result), took(),
               finished);
  } catch (const base::Error& error) {
    const bool stopped = error.code() == base::ErrorCode::cancelled;
    const bool refused = is_refusal(error);
    finished.exit_code = stopped ? app.stops().exit_code.load() : refused ? exit_refused : exit_failed;
    finished.verdict = stopped ? "interrupted" : refused ? "refused" : "failed";
    finished.failure = error.what();
    if (refused) {
      teller.end(event::Outcome::refused, error.what(), took(), finished);
      return finished;
    }
    if (const auto* left = dynamic_cast<const stage::CheckLeft*>(&error)) {
      finished.exit_code = exit_needs_person;
      finished.next.push_back(left->statement() + ";  takes away the check that refuses NULL");
    }
    if (!place.again.empty()) finished.next.push_back(place.again + "  go on from where it stopped");
    teller.end(stopped ? event::Outcome::cancelled : event::Outcome::failed, error.what(), took(), finished);
  }
  return finished;
}

StagePlan staged(const stage::BackfillPlan& plan) {
  StagePlan out;
  out.kind = "backfill";
  out.id = stage::id_of(plan);
  out.json = stage::to_json(plan);
  out.text = stage::render(plan);
  return out;
}

std::string command_line(const App& app) {
  std::string line = "staithe " + std::string(app.args().command->name);
  for (const auto* option : {"file", "environment", "set", "where", "not-null"})
    if (app.args().has(option))
      line += fmt::format(" --{} {}", option, base::shell_quote(app.args().value(option)));
  return line + " " + base::shell_quote(app.args().positionals.front());
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
  if (!stage::tell_backfill(url, table, *wish, scope))
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

base::Scope scope_of(App& app) {
  return base::Scope::lasting(app.duration("timeout", default_timeout), &app.stops().soft);
}

/// What is in the way is said before anybody confirms.
int look_before(App& app, pg::Session& session, const stage::BackfillSpec& spec, const base::Scope& scope) {
  const auto found = stage::backfill_preconditions(session, spec, scope);
  for (const auto& warning : found.warnings) app.say("warning: " + warning);
  if (found.obstacles.empty()) return exit_done;
  return app.fail(exit_refused, base::join(found.obstacles, "; ") + "; nothing was changed");
}

/// What the clone lets one expect of production.
std::string forecast(const stage::BesideLoad::Stalls& stalls, base::Duration took) {
  std::string text = fmt::format("it took {} on the clone", base::elapsed_text(took));
  if (stalls.runs > 0)
    text += fmt::format(
        " with readers and writers beside it, of which a reader waited {} at most and a writer {}",
        stage::micros_text(stalls.read), stage::micros_text(stalls.write));
  return text +
         "; production's size is the clone's when the snapshot is whole, its disks, standbys and load are "
         "not: "
         "expect as long or longer, and the rests that its lag asks for";
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
    pg::Session session(url, {"staithe backfill", std::chrono::seconds(10)}, scope);
    stage::refuse_pooler(session, scope);
    const auto database = session.run("SELECT current_database()", scope).rows.at(0)[0].value_or("");
    if (const int refused = look_before(app, session, plan.spec, scope); refused != exit_done) return refused;
    if (const int refused = confirm_database(app, database, plan.database); refused != exit_done)
      return refused;
  }
  out.run = [&](const std::string& run_id, event::EventSink& sink) {
    return perform(app, plan, {url, command_line(app)}, run_id, sink);
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
    const auto making = base::Scope::lasting(std::chrono::hours(1), &app.stops().soft);
    const stage::CloneClaim claim(cluster_url, run_id, making);
    stage::Clone clone(cluster_url, plan.snapshot, stage::clone_name(stage::backfill_clones, run_id, 1),
                       run_id, making);
    if (app.args().has("keep-clone")) clone.keep(making);
    stage::BesideLoad load(clone.url(), plan.spec.table, scope_of(app));
    const auto finished = perform(app, plan, {clone.url(), {}}, run_id, sink);
    stalls = load.finish();
    return finished;
  };
  return run_stage_plan(app, out, [&](const event::RunFinished& finished) {
    if (finished.exit_code == exit_done) app.say("forecast: " + forecast(stalls, finished.duration));
  });
}

}  // namespace staithe::cli
