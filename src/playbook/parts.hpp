#pragma once
#include "layers.hpp"

namespace staithe::playbook {

/// The skeleton of a plan: project, environment, ssh settings.
plan::Plan begin_plan(const Project& project, const Environment& environment, const Service* service);

/// Adds a host with its servers, and every host that is needed to reach it.
void add_host(plan::Plan& plan, const Environment& environment, const Host& host, plan::Servers servers);

/// Adds the environment's balancers and the hosts that they are on.
void add_balancers(plan::Plan& plan, const Environment& environment);

/// The servers of `service` that stand for `host`; their texts are expanded with `variables`.
/// Nothing when none is declared.
std::optional<plan::Servers> servers_of(const Environment& environment, const Service& service,
                                        const Host& host, const steps::Variables& variables,
                                        diag::Diagnostics& diagnostics);

/// Finds names that cannot be servers of HAProxy whatever a host is; `variables` are of none that is known.
void check_server_names(const Service& service, const steps::Variables& variables,
                        diag::Diagnostics& diagnostics);

/// Reports servers that stand for two hosts of the plan.
void check_shared_servers(const plan::Plan& plan, const Service* service, diag::Diagnostics& diagnostics);

/// Where a finding about a service's servers stands.
diag::Position position_of(const ServersSpec& spec, const Service& service);

/// Gives every action of a plan its id.
void number_actions(plan::Plan& plan);

/// The hosts that run a service when a playbook does not say.
Text default_hosts(const Environment& environment, const Service* service);

}  // namespace staithe::playbook
