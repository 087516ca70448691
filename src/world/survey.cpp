#include "staithe/world/survey.hpp"

#include "balancer_dial.hpp"
#include "balancer_files.hpp"
#include "together.hpp"
#include "wanted.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/match.hpp"
#include "staithe/haproxy/risks.hpp"
#include "staithe/haproxy/socket.hpp"
#include "staithe/http/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace staithe::world {
namespace {

constexpr std::size_t asked_at_once = 32;
constexpr base::Duration url_patience{5'000};
constexpr std::size_t shown_answer = 64;

/// A line for `current`, one for each release: id, SHA, when it was staged, whether it was good; and what was
/// live, one after the other.
std::string releases_script(const std::string& path) {
  return "cd " + base::shell_quote(path) +
         " 2>/dev/null || exit 0\n"
         "echo \"current $(readlink current 2>/dev/null)\"\n"
         "for there in releases/????????????; do\n"
         "  [ -f \"$there/REVISION\" ] || continue\n"
         "  good=no; if [ -e \"$there/.staithe-good\" ]; then good=good; fi\n"
         "  staged=$(stat -c %.9Y \"$there/REVISION\" 2>/dev/null || stat -c %Y \"$there/REVISION\")\n"
         "  echo \"release ${there#releases/} $(cat \"$there/REVISION\") ${staged:-0} $good\"\n"
         "done\n"
         "sed 's/^/served /' .staithe/served 2>/dev/null || :\n";
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

double number(const std::string& text) {
  // Some locales print a comma; libstdc++ 12 has from_chars for double.
  std::string dotted = text;
  std::replace(dotted.begin(), dotted.end(), ',', '.');
  double value = 0;
  std::from_chars(dotted.data(), dotted.data() + dotted.size(), value);
  return value;
}

void read_releases(const std::string& output, HostLook& look) {
  constexpr std::string_view prefix = "releases/";
  for (const auto& line : base::split(output, '\n')) {
    const auto words = base::split(line, ' ');
    if (words.size() == 2 && words[0] == "current") {
      look.current =
          base::printable(words[1].rfind(prefix, 0) == 0 ? words[1].substr(prefix.size()) : words[1]);
    } else if (words.size() == 5 && words[0] == "release" && is_hex(words[1]) && is_hex(words[2])) {
      look.releases.push_back({words[1], words[2], number(words[3]), words[4] == "good"});
    } else if (words.size() == 2 && words[0] == "served" && is_hex(words[1])) {
      look.served.push_back(words[1]);
    }
  }
  std::sort(look.releases.begin(), look.releases.end(),
            [](const auto& a, const auto& b) { return a.staged > b.staged; });
}

void ask_app(const std::string& url, HostLook& look, const base::Scope& scope) {
  try {
    const auto reply = http::get(url, scope.at_most(url_patience));
    if (reply.ok())
      look.running = base::printable(base::trim(reply.body).substr(0, shown_answer));
    else
      look.running_trouble = fmt::format("{} answered {}", http::origin_of(url), reply.status);
  } catch (const base::Error& error) {
    look.running_trouble = error.what();
  }
}

HostLook look_at_host(Hosts& hosts, const HostWish& wish, const base::Scope& scope) {
  HostLook look;
  look.host = wish.host;
  try {
    ssh::Command command;
    command.script = wish.path.empty() ? "true" : releases_script(wish.path);
    command.keep_bytes = 256UL * 1024UL;
    const auto exit = hosts.run(wish.host, command, {}, scope);
    if (!exit.ok())
      throw base::Error(base::ErrorCode::failed,
                        fmt::format("{}: the releases cannot be listed: {} {}", wish.host,
                                    ssh::describe(exit), base::printable(base::trim(exit.err))));
    read_releases(exit.out, look);
  } catch (const base::Error& error) {
    look.trouble = error.what();
    look.code = error.code();
    if (look.code == base::ErrorCode::host_key) look.changed_key = hosts.met_changed_key(wish.host);
  }
  if (!wish.release_url.empty()) ask_app(wish.release_url, look, scope);
  return look;
}

BalancerLook look_at_balancer(Hosts& hosts, const plan::Balancer& balancer, Look what,
                              const base::Scope& scope) {
  BalancerLook look;
  look.name = balancer.name;
  try {
    haproxy::Socket socket(balancer.name, dial_balancer(hosts, balancer, SocketKind::admin),
                           balancer.master_socket.empty()
                               ? haproxy::Dial{}
                               : dial_balancer(hosts, balancer, SocketKind::master));
    haproxy::Overview overview;
    overview.balancer = balancer.name;
    overview.level = look.level = socket.level(scope);
    overview.all = socket.snapshot({}, scope, haproxy::Socket::Tables::ask);
    overview.master = socket.has_master();
    if (overview.master) overview.workers = socket.workers(scope);
    look.info = overview.all.info;
    for (const auto& state : overview.all.states) {
      ServerLook server{"", state, {}};
      if (const auto* stat = overview.all.stat(state.ref)) server.stat = *stat;
      look.servers.push_back(std::move(server));
    }
    for (const auto& stat : overview.all.stats)
      if (stat.is_backend) look.backends.push_back(stat);
    if (what == Look::balancers) overview.files = files_say(hosts, balancer, look.info.pid, scope);
    look.findings = haproxy::risks(overview);
  } catch (const base::Error& error) {
    look.trouble = error.what();
  }
  return look;
}

void name_servers(const std::string& host, const std::vector<haproxy::ServerRef>& own,
                  BalancerLook& balancer) {
  haproxy::Snapshot all;
  for (auto& server : balancer.servers) {
    if (std::find(own.begin(), own.end(), server.state.ref) != own.end()) {
      // Of all services together: each deploy refuses by itself what one of its own shares.
      if (!server.host.empty())
        balancer.findings.push_back({haproxy::Finding::Severity::warning, balancer.name, "",
                                     shared_text(to_text(server.state.ref), server.host, host)});
      server.host = host;
    }
    all.states.push_back(server.state);
    all.stats.push_back(server.stat);
  }
  for (auto& finding : haproxy::overlooked(balancer.name, all, own))
    balancer.findings.push_back(std::move(finding));
}

/// Says which servers stand for which of the plan's hosts.
void name_servers(const plan::Plan& plan, Survey& survey) {
  std::vector<haproxy::View> views;
  for (const auto& balancer : survey.balancers) {
    if (!balancer.trouble.empty()) continue;
    haproxy::View view{balancer.name, {}};
    for (const auto& server : balancer.servers) view.servers.push_back(server.state);
    views.push_back(std::move(view));
  }
  if (views.empty()) return;
  for (const auto& [name, host] : plan.hosts) {
    if (!has_servers(host)) continue;
    try {
      std::map<std::string, std::vector<haproxy::ServerRef>> own;  // by balancer
      for (const auto& pair : haproxy::match(wanted_of(host), views)) own[pair.balancer].push_back(pair.ref);
      for (auto& balancer : survey.balancers) name_servers(name, own[balancer.name], balancer);
    } catch (const base::Error& error) {
      survey.notes.emplace_back(error.what());
    }
  }
}

}  // namespace

const ReleaseThere* HostLook::find(std::string_view release) const {
  for (const auto& there : releases)
    if (there.id == release) return &there;
  return nullptr;
}

Survey look(const plan::Plan& plan, const std::vector<HostWish>& wishes, Look what, const Person& person,
            const base::Scope& scope) {
  Survey survey;
  Hosts hosts(plan, person);
  if (what != Look::balancers) survey.hosts.resize(wishes.size());
  if (what != Look::hosts) survey.balancers.resize(plan.balancers.size());
  const auto count = survey.hosts.size() + survey.balancers.size();
  together(count, asked_at_once, [&](std::size_t i) {
    // Balancers first: they are few, and slow when they are reached through a host.
    if (i < survey.balancers.size())
      survey.balancers[i] = look_at_balancer(hosts, plan.balancers[i], what, scope);
    else
      survey.hosts[i - survey.balancers.size()] =
          look_at_host(hosts, wishes[i - survey.balancers.size()], scope);
  });
  if (scope.cancelled()) throw base::Error(base::ErrorCode::cancelled, "stopped");
  name_servers(plan, survey);
  return survey;
}

std::string state_in_words(const haproxy::ServerState& state) {
  namespace bit = haproxy::admin_bit;
  if ((state.admin & bit::forced_maint) != 0) return "maint";
  if ((state.admin & bit::inherited_maint) != 0) return "maint by the server it tracks";
  if ((state.admin & bit::no_address) != 0) return "maint: its name has no address";
  std::string health;
  switch (state.op) {
    case haproxy::Op::stopped:
      health = "DOWN";
      break;
    case haproxy::Op::starting:
      health = "starting";
      break;
    case haproxy::Op::running:
      health = state.checked() ? "up" : "up, not checked";
      break;
    case haproxy::Op::stopping:
      health = "stopping";
      break;
  }
  if ((state.admin & bit::forced_drain) != 0) return "drain, " + health;
  if ((state.admin & bit::inherited_drain) != 0) return "drain by the server it tracks, " + health;
  if (state.weight == 0) return "weight 0, " + health;
  return health;
}

namespace {

/// Of a commit, for people and apps.
constexpr std::size_t shortest_said = 7;

/// The release of those on a host that an app means by what it said of itself; "" for none of them.
std::string release_said(const std::string& said, const HostLook& there) {
  // An app may say the whole commit, its beginning, or the name of the release; and for a moment, or until it
  // is reloaded, of another release than the one that `current` links to.
  if (said == there.current) return said;
  if (said.size() < shortest_said) return {};
  const auto is_said = [&](const ReleaseThere& release) { return release.sha.starts_with(said); };
  if (const auto* live = there.find(there.current); live != nullptr && is_said(*live)) return live->id;
  const auto found = std::find_if(there.releases.begin(), there.releases.end(), is_said);
  return found == there.releases.end() ? std::string() : found->id;
}

/// By the releases of the other hosts where its own cannot be listed. What lies on none is called as a
/// release of it would be.
std::string version_of(const HostLook& host, const std::vector<HostLook>& all) {
  if (host.running.empty()) return host.current;
  if (auto own = release_said(host.running, host); !own.empty()) return own;
  for (const auto& other : all)
    if (auto known = release_said(host.running, other); !known.empty()) return known;
  constexpr std::size_t whole_sha = 40;
  constexpr std::size_t release_id = 12;
  if (!is_hex(host.running) || host.running.size() != whole_sha) return host.running;
  auto id = host.running.substr(0, release_id);
  const bool is_another =
      std::any_of(all.begin(), all.end(), [&](const HostLook& other) { return other.find(id) != nullptr; });
  return is_another ? host.running : id;
}

}  // namespace

std::string running_release(const HostLook& host) {
  auto id = release_said(host.running, host);
  return id.empty() ? host.running : id;
}

bool runs_another(const HostLook& host) {
  const auto& said = host.running;
  if (!host.trouble.empty() || host.current.empty() || said.empty()) return false;
  if (const auto id = release_said(said, host); !id.empty()) return id != host.current;
  const bool is_live = said.starts_with(host.current) || host.current.starts_with(said);
  // Digits alone are more likely the number of a build, or a time.
  const bool is_commit = is_hex(said) && said.size() >= shortest_said &&
                         said.find_first_not_of("0123456789") != std::string::npos;
  return is_commit && !is_live;
}

std::map<std::string, std::vector<std::string>> versions(const std::vector<HostLook>& hosts) {
  std::map<std::string, std::vector<std::string>> versions;
  for (const auto& host : hosts) {
    if (!host.trouble.empty() && host.running.empty()) continue;
    const std::string id = version_of(host, hosts);
    if (!id.empty()) versions[id].push_back(host.host);
  }
  return versions;
}

}  // namespace staithe::world
