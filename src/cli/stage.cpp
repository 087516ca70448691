#include "stage.hpp"

#include "exit_codes.hpp"
#include "run_plan.hpp"
#include "sinks.hpp"

#include "staithe/base/error.hpp"
#include "staithe/pg/programs.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

namespace staithe::cli {
namespace {

constexpr base::Duration secret_patience{60'000};

[[noreturn]] void missing(const Loaded& loaded, const std::string& what) {
  throw FilesWrong(
      fmt::format("{}: environment '{}' has no {}\n"
                  "  next  under environments.{}:\n"
                  "          databases:\n"
                  "            source: {{url: env PRODUCTION_READONLY_URL}}\n"
                  "            target: {{url: env STAGING_URL}}",
                  loaded.project.path, loaded.environment, what, loaded.environment));
}

void print_plan(App& app, const StagePlan& plan) {
  if (!app.json()) return app.print_plan(plan.text);
  app.print_plan(plan.json, plan.id);
}

int confirm(App& app, const std::string& question) {
  if (question.empty() || app.args().has("yes")) return exit_done;
  if (!app.may_prompt())
    return app.fail(exit_refused, "--yes is needed when not running interactively; nothing was changed");
  const auto answer = ask_line(question + " [y/N] ", &app.stops().soft);
  if (answer && (*answer == "y" || *answer == "yes")) return exit_done;
  return app.fail(exit_refused, "not confirmed; nothing was changed");
}

}  // namespace

const playbook::Databases& databases_of(const Loaded& loaded) {
  const auto& databases = loaded.env().databases;
  if (!databases) missing(loaded, "databases");
  return *databases;
}

const playbook::Database& source_of(const Loaded& loaded) {
  const auto& databases = databases_of(loaded);
  if (!databases.source) missing(loaded, "databases.source");
  return *databases.source;
}

const playbook::Database& target_of(const Loaded& loaded) {
  const auto& databases = databases_of(loaded);
  if (!databases.target) missing(loaded, "databases.target");
  return *databases.target;
}

std::string secret_value(App& app, const Loaded& loaded, const plan::SecretRef& secret) {
  return world::Secrets(app.redactor(), loaded.project.directory)
      .value(secret, base::Scope::lasting(secret_patience, &app.stops().soft));
}

std::string url_value(App& app, const Loaded& loaded, const plan::SecretRef& secret) {
  // A URL without a password is no secret, and what is shown of one that has a password is not either.
  base::Redactor nobody;
  auto url = world::Secrets(nobody, loaded.project.directory)
                 .value(secret, base::Scope::lasting(secret_patience, &app.stops().soft));
  const auto secrets = pg::secrets_of(url);
  for (const auto& one : secrets) app.redactor().add(one);
  if (!secrets.empty()) app.redactor().add(url);
  return url;
}

stage::Snapshot chosen_snapshot(pg::Session& cluster, const std::string& target_url, const std::string& name,
                                const base::Scope& scope) {
  if (!name.empty()) return stage::find_snapshot(cluster, name, scope);
  const auto made_as = pg::database_of(target_url);
  if (made_as.empty())
    throw base::Error(base::ErrorCode::invalid,
                      "the target's URL names no database; --source names the snapshot");
  return stage::newest_snapshot(cluster, made_as, scope);
}

int refuse_other_origin(App& app, const stage::Snapshot& snapshot, const std::string& source_url,
                        const base::Scope& scope) {
  if (source_url.empty()) return exit_done;
  const auto& origin = snapshot.marker.origin;
  std::string system, database;
  try {
    pg::Session source(source_url, {"staithe looks", std::chrono::seconds(10), pg::usual_silence}, scope);
    stage::refuse_pooler(source, scope);
    source.run("SET default_transaction_read_only = on", scope);
    system = stage::system_identifier(source, scope);
    database = source.run("SELECT pg_catalog.current_database()", scope).rows.at(0)[0].value_or("");
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    app.say(fmt::format("warning: whether {} was taken from databases.source is not known: {}",
                        snapshot.database, error.what()));
    return exit_done;
  }
  if (origin.system_identifier == system && origin.database == database) return exit_done;
  return app.fail(
      exit_refused,
      fmt::format("{} was taken from {} (cluster {}), not from databases.source, {} (cluster {}); nothing "
                  "was changed\n"
                  "  next  staithe stage snapshot, or --source with a snapshot of it",
                  snapshot.database, origin.where, origin.system_identifier, pg::display_url(source_url),
                  system));
}

int run_stage_plan(App& app, const StagePlan& plan,
                   const std::function<void(const event::RunFinished&)>& after) {
  if (const int refused = refuse_other_plan(app, plan.id); refused != exit_done) return refused;
  if (only_prints(app)) {
    print_plan(app, plan);
    return exit_done;
  }
  if (const int refused = confirm(app, plan.question); refused != exit_done) return refused;
  return perform_stage_plan(app, plan, after);
}

int perform_stage_plan(App& app, const StagePlan& plan,
                       const std::function<void(const event::RunFinished&)>& after) {
  auto sinks = std::make_unique<Sinks>(app, plan.kind, plan.json, plan.goes_on ? Files::add : Files::replace);
  const auto finished = plan.run(new_run_id(), sinks->pump());
  sinks.reset();
  if (after) after(finished);
  return finished.exit_code;
}

}  // namespace staithe::cli
