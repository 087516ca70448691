#include "lanes.hpp"

#include "staithe/base/text.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/playbook/selection.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

using std::chrono::seconds;
using Change = plan::ChangeRotation;
using Await = plan::AwaitRotation;

constexpr std::uint32_t exec_parallel = 32;
constexpr std::size_t title_bytes = 100;

/// `said_as`: how a person says the selection.
std::optional<std::vector<std::string>> selected(const Environment& environment, const Request& request,
                                                 const std::string& selection, diag::Diagnostics& diagnostics,
                                                 const std::string& said_as = "hosts") {
  auto hosts = select(environment, Text{selection, {}, 1, ""}, diagnostics, said_as);
  if (!hosts || request.limit.empty()) return hosts;
  const auto limited = select(environment, Text{request.limit, {}, 1, ""}, diagnostics, "--limit");
  if (!limited) return std::nullopt;
  const auto meant = *hosts;
  std::erase_if(*hosts, [&](const std::string& host) {
    return std::find(limited->begin(), limited->end(), host) == limited->end();
  });
  if (!hosts->empty()) return hosts;
  diagnostics.error({}, "--limit: '" + request.limit + "' leaves no host", "",
                    "without it there are: " + base::fold_names(meant));
  return std::nullopt;
}

void add_servers(plan::Servers& all, const plan::Servers& more) {
  for (const plan::ServerRef& name : more.names) {
    if (std::find(all.names.begin(), all.names.end(), name) == all.names.end()) all.names.push_back(name);
  }
  if (all.address.empty()) {
    all.address = more.address;
    all.port = more.port;
  } else if (all.port != more.port) {
    all.port = 0;  // several apps at one address: each server is known by name
  }
}

/// A host that a person names runs the service they name, whatever the files say; one that is only looked at
/// runs what the files say.
enum class Meant { named, looked_at };

/// Of the one service, or of all of them. Nothing when the host stands for no server at all.
std::optional<plan::Servers> all_servers(const Project& project, const Environment& environment,
                                         const Service* only, const Host& host, const Request& request,
                                         diag::Diagnostics& diagnostics, Meant meant = Meant::named) {
  plan::Servers all;
  bool any = false;
  for (const Service& service : project.services) {
    if (only != nullptr && &service != only) continue;
    const bool by_itself = host.servers.form != ServersSpec::Form::unsaid;
    if ((only == nullptr || meant == Meant::looked_at) && !by_itself) {
      // A template such as api/$(host) would name servers for hosts that do not run the service.
      diag::Diagnostics unheard;
      const auto runs = select_any(environment, default_hosts(environment, &service), unheard);
      if (runs && std::find(runs->begin(), runs->end(), host.name.value) == runs->end()) continue;
    }
    const Layers layers(project, environment, &service, nullptr, request);
    const auto servers = servers_of(environment, service, host, layers.for_host(host), diagnostics);
    if (!servers) continue;
    any = true;
    add_servers(all, *servers);
  }
  if (!any) return std::nullopt;
  return all;
}

std::vector<plan::Action> drain_actions(const std::string& host, const RotationRequest& rotation) {
  std::vector<plan::Action> actions;
  actions.push_back(make_action("drain", plan::GuardCapacity{host, rotation.min_available},
                                "enough servers without " + host, seconds(30)));
  actions.push_back(make_action("drain", Change{host, Change::To::drain}, "drain " + host, seconds(30)));
  actions.push_back(make_action("drain", Await{host, Await::Until::calm, Await::AtDeadline::go_on, {}},
                                host + " is calm", rotation.within));
  actions.push_back(
      make_action("drain", Change{host, Change::To::maint}, host + " to maintenance", seconds(30)));
  actions.push_back(make_action("drain", Await{host, Await::Until::calm, rotation.at_deadline, {}},
                                "nothing in flight on " + host, seconds(30)));
  return actions;
}

/// The proof takes a server out where it serves: after a reload of HAProxy, or where a person names a host in
/// service. That is asked for as before a drain; what is out already costs nobody anything.
std::vector<plan::Action> restore_actions(const std::string& host, const RotationRequest& rotation) {
  const auto within = rotation.within;
  std::vector<plan::Action> actions;
  actions.push_back(make_action("restore", plan::GuardCapacity{host, rotation.min_available},
                                "enough servers while " + host + " is proven", seconds(30)));
  actions.push_back(make_action("restore", Change{host, Change::To::prove},
                                "let HAProxy's checks prove " + host, seconds(30)));
  actions.push_back(make_action("restore", Await{host, Await::Until::proven, Await::AtDeadline::fail, {}},
                                host + " is proven", within));
  actions.push_back(make_action("restore", Change{host, Change::To::ready}, "restore " + host, seconds(30)));
  actions.push_back(make_action("restore",
                                Await{host, Await::Until::serving, Await::AtDeadline::fail, {}, true},
                                host + " serves", within));
  return actions;
}

/// The locks that deploys take of every service whose servers are concerned: neither moves a host under the
/// other.
void add_rotation_locks(plan::Plan& plan, const Project& project, const Environment& environment,
                        const Service* only, const Request& request, const std::vector<std::string>& hosts) {
  for (const Service& service : project.services) {
    if (only != nullptr && &service != only) continue;
    diag::Diagnostics heard;  // findings about the hosts were told when they were added
    const bool concerned = only != nullptr || std::any_of(hosts.begin(), hosts.end(), [&](const auto& name) {
                             return all_servers(project, environment, &service, *environment.find_host(name),
                                                request, heard, Meant::looked_at)
                                 .has_value();
                           });
    if (!concerned) continue;
    const std::string scope = environment.name.value + "/" + service.name.value;
    plan.open.push_back(make_action("lock", plan::TakeLock{scope, plan.title}, "lock " + scope, seconds(30)));
    plan.close.push_back(make_action("lock", plan::GiveLock{scope}, "unlock " + scope, seconds(30)));
  }
}

/// A drain that fails half-way is given back: taking the servers out is the bracket's own work.
plan::Lane rotation_lane(const std::string& host, const RotationRequest& rotation) {
  plan::Lane lane;
  lane.host = host;
  if (rotation.rotation == Rotation::restore) {
    for (plan::Action& action : restore_actions(host, rotation)) lane.nodes.emplace_back(std::move(action));
    return lane;
  }
  plan::Bracket bracket;
  bracket.name = "rotation";
  bracket.acquire = drain_actions(host, rotation);
  bracket.undo.push_back(make_action("drain", Change{host, Change::To::undo},
                                     "put " + host + " back as it was found", seconds(30)));
  bracket.undo.push_back(make_action("drain", Await{host, Await::Until::serving, Await::AtDeadline::fail, {}},
                                     host + " serves again", seconds(60)));
  lane.nodes.emplace_back(std::move(bracket));
  return lane;
}

/// What a drain or restore plan needs before its lanes: nothing when a finding was made.
bool add_rotation_hosts(plan::Plan& plan, const Project& project, const Environment& environment,
                        const Service* service, const Request& request, const std::vector<std::string>& hosts,
                        diag::Diagnostics& diagnostics) {
  bool good = true;
  for (const std::string& name : hosts) {
    const Host& host = *environment.find_host(name);
    const auto servers = all_servers(project, environment, service, host, request, diagnostics);
    if (!servers) {
      diagnostics.error(host.name.position, "host '" + name + "' stands for no server on any balancer",
                        host.name.path, "name its servers under the service's 'servers'");
      good = false;
      continue;
    }
    add_host(plan, environment, host, *servers);
  }
  if (environment.balancers.empty()) {
    diagnostics.error(environment.name.position,
                      "environment '" + environment.name.value + "' has no balancer", environment.name.path);
    good = false;
  }
  add_balancers(plan, environment);
  return good;
}

}  // namespace

std::optional<plan::Plan> make_exec_plan(const Project& project, const Request& request,
                                         const std::string& selection, const std::string& command,
                                         base::Duration timeout, diag::Diagnostics& diagnostics) {
  const Environment* environment = choose_environment(project, request.environment, diagnostics);
  if (environment == nullptr) return std::nullopt;
  const auto hosts = selected(*environment, request, selection, diagnostics, "-H");
  if (!hosts) return std::nullopt;
  if (base::trim(command).empty()) {
    diagnostics.error({}, "no command to run");
    return std::nullopt;
  }
  plan::Plan plan = begin_plan(project, *environment, nullptr);
  plan.kind = "exec";
  plan.title =
      command.size() <= title_bytes && command.find('\n') == std::string::npos ? command : "a command";
  plan.strategy.deadline = request.deadline.value_or(base::Duration{0});
  plan::Stage stage;
  stage.name = "exec";
  stage.shape = plan::Stage::Shape::parallel;
  stage.at_once = request.parallel.value_or(exec_parallel);
  stage.max_failures = request.max_failures;
  for (const std::string& name : *hosts) {
    add_host(plan, *environment, *environment->find_host(name), {});
    plan::RunRemote effect;
    effect.host = name;
    effect.script = command;
    plan::Lane lane;
    lane.host = name;
    lane.nodes.emplace_back(make_action("run", std::move(effect), plan.title, timeout));
    stage.lanes.push_back(std::move(lane));
  }
  plan.stages.push_back(std::move(stage));
  number_actions(plan);
  return plan;
}

std::optional<plan::Plan> make_rotation_plan(const Project& project, const Request& request,
                                             const RotationRequest& rotation,
                                             diag::Diagnostics& diagnostics) {
  const Environment* environment = choose_environment(project, request.environment, diagnostics);
  if (environment == nullptr) return std::nullopt;
  const Service* service = nullptr;
  if (!request.service.empty()) {
    service = choose_service(project, request.service, diagnostics);
    if (service == nullptr) return std::nullopt;
  }
  const auto hosts = selected(*environment, request, rotation.selection, diagnostics);
  if (!hosts) return std::nullopt;
  plan::Plan plan = begin_plan(project, *environment, service);
  const std::string verb = rotation.rotation == Rotation::drain ? "drain" : "restore";
  plan.kind = verb;
  plan.title =
      verb + " " + base::fold_names(*hosts) + (rotation.reason.empty() ? "" : ": " + rotation.reason);
  const bool good = add_rotation_hosts(plan, project, *environment, service, request, *hosts, diagnostics);
  if (!good || diagnostics.has_errors()) return std::nullopt;
  add_rotation_locks(plan, project, *environment, service, request, *hosts);
  // One host at a time: the guard counts what is really left.
  plan.strategy.batches = {{100, true}};
  plan.strategy.parallel = request.parallel.value_or(1);
  // One that cannot come back keeps none of the others out.
  const plan::Amount most =
      rotation.rotation == Rotation::restore ? plan::Amount{100, true} : plan.strategy.max_failures;
  plan.strategy.max_failures = request.max_failures.value_or(most);
  plan.strategy.on_failure = plan::Strategy::OnFailure::stop;
  // What puts back is not given up half-way because time is up.
  if (rotation.rotation == Rotation::drain)
    plan.strategy.deadline = request.deadline.value_or(base::Duration{0});
  plan::Stage survey;
  survey.name = "preflight";
  survey.shape = plan::Stage::Shape::gather;
  plan::Stage roll;
  roll.name = "roll";
  roll.shape = plan::Stage::Shape::rolling;
  for (const std::string& name : *hosts) {
    if (rotation.rotation == Rotation::drain) {
      plan::Lane lane;
      lane.host = name;
      lane.nodes.emplace_back(make_action("preflight", plan::SurveyRotation{name},
                                          "the servers of " + name + " can be drained", seconds(30)));
      survey.lanes.push_back(std::move(lane));
    }
    roll.lanes.push_back(rotation_lane(name, rotation));
  }
  if (!survey.lanes.empty()) plan.stages.push_back(std::move(survey));
  plan.stages.push_back(std::move(roll));
  number_actions(plan);
  return plan;
}

std::optional<plan::Plan> make_survey_plan(const Project& project, const Request& request,
                                           const std::string& selection, diag::Diagnostics& diagnostics) {
  const Environment* environment = choose_environment(project, request.environment, diagnostics);
  if (environment == nullptr) return std::nullopt;
  const auto hosts = selected(*environment, request, selection.empty() ? "all" : selection, diagnostics);
  if (!hosts) return std::nullopt;
  const Service* service = choose_service(project, request.service, diagnostics);
  if (service == nullptr && !request.service.empty()) return std::nullopt;
  plan::Plan plan = begin_plan(project, *environment, service);
  plan.kind = "survey";
  plan.title = "look at " + base::fold_names(*hosts);
  for (const std::string& name : *hosts) {
    const Host& host = *environment->find_host(name);
    const auto servers =
        all_servers(project, *environment, service, host, request, diagnostics, Meant::looked_at);
    add_host(plan, *environment, host, servers.value_or(plan::Servers()));
  }
  add_balancers(plan, *environment);
  return plan;
}

}  // namespace staithe::playbook
