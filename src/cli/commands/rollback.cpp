#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"
#include "suggest.hpp"
#include "suite_steps.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

#include <utility>

namespace staithe::cli {
namespace {

constexpr base::Duration search_patience{60'000};

plan::Plan plan_for(App& app, Loaded& loaded, const playbook::Playbook& playbook,
                    const playbook::Request& request, const playbook::Refs& release,
                    SuiteChoices* choices = nullptr) {
  return require_plan(app, loaded,
                      playbook::make_rollback_plan(loaded.project, playbook, request, release,
                                                   files_beside(loaded, choices), loaded.diagnostics));
}

/// Releases that the history calls bad, whatever a host says.
std::vector<std::string> bad_releases(store::Store* store, const plan::Plan& plan) {
  std::vector<std::string> bad;
  if (store == nullptr) return bad;
  for (const auto& release : store->releases(plan.environment, plan.service))
    if (release.state == store::ReleaseState::bad) bad.push_back(release.id);
  return bad;
}

/// What the hosts hold; throws when one cannot be asked, with all that went wrong.
std::vector<world::HostLook> ask_hosts(App& app, Loaded& loaded, const playbook::Playbook& playbook,
                                       const playbook::Request& request, const plan::Plan& plan) {
  const auto* service = loaded.project.find_service(plan.service);
  if (service == nullptr)
    throw base::Error(base::ErrorCode::invalid, "this playbook brings no service's release to the hosts");
  const auto sites = playbook::sites_of(loaded.project, *service, &playbook, request,
                                        plan::target_hosts(plan), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  const auto survey = world::look(plan, wishes_of(sites), world::Look::hosts, person_of(app),
                                  base::Scope::lasting(search_patience, &app.stops().soft));
  std::string trouble;
  Distrusted distrusted;
  for (const auto& host : survey.hosts) {
    if (host.trouble.empty()) continue;
    trouble += fmt::format("\n  {}", host.trouble);
    if (host.code == base::ErrorCode::host_key) distrusted.add(host.host, host.changed_key);
  }
  if (!distrusted.none()) trouble += hostkeys_hint(app, distrusted);
  if (!trouble.empty())
    throw base::Error(base::ErrorCode::failed, "not every host can say which releases it holds:" + trouble +
                                                   "\n--limit leaves hosts out");
  return survey.hosts;
}

std::string live_now(const std::vector<world::HostLook>& hosts) {
  std::vector<std::string> live;
  for (const auto& host : hosts)
    if (!host.current.empty() && std::find(live.begin(), live.end(), host.current) == live.end())
      live.push_back(host.current);
  return live.empty() ? "nothing" : base::join(live, " and ");
}

}  // namespace

int run_rollback(App& app) {
  auto loaded = load(app);
  const auto playbook = load_playbook_of(app, loaded);
  const auto request = request_of(app);
  // Which hosts are meant does not depend on the release, so that any will do to ask them.
  const playbook::Refs any{"", std::string(40, '0'), ""};
  const auto survey_plan =
      playbook::located(plan_for(app, loaded, playbook, request, any), loaded.project.directory);
  const auto store = open_store_if_there(app, loaded);
  // Whoever waits for a deploy means the release before that one.
  await_locks(app, store.get(), survey_plan);
  const auto ended =
      store == nullptr ? "" : world::ended_runs(*store, loaded.environment, survey_plan.service);
  const auto hosts = ask_hosts(app, loaded, playbook, request, survey_plan);
  const auto target =
      world::rollback_target(hosts, app.args().value("to"), bad_releases(store.get(), survey_plan));
  if (!target.refusal.empty())
    return app.fail(
        exit_refused,
        fmt::format("{}\nNothing was changed.\n"
                    "  next  {} --to RELEASE    names one that all hosts hold",
                    target.refusal, rollback_command(app, loaded, asked_of(app, loaded), survey_plan)));
  if (!app.quiet() && !app.json())
    app.say(fmt::format("Release {} -> {}, back from {}{}{}", target.release, target.sha, live_now(hosts),
                        target.why.empty() ? "" : ": ", target.why));
  SuiteChoices choices;
  auto planned = plan_for(app, loaded, playbook, request, {target.release, target.sha, ""}, &choices);
  const auto plan = with_suites(app, loaded, std::move(planned), choices);
  return run_loaded(app, loaded, plan, resting_on(loaded.environment, survey_plan.service, ended));
}

}  // namespace staithe::cli
