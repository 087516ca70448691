#include "parts.hpp"
#include "unused_values.hpp"

#include "staithe/playbook/make_plan.hpp"
#include "staithe/playbook/selection.hpp"

#include <algorithm>
#include <utility>

namespace staithe::playbook {
namespace {

/// Stands for the commit that nobody has resolved yet.
const std::string& made_up_sha() {
  static const std::string sha(40, '0');
  return sha;
}

void try_playbook(const Project& project, const Playbook& playbook, Request request,
                  const std::string& environment, const steps::Files& files, diag::Diagnostics& diagnostics) {
  request.environment = environment;
  (void)make_plan(project, playbook, request, Refs{"", made_up_sha(), ""}, files, diagnostics);
}

/// Selections and servers of a service in one environment.
void check_service(const Project& project, const Environment& environment, const Service& service,
                   const Request& request, diag::Diagnostics& diagnostics) {
  for (const auto& [selection, names] : service.servers.by_host) {
    const auto hosts = select_any(environment, selection, diagnostics);
    if (hosts && hosts->empty() && environment.knows_hosts()) {
      diagnostics.error(selection.position,
                        "no host of " + environment.name.value + " stands for these servers: '" +
                            selection.value + "' selects none",
                        selection.path);
    }
  }
  if (!service.hosts) return;
  const auto hosts = select(environment, *service.hosts, diagnostics);
  if (!hosts) return;
  const Layers layers(project, environment, &service, nullptr, request);
  plan::Plan plan = begin_plan(project, environment, &service);
  for (const std::string& name : *hosts) {
    const Host& host = *environment.find_host(name);
    auto servers = servers_of(environment, service, host, layers.for_host(host), diagnostics);
    if (servers && environment.balancers.empty()) servers->address.clear();  // nobody looks for them
    if (servers) add_host(plan, environment, host, *servers);
  }
  check_shared_servers(plan, &service, diagnostics);
}

/// Without a playbook, what the built-in one would make of each service that can be deployed with it.
void try_default(const Project& project, const Environment& environment, const Request& request,
                 const steps::Files& files, diag::Diagnostics& diagnostics) {
  for (const Service& service : project.services) {
    const bool complete = service.repository && service.path && service.reload && service.health &&
                          service.servers.form != ServersSpec::Form::unsaid && !environment.balancers.empty();
    if (!complete) continue;
    Request one = request;
    one.service = service.name.value;
    try_playbook(project, default_playbook(), one, environment.name.value, files, diagnostics);
  }
}

}  // namespace

void validate(const Project& project, const Playbook* playbook, const Request& request,
              const steps::Files& files, diag::Diagnostics& diagnostics) {
  if (!request.environment.empty() &&
      choose_environment(project, request.environment, diagnostics) == nullptr)
    return;
  for (const Environment& environment : project.environments) {
    const bool meant = request.environment.empty() || request.environment == environment.name.value;
    if (!meant) continue;
    for (const Service& service : project.services)
      check_service(project, environment, service, request, diagnostics);
    if (playbook != nullptr) {
      try_playbook(project, *playbook, request, environment.name.value, files, diagnostics);
    } else {
      try_default(project, environment, request, files, diagnostics);
    }
    check_unused_values(project, environment, playbook, request, diagnostics);
  }
}

}  // namespace staithe::playbook
