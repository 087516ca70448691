#include "staithe/haproxy/risks.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/match.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace staithe::haproxy {
namespace {

using Severity = Finding::Severity;
using Answer = FilesSay::Answer;

class Risks {
 public:
  explicit Risks(const Overview& overview) : overview_(overview) {
    for (const auto& table : overview.all.tables) tables_.insert(table.name);
    for (const auto& stat : overview.all.stats) {
      if (stat.is_backend) backends_[stat.ref.backend].row = &stat;
      if (!stat.is_backend) backends_[stat.ref.backend].stats.emplace(stat.ref.server, &stat);
    }
    for (const auto& state : overview.all.states) backends_[state.ref.backend].servers.push_back(&state);
  }

  std::vector<Finding> run() {
    process();
    for (const auto& [name, backend] : backends_)
      if (!backend.servers.empty()) look_at(name, backend);
    return std::move(findings_);
  }

 private:
  struct Backend {
    const ServerStat* row = nullptr;
    std::map<std::string, const ServerStat*> stats;
    std::vector<const ServerState*> servers;
  };

  void add(Severity severity, std::string subject, std::string text) {
    findings_.push_back({severity, overview_.balancer, std::move(subject), std::move(text)});
  }

  void process() {
    if (!overview_.level.empty() && overview_.level != "admin")
      add(Severity::error, "", "the socket has level " + overview_.level + ": draining needs level admin");
    if (overview_.all.info.stopping) add(Severity::error, "", "this HAProxy process is stopping");
    const auto& version = overview_.all.info.version;
    if (!overview_.all.info.at_least(3, 0, 6))
      add(Severity::note, "",
          "HAProxy " + version +
              ": never pause a frontend through the socket (set maxconn frontend); "
              "raising it again can deadlock the process before 3.0.6");
    const auto old = std::count_if(overview_.workers.begin(), overview_.workers.end(),
                                   [](const auto& worker) { return worker.old; });
    if (old > 0)
      add(Severity::warning, "",
          base::count_text(static_cast<std::uint64_t>(old), "old worker") +
              " from before a reload still finish" + (old == 1 ? "es" : "") +
              " sessions, and cannot be drained");
    if (!overview_.master)
      add(Severity::note, "",
          "no master socket is declared: sessions of old workers after a reload cannot be counted");
    reloads();
  }

  void reloads() {
    if (overview_.files.keeps_states == Answer::no)
      add(Severity::note, "",
          "its files have no load-server-state-from-file: a reload, say for a new certificate, takes every "
          "server for UP until its first check and forgets drains until they are put back, so a request or "
          "two "
          "may meet an app that is down; do not reload it during a deploy");
    if (overview_.files.keeps_states == Answer::unknown)
      add(Severity::note, "",
          "its configuration files cannot be read from here, so it is not known whether it loads server "
          "states: "
          "take it that a reload takes every server for UP until its first check and forgets drains, and do "
          "not "
          "reload it during a deploy");
    if (overview_.files.keeps_states == Answer::yes)
      add(Severity::note, "",
          "its files load server states: dump 'show servers state' before every reload, or an old file "
          "brings "
          "an old drain back");
  }

  void look_at(const std::string& name, const Backend& backend) {
    const auto real = std::count_if(backend.servers.begin(), backend.servers.end(), [&](const auto* server) {
      const auto stat = backend.stats.find(server->ref.server);
      return stat == backend.stats.end() || !stat->second->backup;
    });
    if (real <= 1) add(Severity::warning, name, "a single server: taking it out stops the backend");
    unchecked(name, backend);
    persistence(name, backend);
    weights(name, backend);
    for (const auto* server : backend.servers) look_at(*server, backend);
  }

  void unchecked(const std::string& name, const Backend& backend) {
    std::vector<std::string> without;
    for (const auto* server : backend.servers) {
      const auto stat = backend.stats.find(server->ref.server);
      const bool tracks = stat != backend.stats.end() && stat->second->tracked.has_value();
      if (!server->checked() && !tracks && !server->in_maint()) without.push_back(server->ref.server);
    }
    if (!without.empty())
      add(Severity::warning, name,
          "no health check on " + base::fold_names(without) + ": HAProxy cannot prove that they came back");
  }

  void persistence(const std::string& name, const Backend& backend) {
    const bool cookies = std::any_of(backend.stats.begin(), backend.stats.end(),
                                     [](const auto& stat) { return !stat.second->cookie.empty(); });
    if (cookies)
      add(Severity::note, name,
          "visitors are bound by cookie: a drain alone may never end; maintenance moves them");
    if (cookies && overview_.files.ends_sessions == Answer::yes)
      add(Severity::warning, name,
          "visitors are bound by cookie, and on-marked-down shutdown-sessions stands in its files: the "
          "maintenance "
          "that moves them then cuts off the requests they have in flight; take it out, at least where "
          "cookies "
          "are");
    if (tables_.count(name) != 0)
      add(Severity::note, name,
          "it has a stick table: where that binds visitors, a drain alone may never end");
  }

  void weights(const std::string& name, const Backend& backend) {
    static constexpr std::array<std::string_view, 5> fixed{"static-rr", "source", "uri", "url_param", "hdr"};
    if (backend.row != nullptr)
      for (const auto algorithm : fixed)
        if (backend.row->algorithm.starts_with(algorithm))
          add(Severity::note, name,
              "balance " + backend.row->algorithm +
                  ": weights can only be 0% or 100% unless hash-type is consistent");
    if (std::all_of(backend.servers.begin(), backend.servers.end(),
                    [](const auto* server) { return server->initial_weight == 1; }))
      add(Severity::note, name, "all weights are 1: any share below 100% becomes 0; configure weight 100");
  }

  void look_at(const ServerState& server, const Backend& backend) {
    const auto subject = to_text(server.ref);
    if (server.agent_on())
      add(Severity::note, subject,
          "an agent check can overrule a drain; it is switched off while the server is out");
    const auto stat = backend.stats.find(server.ref.server);
    if ((server.admin & admin_bit::no_address) != 0) {
      add(Severity::note, subject, "its name has no address");
    } else if (server.in_maint()) {
      add(Severity::warning, subject, "is in maintenance");
    } else if (server.in_drain()) {
      add(Severity::warning, subject, "is drained");
    } else if (server.weight == 0) {
      add(Severity::warning, subject, "has weight 0");
    } else if (!server.usable()) {
      add(Severity::warning, subject,
          "is " + (stat == backend.stats.end() || stat->second->status.empty() ? "not serving"
                                                                               : stat->second->status));
    }
  }

  const Overview& overview_;
  std::set<std::string> tables_;
  std::map<std::string, Backend> backends_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> risks(const Overview& overview) {
  return Risks(overview).run();
}

std::vector<Finding> overlooked(const std::string& balancer, const Snapshot& all,
                                const std::vector<ServerRef>& refs) {
  const auto known = with_followers(all, refs);
  const auto is_known = [&](const ServerRef& ref) {
    return std::find(known.begin(), known.end(), ref) != known.end();
  };
  std::vector<Finding> findings;
  for (const auto& ref : refs) {
    const auto* own = all.state(ref);
    if (own == nullptr || own->port == 0 || own->address.empty()) continue;
    for (const auto& other : all.states) {
      if (other.port != own->port || !same_address(other.address, own->address) || is_known(other.ref))
        continue;
      Finding finding{
          Finding::Severity::warning, balancer, to_text(other.ref),
          "is the app of " + to_text(ref) +
              " too, by its address, and stays in rotation: its visitors meet the restart. Name it "
              "in 'servers', or say 'servers: auto'"};
      const bool said = std::any_of(findings.begin(), findings.end(),
                                    [&](const auto& before) { return before.subject == finding.subject; });
      if (!said) findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace staithe::haproxy
