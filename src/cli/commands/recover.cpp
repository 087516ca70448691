#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "planning.hpp"
#include "suggest.hpp"
#include "ways_out.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/aftermath.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovered.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
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

std::string where_it_is(const world::HostSince& host) {
  using world::SeenTo;
  if (host.seen_to == SeenTo::unknown) return "given back while the app was being changed, by run " + host.by;
  if (!host.by.empty()) return "put right since, by run " + host.by;
  if (host.seen_to == SeenTo::given_back) return "given back since";
  const auto& left = host.left;
  return std::string(left.given_back ? "given back while the app was being changed"
                                     : world::text_of(left.left)) +
         (left.by_hand ? ": needs a person" : "") + (left.to_clean ? ", cleaning up did not end" : "");
}

/// Where the hosts stand; says so of each.
world::Aftermath look_at(App& app, store::Store& store, const store::Run& run, const plan::Plan& plan) {
  auto aftermath = world::aftermath_of(store, run, plan);
  say_beside(app, base::one_line(fmt::format("run {}: {}", run.id, run.title)));
  for (const auto& host : aftermath.hosts)
    say_beside(app, base::one_line(fmt::format("  {:<12} {}", host.left.host, where_it_is(host))));
  return aftermath;
}

/// The drains that the recovery goes on with.
std::vector<Adopted> adopted_of(store::Store& store, const Loaded& loaded, const plan::Plan& plan,
                                const std::vector<world::HostLeft>& left) {
  std::set<std::string> unknown;
  std::vector<Adopted> adopted;
  for (const auto& host : left) {
    // One that somebody has given back is drained like any that serves.
    if (world::may_serve(host.left) || host.by_hand || host.given_back) continue;
    if (host.found.empty())
      unknown.insert(host.host);
    else
      adopted.push_back({host.host, host.found, world::must_stay_out(plan, host),
                         world::LastKnown{host.reached, host.told}});
  }
  // A restore notes nothing itself: it went on with an earlier drain. Whoever drains for a while takes
  // nothing before the note, and an earlier drain is somebody else's.
  for (const auto& host : world::drained_by(plan)) unknown.erase(host);
  const auto on_record = world::drains_on_record(store, loaded.environment, unknown);
  // Who restored a host wanted it back, whoever had put it into maintenance until its proof.
  const auto known = [](const world::HostLeft& host) {
    return host.reached == world::Reached::in_maint
               ? std::nullopt
               : std::optional(world::LastKnown{host.reached, host.told});
  };
  for (const auto& host : left)
    if (const auto before = on_record.find(host.host); before != on_record.end())
      adopted.push_back({host.host, before->second, world::must_stay_out(plan, host), known(host)});
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

/// What is said of a run once it is recovered, and what to run next; nothing where all is in order.
struct Said {
  std::vector<std::string> sentences, next;

  void say(std::string sentence, std::initializer_list<std::string> commands) {
    sentences.push_back(std::move(sentence));
    next.insert(next.end(), commands);
  }
};

void say_mixed(const App& app, store::Store& store, const Loaded& loaded, const world::Recovered& recovered,
               const Asked& asked, const plan::Plan& plan, Said& said) {
  if (plan.release.empty())
    return said.say(
        fmt::format("The hosts differ: {} of {} have what the run brings{}.", recovered.on_new,
                    recovered.hosts, recovered.release_failed ? ", which its own check refused" : ""),
        {rest_command(app, loaded, asked, plan, recovered.behind) +
         (recovered.release_failed ? "    once it is mended: bring it to the others"
                                   : "    bring it to the others")});
  const bool surely = recovered.unknown.size() < recovered.behind.size();
  const auto text =
      fmt::format("Versions {} mixed: {} of {} hosts are {}on the new release", surely ? "are" : "may be",
                  recovered.on_new, recovered.hosts, surely ? "" : "known to be ");
  const auto on = plan.kind == "rollback" ? same_command(app, loaded, asked, plan)
                                          : on_command(app, store, loaded, asked, plan, recovered.behind);
  const auto back = rollback_command(app, loaded, asked, plan);
  const bool has_way_back = plan.kind == "deploy" || plan.kind == "rollback";
  if (recovered.release_failed && has_way_back)
    return said.say(text + ", which failed.", {back + "    bring all back"});
  said.say(text + ".", {on + "    bring the others to it"});
  if (has_way_back) said.next.push_back(back + "    or bring all back");
}

/// Versions that differ and hosts without a way back are said and need a person.
void say_end(const App& app, store::Store& store, const Loaded& loaded, const world::Recovered& recovered,
             const Asked& asked, const plan::Plan& plan, const std::string& run_id, bool judged, Said& said) {
  const auto& hosts = recovered.by_hand;
  if (!hosts.empty())
    said.say(
        fmt::format("{}: the app was being changed, and the playbook has no way back. It needs a person.",
                    base::fold_names(hosts)),
        {exec_command(app, hosts) + "    look at it and bring it in order",
         restore_command(app, loaded, asked, hosts) + "    then give back what is out of rotation",
         settle_command(app, loaded, asked, run_id) + "    and say so of what serves"});
  else if (recovered.mixed())
    say_mixed(app, store, loaded, recovered, asked, plan, said);
  else if (recovered.keeps_bad() && plan.release.empty())
    said.say("Every host has what the run brings, which its own check refused.",
             {same_command(app, loaded, asked, plan) + "    again, once it is mended"});
  else if (recovered.keeps_bad() && plan.kind == "rollback")
    said.say("Every host is on the release that was rolled back to, which failed too.",
             {status_command(app) + "    see what runs where",
              rollback_command(app, loaded, asked, plan) + " --to RELEASE    to another one"});
  else if (recovered.keeps_bad())
    said.say("Every host is on the new release, which failed.",
             {rollback_command(app, loaded, asked, plan) + "    bring all back"});
  else if (recovered.on_new > 0 && !judged && plan.kind == "deploy")
    said.say(
        "Every host is on the new release, and what judges it after the roll did not end: it is not marked "
        "good.",
        {same_command(app, loaded, asked, plan) + "    roll it out again and judge it",
         rollback_command(app, loaded, asked, plan) + "    or bring all back"});
}

int nothing_to_recover(App& app, store::Store& store, const Loaded& loaded) {
  if (app.json())
    Records(app).write({{"type", "nothing_to_recover"}, {"environment", loaded.environment}});
  else
    app.print("nothing to recover\n");
  if (!only_prints(app)) world::end_dead_recoveries(store, loaded.environment, app.args().value("service"));
  return exit_done;
}

/// Not overlooked: who names one host does not expect the others to be touched.
void refuse_options(const App& app) {
  if (app.args().has("limit"))
    throw UsageError("recover takes no --limit: it puts right all that a run left");
  // A recovery has the plan of the run that it is for, in which every variable has its value.
  for (const char* option : {"reason", "confirm", "var", "var-file"})
    if (app.args().has(option) && !app.args().has("settled"))
      throw UsageError(fmt::format("--{} goes with --settled RUN", option));
}

Loaded load_named(App& app) {
  auto loaded = load(app);
  if (const auto service = app.args().value("service");
      !service.empty() && loaded.project.find_service(service) == nullptr)
    throw FilesWrong("there is no service '" + service + "' in staithe.yml");
  return loaded;
}

plan::Plan plan_that_can_be_read(const App& app, store::Store& store, const Loaded& loaded,
                                 const store::Run& run) {
  auto plan = world::plan_of(run);
  if (!plan)
    refuse(run,
           "was begun by another build of staithe, whose plan this one cannot read; recover it with that "
           "build,\n"
           "or put right by hand what it left and then: " +
               settle_command(app, loaded, asked_of(store, run.id), run.id));
  return std::move(*plan);
}

/// The recovery of one run, from what that left to what is said of it.
class Recovery {
 public:
  Recovery(App& app, Loaded& loaded, store::Store& store, const store::Run& run)
      : app_(app),
        loaded_(loaded),
        store_(store),
        run_(run),
        plan_(plan_that_can_be_read(app, store, loaded, run)),
        grounds_(world::grounds_of(store, run)),
        aftermath_(look_at(app, store, run, plan_)),
        left_(world::to_mend(aftermath_)),
        mending_(world::recovery_plan(plan_, left_)),
        // Its own command line names no variables: the hosts that it leaves are the run's.
        asked_(asked_of(store, run.id)) {}

  int perform() {
    const int code = run_loaded(app_, loaded_, mending_, earlier(), asked_);
    for (const auto& sentence : said_.sentences) app_.say(sentence);
    return code;
  }

 private:
  Earlier earlier() {
    Earlier earlier;
    earlier.adopted = adopted_of(store_, loaded_, plan_, left_);
    earlier.given_back = given_back_of(plan_, left_);
    earlier.recovers = run_.id;
    earlier.hosts = plan::target_hosts(plan_);
    earlier.in_the_way = [this](store::Store& now) { return in_the_way(now); };
    earlier.ended = [this](store::Store& now, const event::RunFinished& finished) {
      return end(now, finished);
    };
    return earlier;
  }

  /// A host that was out when this one looked may serve by now: it must not be taken out as one that is out.
  std::string in_the_way(store::Store& now) const {
    const auto same = now.run(run_.id);
    if (same && same->outcome == run_.outcome && world::grounds_of(now, run_) == grounds_) return {};
    return fmt::format("another run saw to what run {} left; next: {}", run_.id, recover_command(app_));
  }

  Concluded end(store::Store& now, const event::RunFinished& finished) {
    if (!world::put_right(mending_, finished)) return {};
    auto conclusion = world::conclude(aftermath_, finished);
    const bool judged =
        !aftermath_.unjudged() && !world::never_judged(plan_, world::read_journal(now, run_.id));
    world::end_recovered(now, run_, conclusion);
    Said said;  // not before the run has its end
    say_end(app_, now, loaded_, conclusion, asked_, plan_, run_.id, judged, said);
    if (!conclusion.unknown.empty()) say_unknown(conclusion.unknown, said);
    said_ = std::move(said);
    return {true, conclusion.needs_a_person(), said_.next};
  }

  /// Who gave them back may have brought them in order: they are not taken out unasked.
  void say_unknown(const std::vector<std::string>& hosts, Said& said) const {
    const bool has_way_back =
        std::any_of(aftermath_.hosts.begin(), aftermath_.hosts.end(), [](const world::HostSince& host) {
          return host.seen_to == world::SeenTo::unknown && !host.left.by_hand;
        });
    said.say(fmt::format("{}: given back while the app was being changed, and may be on either release.",
                         base::fold_names(hosts)),
             {status_command(app_) + "    see what runs where"});
    if (has_way_back)
      said.next.push_back(recover_command(app_, run_) + "    bring the release before back there");
    said.next.push_back(settle_command(app_, loaded_, asked_, run_.id) + "    or say that it is in order");
  }

  App& app_;
  Loaded& loaded_;
  store::Store& store_;
  const store::Run& run_;
  const plan::Plan plan_;
  const std::string grounds_;
  const world::Aftermath aftermath_;
  const std::vector<world::HostLeft> left_;  ///< of it, what this one is planned from
  const plan::Plan mending_;
  const Asked asked_;
  Said said_;
};

}  // namespace

int run_recover(App& app) {
  refuse_options(app);
  if (app.args().has("settled")) return run_settle(app);
  auto loaded = load_named(app);
  const auto store = open_store(app, loaded);
  const auto run = chosen_run(app, *store, loaded);
  if (!run) return nothing_to_recover(app, *store, loaded);
  return Recovery(app, loaded, *store, *run).perform();
}

}  // namespace staithe::cli
