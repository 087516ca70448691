#include "check_context.hpp"

#include "looking.hpp"
#include "planning.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/playbook/selection.hpp"
#include "staithe/playbook/sites.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace staithe::cli {
namespace {

using Host = checks::Context::Host;

/// Variables whose text is what it says.
void add_plain(const playbook::VariableEntries& entries, std::map<std::string, std::string>& values) {
  for (const auto& entry : entries)
    if (entry.is_literal || entry.value.value.find("$(") == std::string::npos)
      values[entry.name.value] = entry.value.value;
}

Host host_of(const LoadedSuites& loaded, const playbook::Host& host) {
  Host made{host.name.value, {}};
  add_plain(host.vars, made.values);
  const auto found = loaded.survey.hosts.find(host.name.value);
  const std::string address = found != loaded.survey.hosts.end() && !found->second.address.empty()
                                  ? found->second.address
                                  : host.name.value;
  made.values["name"] = host.name.value;
  made.values["address"] = address;
  made.values["in_url"] = address.find(':') == std::string::npos ? address : "[" + address + "]";
  made.values["user"] = host.user;
  return made;
}

/// The hosts of --limit; all without. How many a group has is told of the whole group.
std::set<std::string> wanted_hosts(App& app, LoadedSuites& loaded, const std::string& wanted) {
  if (wanted.empty()) {
    std::set<std::string> all;
    for (const auto& host : loaded.project->env().hosts) all.insert(host.name.value);
    return all;
  }
  const playbook::Text limit{wanted, {}, 1, ""};
  auto chosen = playbook::select(loaded.project->env(), limit, loaded.project->diagnostics, "--limit");
  stop_on_errors(app, loaded.project->diagnostics);
  return {chosen->begin(), chosen->end()};
}

/// The service of that name, or the only one; null when it is not known which.
const playbook::Service* service_of(const LoadedSuites& loaded, const std::string& name) {
  const auto& services = loaded.project->project.services;
  return services.size() == 1 ? &services.front() : loaded.project->project.find_service(name);
}

/// All hosts of the service, where the limit is of those. A rollout that has come to some may not have come
/// to the others yet: what these say would be said of the release before. Where nothing says on which hosts
/// it runs, the edge is among all of them: it says nothing.
std::set<std::string> rolled_with(const LoadedSuites& loaded, const std::string& name,
                                  const std::set<std::string>& limit) {
  const auto* service = service_of(loaded, name);
  const auto groups = loaded.project->env().group_names();
  const bool has_apps = std::find(groups.begin(), groups.end(), "app") != groups.end();
  if (service == nullptr || (!service->hosts && !has_apps)) return {};
  const auto names = playbook::hosts_of(loaded.project->env(), *service);
  const bool rolled =
      std::any_of(names.begin(), names.end(), [&](const auto& host) { return limit.count(host) > 0; });
  return rolled ? std::set<std::string>(names.begin(), names.end()) : std::set<std::string>();
}

template <class Choice>
std::vector<Host> those(const std::vector<Host>& group, const Choice& choice) {
  std::vector<Host> left;
  std::copy_if(group.begin(), group.end(), std::back_inserter(left), choice);
  return left;
}

/// Of a group that has hosts of the limit those are asked. One that has none is none of its business: a suite
/// that a rollout of the apps runs may well ask the edge. Only other hosts of the same service are spared.
void limit_groups(const std::map<std::string, std::vector<Host>>& groups, const std::set<std::string>& limit,
                  const std::set<std::string>& kin, checks::Context& context) {
  for (const auto& [group, hosts] : groups) {
    context.values["hosts." + group + ".count"] = std::to_string(hosts.size());
    auto asked = those(hosts, [&](const Host& host) { return limit.count(host.name) > 0; });
    if (asked.empty()) asked = those(hosts, [&](const Host& host) { return kin.count(host.name) == 0; });
    if (asked.empty() && !hosts.empty()) context.spared.insert(group);
    context.groups[group] = std::move(asked);
  }
}

void add_groups(App& app, LoadedSuites& loaded, const Rolled& rolled, checks::Context& context) {
  const auto& environment = loaded.project->env();
  std::map<std::string, std::vector<Host>> groups;
  for (const auto& group : environment.group_names()) groups[group];
  for (const auto& host : environment.hosts) {
    auto made = host_of(loaded, host);
    // Variables of a group hold for its hosts, whose own win.
    for (const auto& group : environment.groups)
      if (environment.is_member(host, group.name.value)) {
        std::map<std::string, std::string> shared;
        add_plain(group.vars, shared);
        made.values.insert(shared.begin(), shared.end());
      }
    for (const auto& group : environment.group_names())
      if (environment.is_member(host, group)) groups[group].push_back(made);
    groups["all"].push_back(made);
  }
  for (const auto& service : loaded.project->project.services) {
    if (groups.count(service.name.value) > 0) continue;
    const auto names = playbook::hosts_of(environment, service);
    auto& group = groups[service.name.value];
    for (const auto& host : environment.hosts)
      if (std::find(names.begin(), names.end(), host.name.value) != names.end())
        group.push_back(host_of(loaded, host));
  }
  const auto wanted = wanted_hosts(app, loaded, rolled.limit);
  limit_groups(groups, wanted, rolled_with(loaded, rolled.service, wanted), context);
}

void add_databases(const LoadedSuites& loaded, checks::Context& context) {
  const auto& databases = loaded.project->env().databases;
  if (!databases) return;
  for (const auto& [name, url] : databases->named) context.databases[name] = url;
}

/// Of the command line, so what is wrong with it is no mistake of a file.
std::string wanted_target(const App& app) {
  auto target = app.args().value("target");
  if (!target.empty() && !target.starts_with("http://") && !target.starts_with("https://"))
    throw UsageError(
        fmt::format("--target begins with http:// or https://, not '{}'", base::without_secret(target)));
  if (!target.empty() && !base::http_place(target))
    throw UsageError(fmt::format("--target names no host: '{}'", base::without_secret(target)));
  // Not shown: it may be a password that holds one.
  if (target.find_first_of("?#") != std::string::npos) throw UsageError("--target holds no '?' and no '#'");
  return target;
}

}  // namespace

std::string last_good_release(App& app, const LoadedSuites& loaded, const std::string& name) {
  const auto* service = service_of(loaded, name);
  if (service == nullptr) return {};
  try {
    const auto store = open_store_if_there(app, *loaded.project);
    if (!store) return {};
    for (const auto& release : store->releases(loaded.project->environment, service->name.value))
      if (release.state == store::ReleaseState::good) return release.sha.empty() ? release.id : release.sha;
  } catch (const base::Error&) {
    // Nothing is known then, which a suite that needs it is told.
  }
  return {};
}

checks::Context::Receivers receivers_of(const LoadedSuites& loaded) {
  checks::Context::Receivers receivers;
  if (loaded.project)
    for (const auto& target : loaded.project->env().watch.alerts)
      receivers.names.push_back(target.name.value);
  return receivers;
}

checks::Context check_context(App& app, LoadedSuites& loaded, const Rolled& rolled) {
  checks::Context context;
  if (loaded.project) {
    const auto& project = loaded.project->project;
    add_plain(project.vars, context.values);
    add_plain(loaded.project->env().vars, context.values);
    context.environment = loaded.project->environment;
    context.values["environment"] = context.environment;
    context.values["project"] = project.name.value;
    add_groups(app, loaded, rolled, context);
    add_databases(loaded, context);
    const auto judged =
        rolled.release.empty() ? last_good_release(app, loaded, rolled.service) : rolled.release;
    if (!judged.empty()) context.values["deploy.release"] = judged;
    if (!rolled.release.empty()) context.given.insert("deploy.release");
  }
  if (loaded.watched) context.receivers = receivers_of(loaded);
  if (loaded.by_hand) {
    for (const auto& [name, value] : request_of(app).vars) {
      context.values[name] = value;
      context.given.insert(name);
    }
    context.target = wanted_target(app);
  }
  return context;
}

}  // namespace staithe::cli
