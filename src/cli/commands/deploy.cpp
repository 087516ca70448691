#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/playbook/selection.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::cli {
namespace {

/// Hosts that the newest run with this commit had not finished; what --resume goes on with.
std::string hosts_left(App& app, const Loaded& loaded, const plan::Plan& plan) {
  const auto store = open_store(app, loaded);
  store::HistoryFilter filter;
  filter.environment = plan.environment;
  filter.service = plan.service;
  filter.kind = "deploy";
  for (const auto& run : store->history(filter, 50)) {
    if (run.sha != plan.sha || !run.ended) continue;
    const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
    if (summary.is_discarded() || !summary.contains("hosts")) continue;
    std::string left;
    for (const auto& [host, known] : summary["hosts"].items())
      if (known.value("state", "") != "done") left += (left.empty() ? "" : ",") + host;
    if (left.empty())
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("run {} left no host of {} behind", run.id, plan.release));
    return left;
  }
  throw base::Error(base::ErrorCode::not_found,
                    fmt::format("no run of {} in {} to resume", plan.release, plan.environment));
}

plan::Plan plan_of(App& app, Loaded& loaded) {
  const auto playbook = load_playbook_of(app, loaded);
  auto request = request_of(app);
  const auto refs = resolve_refs(app, loaded, playbook, request);
  const auto make = [&] {
    return require_plan(app, loaded,
                        playbook::make_plan(loaded.project, playbook, request, refs, playbook::disk_files(),
                                            loaded.diagnostics));
  };
  auto plan = make();
  if (!app.args().has("resume")) return plan;
  request.limit = hosts_left(app, loaded, plan);
  return make();
}

}  // namespace

int run_deploy(App& app) {
  auto loaded = load(app);
  const auto plan = plan_of(app, loaded);
  return run_loaded(app, loaded, plan);
}

int run_run(App& app) {
  if (app.args().positionals.empty()) throw UsageError("run needs a playbook");
  return run_deploy(app);
}

int run_validate(App& app) {
  auto loaded = load(app);
  const auto request = request_of(app);
  std::vector<playbook::Playbook> playbooks;
  for (const auto& path : app.args().positionals) {
    auto playbook = playbook::load_playbook(path, read_text(path), loaded.diagnostics);
    if (playbook)
      playbook::validate(loaded.project, &*playbook, request, playbook::disk_files(), loaded.diagnostics);
  }
  if (app.args().positionals.empty())
    playbook::validate(loaded.project, nullptr, request, playbook::disk_files(), loaded.diagnostics);
  print_findings(app, loaded.diagnostics);
  if (loaded.diagnostics.has_errors()) return exit_files;
  if (!app.quiet() && !app.json()) app.print("valid\n");
  return exit_done;
}

}  // namespace staithe::cli
