#include "ways_out.hpp"

#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/world/past_runs.hpp"

#include <algorithm>
#include <optional>

namespace staithe::cli {
namespace {

constexpr std::size_t runs_to_read = 200;

/// The newest run that brought a release which some host still runs: what was put back since counts nothing,
/// nor does a run that was refused.
std::optional<store::Run> newest_live(store::Store& store, const Loaded& loaded, const std::string& service,
                                      const Versions& versions) {
  std::optional<store::Run> newest;
  for (const char* kind : {"deploy", "rollback"}) {
    store::HistoryFilter filter;
    filter.environment = loaded.environment;
    filter.service = service;
    filter.kind = kind;
    for (auto& run : store.history(filter, runs_to_read)) {
      if (versions.count(run.release) == 0 || run.exit_code == event::exit_refused) continue;
      if (!newest || run.started > newest->started) newest = std::move(run);
      break;
    }
  }
  return newest ? store.run(newest->id) : std::nullopt;
}

/// What brings the hosts of a service together on the release of a run. With that run's own playbook and
/// commit: the built-in playbook, or a branch as it is now, could bring something else to them.
std::string way_forward(const App& app, store::Store& store, const Loaded& loaded, const Versions& versions,
                        const Asked& asked, const plan::Plan& plan) {
  std::vector<std::string> behind;
  for (const auto& [id, hosts] : versions)
    if (id != plan.release) behind.insert(behind.end(), hosts.begin(), hosts.end());
  if (plan.kind == "rollback") return same_command(app, loaded, asked, plan);
  return on_command(app, store, loaded, asked, plan, behind);
}

}  // namespace

OpenWays open_ways(const Standing& standing) noexcept {
  if (standing.first) return {};
  return {standing.behind && !standing.bad, standing.behind || standing.bad || standing.unjudged};
}

std::string on_command(const App& app, store::Store& store, const Loaded& loaded, const Asked& asked,
                       const plan::Plan& plan, std::vector<std::string> hosts,
                       const event::RunFinished* ending) {
  std::sort(hosts.begin(), hosts.end());
  try {
    if (plan.kind == "deploy" && world::left_of_rollout(store, plan, ending) == hosts)
      return resume_command(app, loaded, asked, plan);
  } catch (const base::Error&) {
    // Of a state that cannot be read somebody else tells; the hosts by name need none.
  }
  return rest_command(app, loaded, asked, plan, hosts);
}

Way way_out(const App& app, store::Store& store, const Loaded& loaded, const world::Unjudged& task) {
  const auto plan = world::plan_of(task.run);
  return {same_command(app, loaded, asked_of(store, task.run.id), *plan), "do it again, to its end"};
}

WaysOut ways_out(const App& app, store::Store& store, const Loaded& loaded, const std::string& service,
                 const Versions& versions, bool first) {
  WaysOut out;
  const auto run = newest_live(store, loaded, service, versions);
  out.bad = world::bad_releases(store, loaded.environment, service, run);
  std::erase_if(out.bad, [&](const auto& known) { return versions.count(known.first) == 0; });
  const bool differ = versions.size() > 1;
  if (run && out.bad.count(run->release) == 0) out.unjudged = world::unjudged(store, *run);
  const bool amiss = differ || !out.bad.empty() || out.unjudged;
  const auto plan = run && amiss ? world::plan_of(*run) : std::nullopt;
  if (!plan) return out;
  const auto asked = asked_of(store, run->id);
  Standing standing;
  standing.behind = differ;
  standing.bad = !out.bad.empty() && (!differ || out.bad.count(plan->release) > 0);
  standing.unjudged = out.unjudged.has_value();
  standing.first = first;
  const auto open = open_ways(standing);
  if (standing.unjudged && !standing.behind && !standing.bad && !standing.first)
    out.ways.push_back({same_command(app, loaded, asked, *plan), "roll it out again, to its end"});
  if (open.on)
    out.ways.push_back(
        {way_forward(app, store, loaded, versions, asked, *plan), "bring the others to the new release"});
  if (open.back)
    out.ways.push_back({rollback_command(app, loaded, asked, *plan),
                        out.ways.empty() ? "bring all back" : "or bring all back"});
  return out;
}

}  // namespace staithe::cli
