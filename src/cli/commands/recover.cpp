#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovered.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace staithe::cli {
namespace {

[[noreturn]] void refuse(const store::Run& run, const std::string& why) {
  throw base::Error(base::ErrorCode::conflict,
                    fmt::format("{} {}", base::one_line(fmt::format("run {} ({})", run.id, run.title)), why));
}

/// A run that a person names must have left something, and nobody may be working on it.
void check_named(App& app, store::Store& store, const Loaded& loaded, const store::Run& run) {
  if (run.environment != loaded.environment) refuse(run, "was in " + run.environment + ": name it with -e");
  if (const auto service = app.args().value("service"); !service.empty() && run.service != service)
    refuse(run, run.service.empty() ? "was of no service" : "was of " + run.service);
  if (const auto why = world::why_not_recover(store, run); !why.empty()) refuse(run, why);
}

/// The run to look at, with its plan: the one that is named, or the newest whose leavings are still there.
std::optional<store::Run> chosen_run(App& app, store::Store& store, const Loaded& loaded) {
  if (app.args().positionals.empty()) {
    const auto run = world::run_to_recover(store, loaded.environment, app.args().value("service"));
    return run ? store.run(run->id) : std::nullopt;
  }
  auto run = store.run(app.args().positionals.front());
  if (!run) throw base::Error(base::ErrorCode::not_found, "no run " + app.args().positionals.front());
  check_named(app, store, loaded, *run);
  return run;
}

/// Beside the plan or the run's records, which then have stdout for themselves.
void say_beside(App& app, const std::string& line) {
  if (!app.json())
    app.print(line + "\n");
  else if (!app.quiet())
    app.say(line);
}

/// What the run left where no later run has put it right, or somebody has only given it back.
struct LeftBehind {
  std::vector<world::HostLeft> left;
  /// Given back while the app was being changed: nobody knows what they run.
  std::vector<std::string> unknown;
  bool unjudged = false;  ///< some were given back: what the run was to do on them behind that was not done
  bool went_on = false;   ///< a later run brought the same release to the others, and found no fault with it
};

/// A host that somebody has given back since is on what the run had left on it.
void add_given_back(world::HostLeft host, LeftBehind& behind) {
  using world::Left;
  behind.unjudged = true;
  if (host.left == Left::out_altered) return behind.unknown.push_back(host.host);
  const bool on_new = host.left == Left::out_done || host.left == Left::out_new;
  host.left = on_new ? Left::done : Left::reverted;
  behind.left.push_back(std::move(host));
}

/// Where the hosts stand; says so of each.
LeftBehind look_at(App& app, store::Store& store, const store::Run& run, const plan::Plan& plan) {
  const auto since = world::put_right_since(store, run);
  LeftBehind behind;
  say_beside(app, base::one_line(fmt::format("run {}: {}", run.id, run.title)));
  const auto journal = world::read_journal(store, run.id);
  for (auto& host : world::assess(plan, journal, world::recoveries_of(store, run))) {
    const auto later = since.find(host.host);
    const bool open = later == since.end();
    say_beside(app, base::one_line(fmt::format("  {:<12} {}", host.host,
                                               open ? std::string(world::text_of(host.left)) +
                                                          (host.by_hand ? ": needs a person" : "") +
                                                          (host.to_clean ? ", cleaning up did not end" : "")
                                                    : "put right since, by run " + later->second)));
    const auto by = open ? std::nullopt : store.run(later->second);
    if (open)
      behind.left.push_back(std::move(host));
    else if (by && by->kind == "restore")
      add_given_back(std::move(host), behind);
    behind.went_on =
        behind.went_on || (by && !run.sha.empty() && by->sha == run.sha && by->exit_code == exit_done);
  }
  // No release is good for what was never looked at.
  if (behind.unjudged)
    for (auto& host : behind.left) host.to_clean = false;
  return behind;
}

/// The drains that the recovery goes on with.
std::vector<Adopted> adopted_of(store::Store& store, const Loaded& loaded, const plan::Plan& plan,
                                const std::vector<world::HostLeft>& left) {
  std::set<std::string> unknown;
  std::vector<Adopted> adopted;
  for (const auto& host : left) {
    if (world::may_serve(host.left) || host.by_hand) continue;
    if (host.found.empty())
      unknown.insert(host.host);
    else
      adopted.push_back({host.host, host.found, world::must_stay_out(plan, host), host.reached});
  }
  // A restore notes nothing itself: it went on with an earlier drain. Whoever drains for a while takes
  // nothing before the note, and an earlier drain is somebody else's.
  for (const auto& host : world::drained_by(plan)) unknown.erase(host);
  const auto on_record = world::drains_on_record(store, loaded.environment, unknown);
  // Who restored a host wanted it back, whoever had put it into maintenance until its proof.
  const auto reached = [](const world::HostLeft& host) {
    return host.reached == world::Reached::in_maint ? std::nullopt : std::optional(host.reached);
  };
  for (const auto& host : left)
    if (const auto known = on_record.find(host.host); known != on_record.end())
      adopted.push_back({host.host, known->second, world::must_stay_out(plan, host), reached(host)});
  return adopted;
}

/// Hosts that are back on the run's release already, by the run or a recovery of it. Those of earlier runs,
/// and those that another run has put right since, have served.
std::map<std::string, std::string> given_back_of(const plan::Plan& plan,
                                                 const std::vector<world::HostLeft>& left) {
  std::map<std::string, std::string> given_back;
  for (const auto& hosts : {plan::target_hosts(plan), plan::brought_along(plan)})
    for (const auto& host : hosts) given_back[host];
  for (const auto& host : left) {
    if (host.brought_along) continue;
    if (host.left == world::Left::done)
      given_back[host.host] = host.found;
    else
      given_back.erase(host.host);
  }
  return given_back;
}

std::string mixed(const App& app, const Loaded& loaded, const world::Recovered& recovered, const Asked& asked,
                  const plan::Plan& plan) {
  if (plan.release.empty())
    return fmt::format(
        "The hosts differ: {} of {} have what the run brings{}.\n"
        "  next  {}    {}",
        recovered.on_new, recovered.hosts, recovered.release_failed ? ", which its own check refused" : "",
        rest_command(app, loaded, asked, plan, recovered.behind),
        recovered.release_failed ? "once it is mended: bring it to the others" : "bring it to the others");
  const auto text = fmt::format("Versions are mixed: {} of {} hosts are on the new release", recovered.on_new,
                                recovered.hosts);
  const auto on = resume_command(app, loaded, asked, plan);
  const auto back = rollback_command(app, loaded, asked, plan);
  const bool has_way_back = plan.kind == "deploy" || plan.kind == "rollback";
  if (recovered.release_failed && has_way_back)
    return fmt::format("{}, which failed.\n  next  {}    bring all back", text, back);
  return fmt::format("{}.\n  next  {}    bring the others to it", text, on) +
         (has_way_back ? fmt::format("\n        {}    or bring all back", back) : "");
}

/// Versions that differ and hosts without a way back are said and need a person.
void tell(App& app, const Loaded& loaded, const world::Recovered& recovered, const Asked& asked,
          const plan::Plan& plan, const std::string& run_id, bool judged) {
  const auto& hosts = recovered.by_hand;
  if (!hosts.empty())
    app.say(
        fmt::format("{}: the app was being changed, and the playbook has no way back. It needs a person.\n"
                    "  next  {}    look at it and bring it in order\n"
                    "        {}    then give back what is out of rotation\n"
                    "        {}    and say so of what serves",
                    base::fold_names(hosts), exec_command(app, hosts),
                    restore_command(app, loaded, asked, hosts), settle_command(app, loaded, asked, run_id)));
  else if (recovered.mixed())
    app.say(mixed(app, loaded, recovered, asked, plan));
  else if (recovered.keeps_bad() && plan.release.empty())
    app.say(
        fmt::format("Every host has what the run brings, which its own check refused.\n"
                    "  next  {}    again, once it is mended",
                    same_command(app, loaded, asked, plan)));
  else if (recovered.keeps_bad() && plan.kind == "rollback")
    app.say(
        fmt::format("Every host is on the release that was rolled back to, which failed too.\n"
                    "  next  {}    see what runs where\n        {} --to RELEASE    to another one",
                    status_command(app), rollback_command(app, loaded, asked, plan)));
  else if (recovered.keeps_bad())
    app.say(fmt::format("Every host is on the new release, which failed.\n  next  {}    bring all back",
                        rollback_command(app, loaded, asked, plan)));
  else if (recovered.on_new > 0 && !judged && plan.kind == "deploy")
    app.say(fmt::format(
        "Every host is on the new release, and what judges it after the roll did not end: it is "
        "not marked good.\n  next  {}    roll it out again and judge it\n        {}    or bring all back",
        same_command(app, loaded, asked, plan), rollback_command(app, loaded, asked, plan)));
}

int nothing_to_recover(App& app, store::Store& store, const Loaded& loaded) {
  if (app.json())
    Records(app).write({{"type", "nothing_to_recover"}, {"environment", loaded.environment}});
  else
    app.print("nothing to recover\n");
  if (!only_prints(app)) world::end_dead_recoveries(store, loaded.environment, app.args().value("service"));
  return exit_done;
}

}  // namespace

int run_recover(App& app) {
  // Not overlooked: who names one host does not expect the others to be touched.
  if (app.args().has("limit"))
    throw UsageError("recover takes no --limit: it puts right all that a run left");
  if (app.args().has("settled")) return run_settle(app);
  // A recovery has the plan of the run that it is for, in which every variable has its value.
  for (const char* option : {"reason", "confirm", "var", "var-file"})
    if (app.args().has(option)) throw UsageError(fmt::format("--{} goes with --settled RUN", option));
  auto loaded = load(app);
  if (const auto service = app.args().value("service");
      !service.empty() && loaded.project.find_service(service) == nullptr)
    throw FilesWrong("there is no service '" + service + "' in staithe.yml");
  auto store = open_store(app, loaded);
  const auto run = chosen_run(app, *store, loaded);
  if (!run) return nothing_to_recover(app, *store, loaded);
  const auto read = world::plan_of(*run);
  if (!read)
    refuse(*run,
           "was begun by another build of staithe, whose plan this one cannot read; recover it with that "
           "build,\n"
           "or put right by hand what it left and then: " +
               settle_command(app, loaded, asked_of(*store, run->id), run->id));
  const auto& plan = *read;
  const auto grounds = world::grounds_of(*store, *run);
  const auto behind = look_at(app, *store, *run, plan);
  const auto& left = behind.left;
  const auto recovery = world::recovery_plan(plan, left);
  Earlier earlier;
  earlier.adopted = adopted_of(*store, loaded, plan, left);
  earlier.given_back = given_back_of(plan, left);
  earlier.recovers = run->id;
  earlier.hosts = plan::target_hosts(plan);
  // A host that was out then may serve by now: it must not be taken out as one that is out.
  earlier.in_the_way = [&](store::Store& now) -> std::string {
    const auto same = now.run(run->id);
    if (same && same->outcome == run->outcome && world::grounds_of(now, *run) == grounds) return {};
    return fmt::format("another run saw to what run {} left; next: {}", run->id, recover_command(app));
  };
  std::optional<world::Recovered> recovered;
  earlier.ended = [&](store::Store& now, const event::RunFinished& finished) {
    if (!world::put_right(recovery, finished)) return;
    auto conclusion = world::conclude(left, finished);
    conclusion.release_failed = conclusion.release_failed && !behind.went_on;
    world::end_recovered(now, *run, conclusion);
    recovered = std::move(conclusion);  // not before the run has its end
  };
  // Its own command line names no variables: the hosts that it leaves are the run's.
  const auto asked = asked_of(*store, run->id);
  const int ran = run_loaded(app, loaded, recovery, std::move(earlier), asked);
  if (!recovered) return ran;
  tell(app, loaded, *recovered, asked, plan, run->id,
       !behind.unjudged && !world::never_judged(plan, world::read_journal(*store, run->id)));
  if (!behind.unknown.empty())
    app.say(
        fmt::format("{}: given back while the app was being changed, and may be on either release.\n"
                    "  next  {}    see what runs where",
                    base::fold_names(behind.unknown), status_command(app)));
  const bool may_be_mixed =
      !behind.unknown.empty() && behind.unknown.size() < plan::target_hosts(plan).size();
  return recovered->needs_a_person() || may_be_mixed ? exit_needs_person : ran;
}

}  // namespace staithe::cli
