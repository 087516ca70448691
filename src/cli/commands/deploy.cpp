#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"
#include "suite_steps.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/git/commit_files.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

namespace staithe::cli {
namespace {

constexpr base::Duration read_patience{120'000};

/// Hosts of the plan that runs of this commit were to bring to it and that are not on it now.
std::string hosts_left(store::Store& store, const plan::Plan& plan) {
  const auto left = world::left_behind(store, plan);
  if (!left)
    throw base::Error(base::ErrorCode::not_found,
                      fmt::format("nothing of a rollout of {} in {} is left to resume: no deploy of it is on "
                                  "record, or another commit has come to its hosts since",
                                  plan.release, plan.environment));
  if (left->empty())
    throw base::Error(
        base::ErrorCode::conflict,
        fmt::format("the rollout of {0} is over: every host that still waits for {0} has it; where another "
                    "commit has come since, deploy without --resume",
                    plan.release));
  return base::join(*left, ",");
}

/// Files of this machine, and of the commit that is deployed.
steps::Files files_of(App& app, const Loaded& loaded, SuiteChoices& choices) {
  auto files = files_beside(loaded, &choices);
  files.in_commit = [&app](const std::string& repository, const std::string& sha, const std::string& pattern,
                           std::string& why) -> std::optional<std::vector<plan::FileSum>> {
    try {
      std::vector<plan::FileSum> sums;
      for (const auto& file : git::commit_files({repository, {}}, sha, pattern,
                                                base::Scope::lasting(read_patience, &app.stops().soft)))
        sums.push_back({std::string(plan::file_name(file.path)), base::sha256_hex(file.text)});
      return sums;
    } catch (const base::Error& error) {
      // What is wrong with the pattern or the files is a mistake in them; that git failed is none.
      if (error.code() != base::ErrorCode::invalid) throw;
      why = app.redactor().clean(error.what());
      return std::nullopt;
    }
  };
  return files;
}

/// `earlier` is what the plan rests on, when it is only for the hosts that are left.
plan::Plan plan_of(App& app, Loaded& loaded, Earlier& earlier, SuiteChoices& choices) {
  const auto playbook = load_playbook_of(app, loaded);
  auto request = request_of(app);
  const auto refs = resolve_refs(app, loaded, playbook, request);
  const auto files = files_of(app, loaded, choices);
  const auto make = [&] {
    return require_plan(
        app, loaded, playbook::make_plan(loaded.project, playbook, request, refs, files, loaded.diagnostics));
  };
  auto plan = make();
  if (!app.args().has("resume")) return plan;
  const auto store = open_store(app, loaded);
  await_locks(app, store.get(), plan);
  // Read before the hosts that are left are: what ends in between is noticed.
  earlier = resting_on(loaded.environment, plan.service,
                       world::ended_runs(*store, loaded.environment, plan.service));
  request.limit = hosts_left(*store, plan);
  request.brought_along = world::brought_along(*store, plan);
  return make();
}

}  // namespace

int run_deploy(App& app) {
  auto loaded = load(app);
  Earlier earlier;
  SuiteChoices choices;
  auto planned = plan_of(app, loaded, earlier, choices);
  const auto plan = with_suites(app, loaded, std::move(planned), choices);
  return run_loaded(app, loaded, plan, std::move(earlier));
}

int run_run(App& app) {
  if (app.args().positionals.empty()) throw UsageError("run needs a playbook");
  return run_deploy(app);
}

}  // namespace staithe::cli
