#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace staithe::cli {
namespace {

bool settled(world::Left left) {
  return left == world::Left::untouched || left == world::Left::done || left == world::Left::reverted;
}

/// The run to look at: the one that is named, or the newest that did not end and whose process is gone.
std::optional<store::Run> run_to_recover(App& app, store::Store& store, const Loaded& loaded) {
  if (!app.args().positionals.empty()) {
    auto run = store.run(app.args().positionals.front());
    if (!run) throw base::Error(base::ErrorCode::not_found, "no run " + app.args().positionals.front());
    return run;
  }
  for (const auto& run : store.unfinished(loaded.environment)) {
    if (run.owner == store::Owner::running)
      throw base::Error(base::ErrorCode::conflict,
                        fmt::format("run {} ({}) is still going on: {}", run.id, run.title, run.user));
    return store.run(run.id);
  }
  store::HistoryFilter filter;
  filter.environment = loaded.environment;
  // A run that ended but left hosts out is there to be put right too.
  for (const auto& run : store.history(filter, 20)) {
    if (run.kind == "recover" || run.kind == "exec") continue;
    if (run.exit_code == exit_needs_person) return store.run(run.id);
    break;
  }
  return std::nullopt;
}

/// Where each host stands after the recovery run.
bool on_new_release(const world::HostLeft& host, const event::RunFinished& finished) {
  for (const auto& mended : finished.hosts)
    if (mended.name == host.host)
      return host.left == world::Left::out_done && mended.state == event::HostState::done;
  return host.left == world::Left::done;
}

/// What `deploy --resume` and the history read: the state of every host now.
std::string summary_after(const std::vector<world::HostLeft>& left, const event::RunFinished& finished) {
  auto hosts = nlohmann::json::object();
  for (const auto& host : left) {
    const bool on_new = on_new_release(host, finished);
    const bool touched = host.left != world::Left::untouched;
    hosts[host.host] = {{"state", on_new    ? "done"
                                  : touched ? "reverted"
                                            : "untouched"},
                        {"detail", "after recovery"}};
  }
  return nlohmann::json{{"hosts", hosts}}.dump();
}

/// Where nothing was to be done no run took the dead one's locks over: nobody else will give them back.
void free_locks_of(store::Store& store, const std::string& run_id) {
  for (const auto& lock : store.locks())
    if (lock.run_id == run_id && lock.abandoned)
      store.steal(lock.scope, "run " + run_id + " is recovered", store::this_process());
}

/// Versions that differ are said and need a person.
int conclude(App& app, const std::vector<world::HostLeft>& left, const event::RunFinished& finished) {
  std::size_t on_new = 0;
  for (const auto& host : left) on_new += on_new_release(host, finished) ? 1 : 0;
  if (on_new == 0 || on_new == left.size()) return exit_done;
  app.say(
      fmt::format("Versions are mixed: {} of {} hosts are on the new release.\n"
                  "  next  staithe deploy --resume    bring the others to it\n"
                  "        staithe rollback           or bring all back",
                  on_new, left.size()));
  return exit_needs_person;
}

}  // namespace

int run_recover(App& app) {
  auto loaded = load(app);
  auto store = open_store(app, loaded);
  const auto run = run_to_recover(app, *store, loaded);
  if (!run) {
    app.print("nothing to recover\n");
    return exit_done;
  }
  const auto plan = plan::from_json(run->plan_json);
  const auto left = world::assess(plan, world::read_journal(*store, run->id));
  app.print(fmt::format("run {}: {}\n", run->id, run->title));
  std::vector<Adopted> adopted;
  for (const auto& host : left) {
    app.print(fmt::format("  {:<12} {}\n", host.host, world::text_of(host.left)));
    if (!settled(host.left) && !host.found.empty()) adopted.push_back({host.host, host.found});
  }
  const auto recovery = world::recovery_plan(plan, left);
  event::RunFinished finished;
  if (!recovery.stages.empty()) {
    const int code = run_loaded(app, loaded, recovery, std::move(adopted), &finished);
    if (only_prints(app) || code != exit_done) return code;
  }
  if (only_prints(app)) return exit_done;
  const int code = conclude(app, left, finished);
  free_locks_of(*store, run->id);
  store->end_run(run->id, "recovered", code, summary_after(left, finished));
  return code;
}

}  // namespace staithe::cli
