#include "run_plan.hpp"

#include "exit_codes.hpp"
#include "out_words.hpp"
#include "sinks.hpp"
#include "suggest.hpp"
#include "suite_steps.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/plan/each_action.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/world/faults.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/survey.hpp"
#include "staithe/world/world.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>
#include <set>

namespace staithe::cli {
namespace {

constexpr base::Duration connect_patience{60'000};
constexpr base::Duration look_up_patience{60'000};
constexpr std::size_t connects_at_once = 32;
constexpr base::Duration look_patience{3'000};

/// A plan as it is stored and reported, and its id: written once, for a large plan takes its time.
struct Written {
  explicit Written(const plan::Plan& plan) : json(plan::to_json(plan)), id(plan::id_of_json(json)) {}
  std::string json;
  std::string id;
};

int print_plan(App& app, const plan::Plan& plan, const Written& written) {
  if (app.json()) {
    app.print_plan(written.json, written.id);
    return exit_done;
  }
  app.print_plan(plan::render(plan, app.verbosity() > 0 ? plan::Detail::full : plan::Detail::folded));
  return exit_done;
}

/// One run under way: wiring, in the order in which the parts are needed.
class RunOfPlan {
 public:
  RunOfPlan(App& app, const RunRequest& request, const Written& written)
      : app_(app),
        request_(request),
        plan_(request.plan),
        written_(written),
        located_(playbook::located(request.plan, request.loaded.project.directory)),
        run_id_(new_run_id()) {}

  int run() {
    if (const int refused = confirm(); refused != exit_done) return refused;
    store_ = open_store(app_, request_.loaded);
    if (const int refused = refuse_unfinished(); refused != exit_done) return refused;
    // Holds the locks, beyond the end of the run in the state.
    world::World world(located_, store_.get(), app_.redactor(), settings());
    for (const auto& adopted : request_.earlier.adopted)
      world.adopt(adopted.host, adopted.found, adopted.keep_out, adopted.known);
    for (const auto& [host, found] : request_.earlier.given_back) world.given_back(host, found);
    if (const int refused = look_up_secrets(world); refused != exit_done) return refused;
    if (const int refused = connect(world); refused != exit_done) return refused;
    return perform(world);
  }

 private:
  /// For people, whoever wrote it into the state.
  static std::string named(const store::Run& run) {
    return base::one_line(fmt::format("run {} ({})", run.id, run.title));
  }

  /// Whom the plan's own steps ask is found now, and not when a host is in hand.
  int confirm() {
    if (app_.args().has("yes")) return exit_done;
    const auto later = first_question();
    if (!app_.may_prompt() && !(request_.question.empty() && later.empty()))
      return app_.fail(exit_refused,
                       fmt::format("--yes is needed when not running interactively{}; nothing was changed",
                                   later.empty() ? "" : base::one_line(": a step asks '" + later + "'")));
    if (request_.question.empty()) return exit_done;
    const auto answer = ask_line(request_.question + " [y/N] ", &app_.stops().soft);
    if (answer && (*answer == "y" || *answer == "yes")) return exit_done;
    return app_.fail(exit_refused, "not confirmed; nothing was changed");
  }

  std::string first_question() const {
    std::string question;
    plan::each_action(plan_, [&](const plan::Action& action) {
      const auto* asks = std::get_if<plan::Confirm>(&action.effect);
      if (asks != nullptr && question.empty()) question = asks->question;
    });
    return question;
  }

  int refuse_unfinished() {
    const auto obstacle = world::obstacle_to(*store_, plan_);
    if (obstacle.died && obstacle.forgiven)
      app_.say(fmt::format("{} did not end: what it changed on the hosts is not looked at",
                           named(*obstacle.died)));
    else if (obstacle.died)
      return app_.fail(exit_refused,
                       fmt::format("{} did not end: its process is gone. Nothing was changed.\n"
                                   "  next  {}      look at what it left, and put it right",
                                   named(*obstacle.died), recover_command(app_, *obstacle.died)));
    if (!obstacle.left_out.empty()) return refuse_left_out(obstacle.left_out);
    say_drained();
    return exit_done;
  }

  int refuse_left_out(const std::map<std::string, store::Run>& left_out) {
    std::map<std::string, std::string> run_of;
    std::string whose;
    std::map<std::string, std::vector<std::string>> by_command;
    for (const auto& [host, run] : left_out) {
      run_of.emplace(host, run.id);
      whose += fmt::format("  {} is out of rotation since {}\n", host, named(run));
      by_command[recover_command(app_, run)].push_back(host);
    }
    std::string next;
    for (const auto& [command, those] : by_command)
      next += fmt::format("{}{}    bring the release before back and give {} back\n",
                          next.empty() ? "  next  " : "        ", command, base::fold_names(those));
    for (const auto& command : restore_commands(app_, request_.loaded, *store_, run_of))
      next += fmt::format("        {}    give back as it is\n", command);
    next.pop_back();
    return app_.fail(exit_refused,
                     fmt::format("{} left out of rotation by an earlier run. Nothing was changed.\n{}{}",
                                 run_of.size() == 1 ? "a host was" : "hosts were", whose, next));
  }

  /// The same look once the lock is held: what its holder left while this run connected or waited for it. Who
  /// rests on earlier runs looks at those too.
  std::string left_meanwhile() {
    const auto obstacle = world::obstacle_to(*store_, plan_);
    if (!obstacle) return request_.earlier.in_the_way ? request_.earlier.in_the_way(*store_) : std::string();
    if (obstacle.died)
      return fmt::format("{} did not end: its process is gone; next: {}", named(*obstacle.died),
                         recover_command(app_, *obstacle.died));
    const auto& [host, run] = *obstacle.left_out.begin();
    return fmt::format("{} is out of rotation since {}; next: {}", host, named(run),
                       recover_command(app_, run));
  }

  /// What a person took out on purpose gets the release and stays out.
  void say_drained() {
    if (!goes_by_drains()) return;
    for (const auto& [host, taken] : world::taken_out(*store_, plan_.environment, world::drained_by(plan_))) {
      if (!taken.on_purpose) continue;
      app_.say(base::one_line(fmt::format("{} was drained by {} (run {}): it stays out of rotation", host,
                                          taken.user, taken.run_id)));
    }
  }

  /// Once the run is over: "done" alone would read as if they served. What it took out itself it has told.
  void say_still_out(world::World& world, const event::RunFinished& finished) {
    const bool recovers = plan_.kind == "recover";
    if (!recovers && !goes_by_drains()) return;
    auto alone = world.left_alone(base::Scope::lasting(look_patience, &app_.stops().hard));
    std::map<std::string, std::string> run_of;
    std::set<std::string> left_by, advised;
    for (const auto& host : finished.hosts)
      if (host.kept_out) advised.insert(host.name);
    const auto hosts = recovers ? request_.earlier.hosts : plan::target_hosts(plan_);
    for (const auto& [host, taken] : world::taken_out(*store_, plan_.environment, hosts)) {
      alone.erase(host);
      // What the run that was recovered has left is told beside this.
      const bool is_told = taken.run_id == run_id_ || (recovers && taken.run_id == request_.earlier.recovers);
      if (is_told || taken.in_hand) continue;
      app_.say(stays_out(host, taken));
      if (taken.on_purpose)
        run_of.emplace(host, taken.run_id);
      else
        left_by.insert(taken.run_id);
    }
    for (const auto& [host, servers] : alone) {
      app_.say(stays_out(host, servers));
      if (advised.count(host) == 0) run_of.emplace(host, "");
    }
    for (const auto& command : restore_commands(app_, request_.loaded, *store_, run_of))
      app_.say(fmt::format("  next  {}    give back", command));
    for (const auto& id : left_by)
      if (const auto run = store_->run(id))
        app_.say(fmt::format("  next  {}    put right what it left", recover_command(app_, *run)));
  }

  /// Others take out and give back themselves, or say nothing of it.
  bool goes_by_drains() const {
    return plan_.kind != "drain" && plan_.kind != "restore" && plan_.kind != "recover" &&
           plan_.kind != "exec";
  }

  world::Settings settings() {
    world::Settings settings;
    settings.run_id = run_id_;
    settings.directory = request_.loaded.project.directory;
    settings.check_command = check_command(app_);
    settings.ref = plan_.ref;
    settings.lock_wait = app_.duration("lock-wait", base::Duration{0});
    settings.stop = &app_.stops().soft;
    settings.in_the_way = [this] { return left_meanwhile(); };
    if (app_.args().has("yes"))
      settings.person.confirm = [](const std::string&, const base::Scope&) { return true; };
    else if (app_.may_prompt())
      settings.person.confirm = [this](const std::string& question, const base::Scope& scope) {
        const report::Output::Pause pause(app_.err());
        const auto answer = ask_line(question + " [y/N] ", scope);
        return answer && (*answer == "y" || *answer == "yes");
      };
    if (app_.may_prompt())
      settings.person.passphrase = [this](const std::string& file) {
        const report::Output::Pause pause(app_.err());
        return ask_hidden(fmt::format("Passphrase of {}: ", file), &app_.stops().soft);
      };
    return settings;
  }

  /// One that is missing is found before a host is taken out for what needs it. A recovery goes on for the
  /// hosts that do not need it, and nothing hangs on a notice.
  int look_up_secrets(world::World& world) {
    const auto missing = world.look_up_secrets(look_up_patience, &app_.stops().soft);
    for (const auto& finding : missing.of_notices)
      app_.say(base::one_line(fmt::format("warning: {}: nobody is notified with it", finding)));
    const auto& findings = missing.needed;
    if (findings.empty()) return exit_done;
    if (plan_.kind == "recover") {
      for (const auto& finding : findings)
        app_.say(base::one_line(fmt::format("warning: {}: what needs it will fail", finding)));
      return exit_done;
    }
    return app_.fail(
        exit_refused,
        fmt::format("{} cannot be had; nothing was changed\n  {}\n  next  {}    again, once {}",
                    base::count_text(findings.size(), "secret"), base::join(findings, "\n  "),
                    again_command(app_), findings.size() == 1 ? "it is there" : "they are there"));
  }

  /// All host keys that are not known are told at once, before anything runs. A recovery goes on for the
  /// hosts that it can reach: one that cannot be trusted keeps no other one out of rotation. Without its
  /// balancers it can do nothing.
  int connect(world::World& world) {
    const auto scope = base::Scope::lasting(connect_patience, &app_.stops().soft);
    const auto findings = world.connect_all(connects_at_once, scope);
    Distrusted hosts;
    std::vector<std::string> names;
    bool refuses = plan_.kind != "recover";
    for (const auto& finding : findings) {
      if (finding.code != base::ErrorCode::host_key || is_only_tidied(finding.host)) continue;
      app_.say("staithe: " + finding.text);
      hosts.add(finding.host, finding.changed_key);
      names.push_back(finding.host);
      refuses = refuses || carries_balancer(finding.host);
    }
    if (hosts.none()) return exit_done;
    if (refuses) {
      app_.say("Host keys are never accepted unseen; nothing was changed." + hostkeys_hint(app_, hosts));
      return exit_refused;
    }
    app_.say(fmt::format("Host keys are never accepted unseen: what has to be done on {} will fail.",
                         base::fold_names(names)));
    first_steps_ = hostkeys_steps(app_, hosts);
    return exit_done;
  }

  bool carries_balancer(const std::string& host) const {
    return std::any_of(plan_.balancers.begin(), plan_.balancers.end(),
                       [&](const plan::Balancer& balancer) { return balancer.on == host; });
  }

  /// The run can be complete without it, and says what it could not do there.
  bool is_only_tidied(const std::string& host) const {
    const auto tidied = plan::brought_along(plan_);
    return std::find(tidied.begin(), tidied.end(), host) != tidied.end() && !carries_balancer(host);
  }

  int perform(world::World& world) {
    // First, because a report that cannot be written refuses the run: it is not begun then.
    auto sinks = std::make_unique<Sinks>(app_, plan_.kind, written_.json);
    begin_run();
    app_.begin_run();
    world::StoreJournal journal(*store_, run_id_, app_.redactor());
    const exec::RunOptions options{run_id_, advise(), written_.id,
                                   [this](event::RunFinished& finished) { conclude(finished); }};
    const exec::RunResult result = exec::run(plan_, options, world, journal, sinks->pump(), app_.stops());
    sinks.reset();
    return end_run(result, world);
  }

  /// What was found before the run began is to be seen to before anything else is tried.
  exec::RunOptions::Advise advise() {
    if (!request_.advise) return {};
    return [this](const event::RunFinished& finished, const std::vector<std::string>& untidied) {
      const bool well = finished.exit_code == exit_done;
      auto next = request_.advise(*store_, finished, untidied, !well && is_bad());
      if (!well) next.insert(next.begin(), first_steps_.begin(), first_steps_.end());
      return next;
    };
  }

  bool is_bad() {
    try {
      return world::is_bad_by(*store_, plan_, run_id_);
    } catch (const base::Error&) {
      return false;  // of a state that cannot be read the end of the run tells
    }
  }

  void begin_run() {
    store::Run run;
    run.id = run_id_;
    run.kind = plan_.kind;
    run.environment = plan_.environment;
    run.service = plan_.service;
    run.title = plan_.title;
    run.plan_id = written_.id;
    run.plan_json = written_.json;
    run.user = store::this_process();
    run.release = plan_.release;
    run.sha = plan_.sha;
    store_->begin_run(run);
    // All its secrets are known by now.
    if (const auto asked = text_of(without_secrets(request_.asked, app_.redactor())); !asked.empty())
      world::note_asked(*store_, run_id_, asked);
    if (!request_.earlier.recovers.empty())
      world::note_recovered(*store_, run_id_, request_.earlier.recovers);
  }

  /// Returns the exit code: a run whose end is not in the state counts as dead to the next one, which
  /// refuses.
  int end_run(const exec::RunResult& result, world::World& world) {
    const auto& finished = result.finished;
    if (untold_)
      say_unwritten(fmt::format("what became of run {} is not in the history", request_.earlier.recovers),
                    *untold_);
    auto hosts = nlohmann::json::object();
    for (const auto& host : finished.hosts) {
      hosts[host.name] = {{"state", event::name_of(host.state)},
                          {"detail", app_.redactor().clean(host.detail)}};
      if (host.kept_out) hosts[host.name][world::kept_out_key] = true;
      if (is_as_it_was(host)) hosts[host.name][world::as_it_was_key] = true;
    }
    nlohmann::json summary{{"hosts", hosts},
                           {"failed_action", finished.failed_action},
                           {"failed_host", finished.failed_host},
                           {"failure", app_.redactor().clean(finished.failure)}};
    if (finished.but_for_others) summary[world::but_for_others_key] = *finished.but_for_others;
    if (finished.deadline.count() > 0) summary["deadline_ms"] = finished.deadline.count();
    if (concluded_) summary[world::concluded_key] = true;
    try {
      store_->end_run(run_id_, finished.verdict, finished.exit_code,
                      summary.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    } catch (const base::Error& error) {
      say_unwritten(fmt::format("the end of run {} could not be written to the state", run_id_), error);
      return std::max<int>(finished.exit_code, exit_needs_person);
    }
    try {
      store_->prune(plan_.environment, request_.loaded.env().state.keep_runs);
    } catch (const base::Error& error) {
      app_.say(fmt::format("staithe: old runs were not removed from the history: {}", error.what()));
    }
    try {
      say_still_out(world, finished);
    } catch (const base::Error&) {
      // It was said before the run began.
    }
    return finished.exit_code;
  }

  /// Before a recovery that could not do anything, an earlier run had altered the service.
  bool is_as_it_was(const event::RunFinished::Host& host) const {
    return host.state == event::HostState::failed && !host.altered && plan_.kind != "recover";
  }

  /// What stands in the history is what the next recovery and the next deploy go by: where it could not be
  /// written there, somebody has to come, as for what is left. Who listens hears of it with the run's end.
  void conclude(event::RunFinished& finished) {
    if (!request_.earlier.ended) return;
    bool needs_person = true;
    try {
      const auto concluded = request_.earlier.ended(*store_, finished);
      concluded_ = concluded.has_end;
      needs_person = concluded.needs_person;
      finished.next.insert(finished.next.begin(), concluded.next.begin(), concluded.next.end());
    } catch (const base::Error& error) {
      untold_ = error;
    }
    if (!needs_person || finished.exit_code >= exit_needs_person) return;
    finished.exit_code = exit_needs_person;
    finished.verdict = "needs a person";
  }

  void say_unwritten(const std::string& what, const base::Error& error) {
    app_.say(
        fmt::format("staithe: {}: {}\n"
                    "Nothing new is begun until somebody has looked.\n"
                    "  next  {}      when the state can be written again",
                    what, error.what(), recover_command(app_)));
  }

  App& app_;
  const RunRequest& request_;
  const plan::Plan& plan_;
  const Written& written_;
  const plan::Plan located_;  ///< the same with paths as they are from here
  std::string run_id_;
  std::unique_ptr<store::Store> store_;
  std::vector<std::string> first_steps_;  ///< to run next when it does not end well, before all others
  bool concluded_ = false;                ///< the run that this one is for has its end
  std::optional<base::Error> untold_;     ///< why not, where that could not be written
};

}  // namespace

std::string new_run_id() {
  const auto utc = base::utc(store::now());
  std::random_device random;
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}-{:04x}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, random() & 0xffffU);
}

bool only_prints(const App& app) {
  return app.args().has("dry-run") || app.args().command->name == "plan";
}

int refuse_other_plan(App& app, const std::string& id) {
  const auto expected = app.args().value("expect-plan", id);
  if (expected == id) return exit_done;
  if (expected.size() != id.size() || expected.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw UsageError(fmt::format("--expect-plan takes the id of a plan, such as {}, not '{}'", id, expected));
  return app.fail(exit_refused,
                  fmt::format("the plan is {}, not {} as expected; nothing was changed\n"
                              "  next  the same command with --dry-run shows the plan as it is now",
                              id, expected));
}

int run_plan(App& app, const RunRequest& request) {
  const Written written(request.plan);
  if (const int refused = refuse_other_plan(app, written.id); refused != exit_done) return refused;
  if (only_prints(app)) return print_plan(app, request.plan, written);
  return RunOfPlan(app, request, written).run();
}

}  // namespace staithe::cli
