#include "commands.hpp"
#include "exit_codes.hpp"
#include "planning.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace staithe::cli {
namespace {

[[noreturn]] void refuse(const store::Run& run, const std::string& why) {
  throw base::Error(base::ErrorCode::conflict, fmt::format("run {} ({}) {}", run.id, run.title, why));
}

/// A run that a person names must have left something, and nobody may be working on it.
void check_named(store::Store& store, const Loaded& loaded, const store::Run& run) {
  if (run.environment != loaded.environment) refuse(run, "was in " + run.environment + ": name it with -e");
  if (run.kind == "recover")
    refuse(run, "is a recovery itself: 'staithe recover' goes on with what it was for");
  if (run.ended && run.outcome == "recovered") refuse(run, "is recovered already");
  if (run.ended && run.exit_code != exit_needs_person)
    refuse(run, fmt::format("ended: {}; it left nothing to put right", run.outcome));
  if (!run.ended && run.owner == store::Owner::running) refuse(run, "is still going on: " + run.user);
  for (const auto& lock : store.locks())
    if (lock.run_id == run.id && !lock.abandoned)
      refuse(run, fmt::format("still holds the lock on {}: {}", lock.scope, lock.holder));
}

/// The run to look at, with its plan: the one that is named, or the newest whose leavings are still there.
std::optional<store::Run> chosen_run(App& app, store::Store& store, const Loaded& loaded) {
  if (app.args().positionals.empty()) {
    const auto run = world::run_to_recover(store, loaded.environment);
    return run ? store.run(run->id) : std::nullopt;
  }
  auto run = store.run(app.args().positionals.front());
  if (!run) throw base::Error(base::ErrorCode::not_found, "no run " + app.args().positionals.front());
  check_named(store, loaded, *run);
  return run;
}

/// The run's journal, and in it what recoveries of the run had begun before they died.
world::JournalView journal_of(store::Store& store, const store::Run& run) {
  auto journal = world::read_journal(store, run.id);
  for (const auto& recovery : world::dead_recoveries(store, run.environment))
    if (recovery.started >= run.started && recovery.service == run.service)
      world::add_recovery(journal, world::read_journal(store, recovery.id));
  return journal;
}

/// What a look at the hosts of a run rests on beside the run itself, as one text to compare.
std::string grounds_of(store::Store& store, const store::Run& run) {
  std::string grounds;
  for (const auto& [host, later] : world::put_right_since(store, run))
    grounds += fmt::format("\n{} put right by {}", host, later);
  for (const auto& recovery : world::recoveries_since(store, run)) grounds += "\nrecovery " + recovery;
  return grounds;
}

/// Where the hosts stand that no later run has put right; says so of each.
std::vector<world::HostLeft> look_at(App& app, store::Store& store, const store::Run& run,
                                     const plan::Plan& plan) {
  const auto since = world::put_right_since(store, run);
  std::vector<world::HostLeft> left;
  app.print(fmt::format("run {}: {}\n", run.id, run.title));
  for (auto& host : world::assess(plan, journal_of(store, run))) {
    const auto later = since.find(host.host);
    const bool open = later == since.end();
    app.print(fmt::format("  {:<12} {}\n", host.host,
                          open ? std::string(world::text_of(host.left)) +
                                     (host.by_hand ? ": needs a person" : "") +
                                     (host.to_clean ? ", cleaning up did not end" : "")
                               : "put right since, by run " + later->second));
    if (open) left.push_back(std::move(host));
  }
  return left;
}

/// The drains that the recovery goes on with.
std::vector<Adopted> adopted_of(store::Store& store, const Loaded& loaded,
                                const std::vector<world::HostLeft>& left) {
  std::set<std::string> unknown;
  std::vector<Adopted> adopted;
  for (const auto& host : left) {
    if (world::settled(host.left) || host.left == world::Left::altered || host.by_hand) continue;
    if (host.found.empty())
      unknown.insert(host.host);
    else
      adopted.push_back({host.host, host.found});
  }
  // A restore notes nothing itself: it went on with an earlier drain.
  for (const auto& [host, found] : world::drains_on_record(store, loaded.environment, unknown))
    adopted.push_back({host, found});
  return adopted;
}

/// Where each host stands after the recovery run.
bool on_new_release(const world::HostLeft& host, const event::RunFinished& finished) {
  if (host.left == world::Left::done) return true;
  if (host.left != world::Left::out_done && host.left != world::Left::out_new) return false;
  return std::any_of(finished.hosts.begin(), finished.hosts.end(), [&](const auto& mended) {
    return mended.name == host.host && mended.state == event::HostState::done;
  });
}

/// What `deploy --resume` and the history read: the state of every host now.
std::string summary_after(const std::vector<world::HostLeft>& left, const event::RunFinished& finished) {
  auto hosts = nlohmann::json::object();
  for (const auto& host : left) {
    const bool on_new = on_new_release(host, finished);
    const char* state = on_new ? "done" : host.left == world::Left::untouched ? "untouched" : "reverted";
    if (host.by_hand) state = host.left == world::Left::altered ? "failed" : "out";
    hosts[host.host] = {{"state", state}, {"detail", "after recovery"}};
  }
  return nlohmann::json{{"hosts", hosts}}.dump();
}

/// Where nothing was to be done no run took the dead one's locks over: nobody else will give them back.
void free_locks_of(store::Store& store, const std::string& run_id) {
  for (const auto& lock : store.locks())
    if (lock.run_id == run_id && lock.abandoned)
      store.steal(lock.scope, "run " + run_id + " is recovered", store::this_process());
}

std::vector<std::string> by_hand(const std::vector<world::HostLeft>& left) {
  std::vector<std::string> hosts;
  for (const auto& host : left)
    if (host.by_hand) hosts.push_back(host.host);
  return hosts;
}

/// Versions that differ and hosts without a way back are said and need a person.
int conclude(App& app, const std::vector<world::HostLeft>& left, const event::RunFinished& finished,
             const std::string& resume) {
  if (const auto hosts = by_hand(left); !hosts.empty()) {
    app.say(
        fmt::format("{}: the app was being changed, and the playbook has no way back. It needs a person.\n"
                    "  next  staithe exec -H {} -- COMMAND    look at it and bring it in order\n"
                    "        staithe restore {}               then give back what is out of rotation",
                    base::fold_names(hosts), base::join(hosts, ","), base::join(hosts, " ")));
    return exit_needs_person;
  }
  std::size_t on_new = 0;
  for (const auto& host : left) on_new += on_new_release(host, finished) ? 1 : 0;
  if (on_new == 0 || on_new == left.size()) return exit_done;
  app.say(
      fmt::format("Versions are mixed: {} of {} hosts are on the new release.\n"
                  "  next  {}    bring the others to it\n"
                  "        staithe rollback{}    or bring all back",
                  on_new, left.size(), resume, same_place(app)));
  return exit_needs_person;
}

/// Whether it changes more than what follows a roll.
bool mends(const plan::Plan& recovery) {
  return std::any_of(recovery.stages.begin(), recovery.stages.end(),
                     [](const plan::Stage& stage) { return stage.shape == plan::Stage::Shape::rolling; });
}

/// What stands in the history is what the next recovery and the next deploy go by.
void end_run(App& app, store::Store& store, const std::string& run_id, const std::string& outcome, int code,
             const std::string& summary) {
  try {
    free_locks_of(store, run_id);
    store.end_run(run_id, outcome, code, summary);
  } catch (const base::Error& error) {
    app.say(fmt::format("staithe: the end of run {} is not in the history: {}", run_id, error.what()));
  }
}

void end_dead_recoveries(App& app, store::Store& store, const std::vector<store::Run>& dead) {
  for (const auto& run : dead) end_run(app, store, run.id, "superseded", exit_failed, "{}");
}

}  // namespace

int run_recover(App& app) {
  // Not overlooked: who names one host does not expect the others to be touched.
  if (app.args().has("limit"))
    throw UsageError("recover takes no --limit: it puts right all that a run left");
  auto loaded = load(app);
  auto store = open_store(app, loaded);
  const auto run = chosen_run(app, *store, loaded);
  const auto dead = world::dead_recoveries(*store, loaded.environment);
  if (!run) {
    app.print("nothing to recover\n");
    if (!only_prints(app)) end_dead_recoveries(app, *store, dead);
    return exit_done;
  }
  const auto plan = plan::from_json(run->plan_json);
  const auto grounds = grounds_of(*store, *run);
  const auto left = look_at(app, *store, *run, plan);
  const auto recovery = world::recovery_plan(plan, left);
  event::RunFinished finished;
  int ran = exit_done;
  // A host that was out then may serve by now: it must not be taken out as one that is out.
  const auto in_the_way = [&](store::Store& now) -> std::string {
    const auto same = now.run(run->id);
    if (same && same->outcome == run->outcome && grounds_of(now, *run) == grounds) return {};
    return fmt::format("another run saw to what run {} left; next: staithe recover", run->id);
  };
  if (!recovery.stages.empty())
    ran = run_loaded(app, loaded, recovery, {adopted_of(*store, loaded, left), in_the_way}, &finished);
  // Old releases that could not be removed stand in nobody's way.
  const bool only_untidy = ran == exit_failed && !mends(recovery);
  if (only_prints(app) || (ran != exit_done && !only_untidy)) return ran;
  const int code = conclude(app, left, finished, resume_command(app, plan, loaded.project.directory));
  const bool person = !by_hand(left).empty();
  end_run(app, *store, run->id, person ? "needs a person" : "recovered", code, summary_after(left, finished));
  end_dead_recoveries(app, *store, dead);
  return code == exit_done ? ran : code;
}

}  // namespace staithe::cli
