#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"
#include "suite_steps.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/git/commit_files.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/playbook/selection.hpp"
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
                      fmt::format("no run of {} in {} to resume", plan.release, plan.environment));
  if (left->empty())
    throw base::Error(base::ErrorCode::conflict, fmt::format("no host is left behind {}", plan.release));
  return base::join(*left, ",");
}

/// Files of this machine, and of the commit that is deployed.
steps::Files files_of(App& app) {
  auto files = playbook::disk_files();
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
plan::Plan plan_of(App& app, Loaded& loaded, Earlier& earlier) {
  const auto playbook = load_playbook_of(app, loaded);
  auto request = request_of(app);
  const auto refs = resolve_refs(app, loaded, playbook, request);
  const auto files = files_of(app);
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
  return make();
}

}  // namespace

int run_deploy(App& app) {
  auto loaded = load(app);
  Earlier earlier;
  const auto plan = with_suites(app, loaded, plan_of(app, loaded, earlier));
  return run_loaded(app, loaded, plan, std::move(earlier));
}

int run_run(App& app) {
  if (app.args().positionals.empty()) throw UsageError("run needs a playbook");
  return run_deploy(app);
}

namespace {

/// The suites that a playbook runs, in every environment that is judged and whose hosts are known.
void validate_suites_of(App& app, Loaded& loaded, const playbook::Playbook& playbook) {
  const bool asked = !loaded.environment.empty();
  for (const auto& environment : loaded.project.environments) {
    if (asked && environment.name.value != loaded.environment) continue;
    if (!asked && !environment.inventory.empty()) continue;  // its programs are not run
    Loaded one{loaded.project, environment.name.value, {}};
    auto request = request_of(app);
    request.environment = environment.name.value;
    const playbook::Refs any{"", std::string(40, '0'), ""};
    const auto plan =
        playbook::make_plan(one.project, playbook, request, any, playbook::disk_files(), one.diagnostics);
    if (!plan) continue;  // its own mistakes are known
    one.diagnostics = {};
    validate_suites(app, one, *plan);
    for (const auto& finding : one.diagnostics.sorted()) loaded.diagnostics.add(finding);
    for (const auto& finding : one.diagnostics.sorted())
      if (const auto& file = finding.position.file; !file.empty())
        loaded.diagnostics.sources().add(file.text(), read_text(file.text()));
  }
}

/// A playbook that is not there is one mistake among others.
std::optional<playbook::Playbook> read_playbook(const std::string& path, diag::Diagnostics& diagnostics) {
  std::string text;
  try {
    text = read_text(path);
  } catch (const FilesWrong& wrong) {
    diagnostics.error({}, wrong.what());
    return std::nullopt;
  }
  return playbook::load_playbook(path, text, diagnostics);
}

}  // namespace

int run_validate(App& app) {
  // Without -e every environment is judged, by what the files say of it.
  auto loaded = load_files(app);
  if (!loaded.environment.empty()) ask_inventory_and_go_on(app, loaded);
  const auto request = request_of(app);
  for (const auto& path : app.args().positionals) {
    const auto playbook = read_playbook(path, loaded.diagnostics);
    if (!playbook) continue;
    playbook::validate(loaded.project, &*playbook, request, playbook::disk_files(), loaded.diagnostics);
    validate_suites_of(app, loaded, *playbook);
  }
  if (app.args().positionals.empty())
    playbook::validate(loaded.project, nullptr, request, playbook::disk_files(), loaded.diagnostics);
  print_findings(app, loaded.diagnostics);
  if (loaded.diagnostics.has_errors()) return exit_files;
  if (!app.quiet() && !app.json()) app.print("valid\n");
  return exit_done;
}

}  // namespace staithe::cli
