#include "reading.hpp"

#include "staithe/base/text.hpp"
#include "staithe/playbook/selection.hpp"

#include <algorithm>
#include <set>

namespace staithe::playbook {
namespace {

std::vector<Group> read_groups(yaml::Mapping& map) {
  std::vector<Group> groups;
  for (const yaml::Member& member : map.map("groups")) {
    Group group;
    group.name = member.key;
    if (!is_host_name(group.name.value) || group.name.value == "all") {
      report_key(member, "'" + group.name.value + "' cannot be the name of a group");
    }
    if (member.value.node().kind == yaml::Kind::list) {
      group.hosts = member.value.texts().value_or(std::vector<Text>());
    } else {
      yaml::Mapping fields(member.value);
      group.hosts = fields.texts("hosts");
      group.children = fields.texts("children");
      group.vars = read_variables(fields);
      fields.finish();
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

void read_balancers(yaml::Mapping& map, Environment& environment) {
  for (const yaml::Member& member : map.map("balancers")) {
    plan::Balancer balancer;
    balancer.name = member.key.value;
    yaml::Mapping fields(member.value);
    if (auto socket = fields.text("socket", yaml::Need::required)) {
      balancer.socket = socket->value;
      const bool good = !balancer.socket.empty() &&
                        (balancer.socket.front() == '/' || balancer.socket.rfind("tcp ", 0) == 0);
      if (!good)
        fields.error_at("socket", "'" + balancer.socket + "' is no socket",
                        "write an absolute path, or 'tcp HOST:PORT'");
    }
    if (auto socket = fields.text("master_socket")) balancer.master_socket = socket->value;
    if (auto on = fields.text("on")) balancer.on = on->value;
    fields.finish();
    environment.balancers.push_back(std::move(balancer));
    environment.balancer_positions.push_back(member.key.position);
  }
}

void read_ssh(yaml::Mapping& map, Environment& environment) {
  auto fields = map.mapping("ssh");
  if (!fields) return;
  plan::SshSettings& ssh = environment.ssh;
  if (auto file = fields->text("known_hosts")) ssh.known_hosts = file->value;
  environment.ssh_config = fields->text("config");
  if (environment.ssh_config) ssh.config = environment.ssh_config->value;
  if (auto timeout = fields->duration("connect_timeout")) {
    if (timeout->value < base::Duration(10))
      fields->error_at("connect_timeout", "no connection is made in that time");
    ssh.connect_timeout = timeout->value;
  }
  if (auto most = fields->integer("max_handshakes", 1, 10'000))
    ssh.max_handshakes = static_cast<std::uint32_t>(most->value);
  const auto user = fields->text("user");
  const auto jump = fields->text("jump");
  const auto port = fields->integer("port", 1, 65535);
  const auto identity = fields->text("identity");
  for (Host& host : environment.hosts) {
    if (user && host.user.empty()) host.user = user->value;
    if (jump && host.jump.empty() && jump->value != host.name.value) host.jump = jump->value;
    if (port && host.port == 0) host.port = static_cast<std::uint16_t>(port->value);
    if (identity && host.identity_files.empty()) host.identity_files = {identity->value};
  }
  fields->finish();
}

/// What is put right after a run, and what is on record of a drain, is looked for in that many runs.
constexpr std::int64_t fewest_runs = 200;

/// "sqlite PATH" or "postgres SECRET".
void read_state(yaml::Mapping& map, const std::string& directory, Environment& environment) {
  if (const auto keep = map.integer("keep_runs", fewest_runs, 1'000'000))
    environment.state.keep_runs = static_cast<std::uint32_t>(keep->value);
  const auto text = map.text("state");
  if (!text) return;
  const std::size_t blank = text->value.find(' ');
  const std::string kind = text->value.substr(0, blank);
  const std::string_view rest = blank == std::string::npos
                                    ? std::string_view()
                                    : base::trim(std::string_view(text->value).substr(blank));
  if (kind == "sqlite" && !rest.empty()) {
    environment.state.path = resolve_path(directory, std::string(rest));
    return;
  }
  const auto url = parse_secret(rest);
  if (kind != "postgres" || !url) {
    return map.error_at("state", "'" + text->value + "' is no place to keep state",
                        "write 'sqlite PATH', or 'postgres env NAME' with the variable that holds the URL");
  }
  environment.state.kind = StateStore::Kind::postgres;
  environment.state.url = *url;
}

void read_notify(yaml::Mapping& map, Environment& environment, diag::Diagnostics& diagnostics) {
  for (const Text& text : map.texts("notify")) {
    constexpr std::string_view slack = "slack ";
    const auto url = text.value.rfind(slack, 0) == 0
                         ? parse_secret(std::string_view(text.value).substr(slack.size()))
                         : std::nullopt;
    if (url) {
      environment.notify.push_back(*url);
    } else {
      report(text, diagnostics, "'" + text.value + "' is nobody to notify",
             "write 'slack env NAME' with the variable that holds the webhook");
    }
  }
}

void check_jumps(const Environment& environment, diag::Diagnostics& diagnostics) {
  for (const Host& host : environment.hosts) {
    // "none", as in ssh_config, and names that are no host of ours are for ~/.ssh/config to know.
    const Host* at = &host;
    for (std::size_t hops = 0; at != nullptr && !at->jump.empty(); ++hops) {
      if (hops > environment.hosts.size()) {
        diagnostics.error(host.name.position, "host '" + host.name.value + "' is reached through itself",
                          host.name.path);
        break;
      }
      at = environment.find_host(at->jump);
    }
  }
}

}  // namespace

Environment read_environment(const yaml::Member& member, const std::string& directory) {
  Environment environment;
  environment.name = member.key;
  if (!is_host_name(member.key.value))
    report_key(member, "'" + member.key.value + "' cannot be the name of an environment");
  yaml::Mapping map(member.value);
  if (auto is_protected = map.boolean("protected")) environment.is_protected = is_protected->value;
  if (auto hosts = map.value("hosts")) environment.hosts = read_hosts(*hosts, member.key.value);
  environment.groups = read_groups(map);
  read_balancers(map, environment);
  read_ssh(map, environment);
  read_state(map, directory, environment);
  read_notify(map, environment, member.value.diagnostics());
  environment.inventory = map.texts("inventory");
  environment.vars = read_variables(map);
  environment.secrets = read_secrets(map);
  environment.databases = read_databases(map, directory);
  environment.watch = read_watch(map, environment.notify);
  const bool only_databases = environment.databases.has_value();
  const bool only_watched = map.has("watch");
  map.finish();
  if (environment.hosts.empty() && environment.inventory.empty() && !only_databases && !only_watched &&
      map.valid()) {
    map.error("environment '" + member.key.value + "' has no host",
              "name some under 'hosts', or an 'inventory' program");
  }
  return environment;
}

void check_environment(const Environment& environment, diag::Diagnostics& diagnostics) {
  for (const std::string& group : environment.group_names()) {
    const Host* host = environment.find_host(group);
    if (host != nullptr) {
      diagnostics.error(host->name.position, "'" + group + "' is a host and a group", host->name.path,
                        "give one of them another name");
    }
  }
  const std::vector<std::string> known_groups = environment.group_names();
  for (const Group& group : environment.groups) {
    for (const Text& name : group.hosts) (void)select_any(environment, name, diagnostics);
    for (const Text& child : group.children) {
      if (std::find(known_groups.begin(), known_groups.end(), child.value) != known_groups.end()) continue;
      const auto near = base::nearest(child.value, known_groups);
      report(child, diagnostics, "there is no group '" + child.value + "'",
             near ? "did you mean '" + *near + "'?" : "");
    }
  }
  for (std::size_t i = 0; i < environment.balancers.size(); ++i) {
    const plan::Balancer& balancer = environment.balancers[i];
    if (balancer.on.empty() || environment.find_host(balancer.on) != nullptr) continue;
    if (!environment.knows_hosts()) continue;
    std::vector<std::string> known;
    for (const Host& host : environment.hosts) known.push_back(host.name.value);
    const auto near = base::nearest(balancer.on, known);
    diagnostics.error(environment.balancer_positions[i],
                      "balancer '" + balancer.name + "' is on '" + balancer.on + "', which is no host of " +
                          environment.name.value,
                      "environments." + environment.name.value + ".balancers." + balancer.name + ".on",
                      near ? "did you mean '" + *near + "'?" : "");
  }
  check_jumps(environment, diagnostics);
}

}  // namespace staithe::playbook
