#include "commands.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "ssh_files.hpp"
#include "suggest.hpp"

#include "staithe/base/text.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

namespace staithe::cli {
namespace {

constexpr base::Duration default_within{60'000};

playbook::RotationRequest rotation_request(App& app, playbook::Rotation rotation) {
  if (app.args().positionals.empty()) throw UsageError("name the hosts");
  playbook::RotationRequest request;
  request.rotation = rotation;
  request.selection = base::join(app.args().positionals, ",");
  request.reason = app.args().value("reason");
  request.within = app.duration("within", default_within);
  if (app.args().has("close-sessions")) request.at_deadline = plan::AwaitRotation::AtDeadline::close_sessions;
  request.min_available.value = app.number("min-available", 1);
  return request;
}

plan::Plan rotation_plan(App& app, Loaded& loaded, playbook::Rotation rotation) {
  return require_plan(app, loaded,
                      playbook::make_rotation_plan(loaded.project, request_of(app),
                                                   rotation_request(app, rotation), loaded.diagnostics));
}

/// What our drains found that were not given back yet, so that each host comes back as it was.
Earlier drains_to_end(App& app, const Loaded& loaded, const plan::Plan& plan) {
  const auto targets = plan::target_hosts(plan);
  const auto drains = [environment = loaded.environment,
                       hosts = std::set<std::string>(targets.begin(), targets.end())](store::Store& store) {
    return world::drains_on_record(store, environment, hosts);
  };
  const auto store = open_store_if_there(app, loaded);
  const auto before = store == nullptr ? std::map<std::string, std::string>() : drains(*store);
  Earlier earlier;
  for (const auto& [host, found] : before) earlier.adopted.push_back({host, found, true});
  earlier.in_the_way = [drains, before, look = status_command(app)](store::Store& now) -> std::string {
    if (drains(now) == before) return {};
    return "another run took out or gave back a host of these meanwhile; next: " + look;
  };
  return earlier;
}

}  // namespace

int run_drain(App& app) {
  auto loaded = load(app);
  const auto plan = rotation_plan(app, loaded, playbook::Rotation::drain);
  return run_loaded(app, loaded, plan);
}

int run_restore(App& app) {
  auto loaded = load(app);
  const auto plan = rotation_plan(app, loaded, playbook::Rotation::restore);
  return run_loaded(app, loaded, plan, drains_to_end(app, loaded, plan));
}

int run_exec(App& app) {
  auto loaded = load(app);
  if (app.args().positionals.empty())
    throw UsageError("exec needs a command: staithe exec -H HOSTS -- COMMAND");
  check_ssh_config(loaded, loaded.env(), loaded.diagnostics);
  const auto command = base::join(app.args().positionals, " ");
  const auto plan = require_plan(
      app, loaded,
      playbook::make_exec_plan(loaded.project, request_of(app), app.args().value("hosts", "all"), command,
                               app.duration("timeout", base::Duration{300'000}), loaded.diagnostics));
  return run_loaded(app, loaded, plan);
}

}  // namespace staithe::cli
