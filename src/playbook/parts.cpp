#include "parts.hpp"

#include "reading.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/playbook/selection.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace staithe::playbook {
namespace {

bool is_ip(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

/// What HAProxy's command line can carry; nothing else may get near it.
bool is_server_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return base::is_alnum(c) || std::string_view("_.:-").find(c) != std::string_view::npos;
  });
}

std::uint16_t port_number(const std::string& text) {
  std::uint16_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? value : std::uint16_t{0};
}

void add_names(plan::Servers& servers, const std::vector<Text>& texts, const steps::Variables& variables,
               diag::Diagnostics& diagnostics) {
  for (const Text& text : texts) {
    const auto name = expand_plain(text, variables, diagnostics);
    if (!name) continue;
    const std::size_t slash = name->find('/');
    plan::ServerRef ref{name->substr(0, slash), slash == std::string::npos ? "" : name->substr(slash + 1)};
    if (is_server_name(ref.backend) && is_server_name(ref.server)) {
      servers.names.push_back(std::move(ref));
    } else {
      diagnostics.error(text.position, "'" + *name + "' cannot be BACKEND/SERVER of HAProxy", text.path);
    }
  }
}

/// The app's own address and port, when they can be known.
void add_address(plan::Servers& servers, const Service& service, const Host& host,
                 const steps::Variables& variables, diag::Diagnostics& diagnostics) {
  servers.address = host.address;
  if (service.address) servers.address = expand_plain(*service.address, variables, diagnostics).value_or("");
  if (!is_ip(servers.address)) servers.address.clear();
  if (variables.find("port") == nullptr) return;
  Text port = service.port.value_or(service.name);
  port.value = "$(port)";
  const auto text = expand_plain(port, variables, diagnostics);
  if (text) servers.port = port_number(*text);
}

}  // namespace

plan::Plan located(plan::Plan plan, const std::string& directory) {
  plan.ssh.known_hosts = resolve_path(directory, plan.ssh.known_hosts);
  plan.ssh.config = resolve_path(directory, plan.ssh.config);
  for (auto& [name, host] : plan.hosts)
    for (std::string& file : host.identity_files) file = resolve_path(directory, file);
  return plan;
}

plan::Plan begin_plan(const Project& project, const Environment& environment, const Service* service) {
  plan::Plan plan;
  plan.project = project.name.value;
  plan.environment = environment.name.value;
  plan.is_protected = environment.is_protected;
  plan.ssh = environment.ssh;
  if (service != nullptr) plan.service = service->name.value;
  return plan;
}

void add_host(plan::Plan& plan, const Environment& environment, const Host& host, plan::Servers servers) {
  plan::Host& entry = plan.hosts[host.name.value];
  entry.name = host.name.value;
  entry.address = host.address;
  entry.user = host.user;
  entry.port = host.port;
  entry.identity_files = host.identity_files;
  entry.jump = host.jump;
  if (!servers.names.empty() || !servers.address.empty()) entry.servers = std::move(servers);
  const Host* jump = environment.find_host(host.jump);
  if (jump != nullptr && plan.hosts.count(jump->name.value) == 0) add_host(plan, environment, *jump, {});
}

void add_balancers(plan::Plan& plan, const Environment& environment) {
  plan.balancers = environment.balancers;
  for (const plan::Balancer& balancer : environment.balancers) {
    const Host* on = environment.find_host(balancer.on);
    if (on != nullptr && plan.hosts.count(on->name.value) == 0) add_host(plan, environment, *on, {});
  }
}

diag::Position position_of(const ServersSpec& spec, const Service& service) {
  if (!spec.names.empty()) return spec.names.front().position;
  if (!spec.by_host.empty()) return spec.by_host.front().first.position;
  return service.name.position;
}

std::optional<plan::Servers> servers_of(const Environment& environment, const Service& service,
                                        const Host& host, const steps::Variables& variables,
                                        diag::Diagnostics& diagnostics) {
  const ServersSpec& spec = host.servers.form == ServersSpec::Form::unsaid ? service.servers : host.servers;
  plan::Servers servers;
  switch (spec.form) {
    case ServersSpec::Form::unsaid:
    case ServersSpec::Form::none:
      return std::nullopt;
    case ServersSpec::Form::automatic:
      break;
    case ServersSpec::Form::names:
      add_names(servers, spec.names, variables, diagnostics);
      break;
    case ServersSpec::Form::by_host:
      for (const auto& [selection, names] : spec.by_host) {
        const auto hosts = select_any(environment, selection, diagnostics);
        const bool ours = hosts && std::find(hosts->begin(), hosts->end(), host.name.value) != hosts->end();
        if (ours) add_names(servers, names, variables, diagnostics);
      }
      if (servers.names.empty()) return std::nullopt;
      break;
  }
  add_address(servers, service, host, variables, diagnostics);
  if (spec.form == ServersSpec::Form::automatic && servers.address.empty()) {
    const std::string said = host.address.empty() ? "has none" : "has '" + host.address + "'";
    diag::Diagnostic finding;
    finding.position = host.name.position;
    finding.length = host.name.length;
    finding.path = host.name.path;
    finding.common = "servers: auto needs an IP address to find servers by";
    finding.message = finding.common + ", and host '" + host.name.value + "' " + said;
    finding.help = "give it an 'address', or the service an 'address' with the app's own";
    finding.host = host.name.value;
    diagnostics.add(std::move(finding));
  }
  return servers;
}

void check_server_names(const Service& service, const steps::Variables& variables,
                        diag::Diagnostics& diagnostics) {
  plan::Servers unused;
  add_names(unused, service.servers.names, variables, diagnostics);
  for (const auto& [selection, names] : service.servers.by_host)
    add_names(unused, names, variables, diagnostics);
}

namespace {

/// What one of them finds by its address is the other's too. (Names alone are compared as names.)
bool share_servers(const plan::Servers& a, const plan::Servers& b) {
  if (!a.names.empty() && !b.names.empty()) return false;
  const bool both_auto = a.names.empty() && b.names.empty();
  return a.port == b.port ? a.port != 0 || both_auto : both_auto && (a.port == 0 || b.port == 0);
}

std::string endpoint(const plan::Servers& servers) {
  const bool is_v6 = servers.address.find(':') != std::string::npos;
  std::string text = is_v6 ? '[' + servers.address + ']' : servers.address;
  if (servers.port != 0) text += ':' + std::to_string(servers.port);
  return text;
}

/// That the same would stand for two hosts: one would give it back while the other has it out.
class SharedServers {
 public:
  SharedServers(const Service& service, diag::Diagnostics& diagnostics)
      : service_(service), diagnostics_(diagnostics) {}

  void add(const plan::Host& host) {
    for (const plan::ServerRef& ref : host.servers.names) {
      const auto [known, is_new] = stands_for_.emplace(ref, host.name);
      if (!is_new)
        tell("server '" + ref.backend + "/" + ref.server + "'", known->second, host.name,
             "write $(host) in its name, or map hosts to servers");
    }
    if (host.servers.address.empty()) return;
    auto& there = at_[host.servers.address];
    const auto other = std::find_if(there.begin(), there.end(), [&](const plan::Host* known) {
      return share_servers(known->servers, host.servers);
    });
    if (other != there.end())
      tell("what has the address " + endpoint(host.servers), (*other)->name, host.name,
           "give each its own 'address' or 'port', or name the servers of each");
    there.push_back(&host);
  }

 private:
  void tell(const std::string& what, const std::string& one, const std::string& other, std::string help) {
    diag::Diagnostic finding;
    finding.position = position_of(service_.servers, service_);
    finding.common = what + " would stand for " + one;
    finding.message = finding.common + " and for " + other;
    finding.path = "services." + service_.name.value + ".servers";
    finding.help = std::move(help);
    finding.host = other;
    diagnostics_.add(std::move(finding));
  }

  const Service& service_;
  diag::Diagnostics& diagnostics_;
  std::map<plan::ServerRef, std::string> stands_for_;
  std::map<std::string, std::vector<const plan::Host*>> at_;  // by address
};

}  // namespace

void check_shared_servers(const plan::Plan& plan, const Service* service, diag::Diagnostics& diagnostics) {
  if (service == nullptr) return;
  SharedServers shared(*service, diagnostics);
  for (const auto& [name, host] : plan.hosts) shared.add(host);
}

Text default_hosts(const Environment& environment, const Service* service) {
  if (service != nullptr && service->hosts) return *service->hosts;
  Text text;
  text.position = environment.name.position;
  text.length = environment.name.length;
  text.path = environment.name.path;
  const std::vector<std::string> groups = environment.group_names();
  if (std::find(groups.begin(), groups.end(), "app") != groups.end()) {
    text.value = "app";
    return text;
  }
  text.value = "all";
  for (const plan::Balancer& balancer : environment.balancers) {
    const bool ours = environment.find_host(balancer.on) != nullptr;
    if (ours && text.value.find("!" + balancer.on) == std::string::npos) text.value += " & !" + balancer.on;
  }
  return text;
}

}  // namespace staithe::playbook
