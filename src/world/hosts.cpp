#include "hosts.hpp"

#include "outcome.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <set>
#include <thread>
#include <utility>

namespace staithe::world {
namespace {

constexpr base::Duration half_close_patience{5'000};
constexpr base::Duration idle_limit{30'000};
constexpr base::Duration idle_patience{5'000};
/// For so long a host that was silent is not waited for again.
constexpr base::Duration silence_lasts{10'000};

/// haproxy's stream carried by an SSH session. The session is used by one exchange at a time.
class ForwardedStream final : public haproxy::Stream {
 public:
  explicit ForwardedStream(std::unique_ptr<ssh::RemoteStream> stream) : stream_(std::move(stream)) {}

  void write_all(std::string_view bytes, const base::Scope& scope) override { stream_->write(bytes, scope); }
  void close_write() override { stream_->finish_writing(base::Scope::lasting(half_close_patience)); }
  std::string read_some(const base::Scope& scope) override {
    std::string bytes(16 * 1024, '\0');
    bytes.resize(stream_->read({bytes.data(), bytes.size()}, scope));
    return bytes;
  }

 private:
  std::unique_ptr<ssh::RemoteStream> stream_;
};

/// A connection that nobody used for a while may be dead without our knowing: a firewall forgot it, the host
/// was restarted. It is asked before something that cannot be repeated depends on it.
bool answers(ssh::Session& session, const base::Scope& scope) {
  if (!session.alive()) return false;
  try {
    ssh::Command nothing;
    nothing.script = ":";
    return session.run(nothing, {}, scope.at_most(idle_patience)).ok();
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::cancelled) throw;
    return false;
  }
}

}  // namespace

/// The session behind one balancer's sockets.
class Hosts::BalancerLink {
 public:
  BalancerLink(Hosts& hosts, std::string host) : hosts_(hosts), host_(std::move(host)) {}

  std::unique_ptr<haproxy::Stream> open(const std::string& path, const base::Scope& scope) {
    if (!session_ || !session_->alive()) {
      {
        auto& connection = hosts_.of(host_);
        const std::lock_guard lock(connection.mutex);
        refuse_silent(connection);
      }
      session_ = hosts_.engine_->connect(hosts_.endpoint(host_), scope);
    }
    return std::make_unique<ForwardedStream>(session_->open_unix(path, scope));
  }

 private:
  Hosts& hosts_;
  std::string host_;
  std::unique_ptr<ssh::Session> session_;
};

namespace {

/// A file kept with the project is the only one that counts: what is pinned there was looked at by somebody.
/// A key that is revoked stays so.
ssh::KeyRecords records_of(const ssh::Resolved& resolved, const std::string& project_file) {
  ssh::KeyRecords records;
  records.revoked = resolved.revoked_host_keys;
  if (!project_file.empty()) {
    records.files = {project_file};
    records.pin_file = project_file;
    return records;
  }
  records.files = resolved.user_known_hosts_files;
  if (!records.files.empty()) records.pin_file = records.files.front();
  records.files.insert(records.files.end(), resolved.global_known_hosts_files.begin(),
                       resolved.global_known_hosts_files.end());
  records.hash_names = resolved.hash_known_hosts;
  records.command = resolved.known_hosts_command;
  return records;
}

}  // namespace

Hosts::Hosts(const plan::Plan& plan, const Person& person)
    : plan_(plan), sources_(ssh::Sources::of_process()) {
  sources_.files = &config_files_;
  if (!plan.ssh.config.empty()) {
    sources_.user_file = plan.ssh.config;
    sources_.user_file_required = true;
  }
  ssh::Engine::Options options;
  options.host_key_check = [this](const ssh::Endpoint& endpoint, const ssh::HostKey& key) {
    trust_.check(endpoint, key);
  };
  options.passphrase = person.passphrase;
  options.handshakes_per_server = static_cast<int>(std::max(plan.ssh.max_handshakes, 1U));
  engine_ = std::make_unique<ssh::Engine>(std::move(options));
  // A file of keys that cannot be read is told before anything runs. The way to a host, with its bastions, is
  // not looked at yet: where that leads nowhere, it is this one host that cannot be reached.
  if (!plan.ssh.known_hosts.empty()) {
    trust_.read({plan.ssh.known_hosts});
    return;
  }
  for (const auto& [name, host] : plan.hosts) {
    ssh::Overrides as;
    if (!host.user.empty()) as.user = host.user;
    const auto resolved = ssh::resolve(sources_, host.address.empty() ? name : host.address, as);
    trust_.read(records_of(resolved, {}).files);
  }
}

Hosts::~Hosts() = default;

ssh::Endpoint Hosts::to_endpoint(const ssh::Resolved& resolved, const std::string& label) {
  ssh::Endpoint endpoint;
  endpoint.label = label;
  endpoint.address = resolved.hostname;
  endpoint.port = static_cast<std::uint16_t>(resolved.port);
  endpoint.user = resolved.user;
  endpoint.host_key_alias = resolved.host_key_alias;
  endpoint.key_records = records_of(resolved, plan_.ssh.known_hosts);
  endpoint.host_key_types = trust_.known_types(endpoint);
  endpoint.identity_files = resolved.identity_files;
  endpoint.identity_files_are_defaults = resolved.identity_files_are_defaults;
  endpoint.certificate_files = resolved.certificate_files;
  endpoint.identity_agent = resolved.identity_agent;
  endpoint.identities_only = resolved.identities_only;
  endpoint.algorithms = {resolved.ciphers,
                         resolved.macs,
                         resolved.kex_algorithms,
                         resolved.host_key_algorithms,
                         resolved.pubkey_accepted_algorithms,
                         resolved.required_rsa_size};
  endpoint.address_family = resolved.address_family;
  endpoint.bind_address = resolved.bind_address;
  endpoint.connection_attempts = resolved.connection_attempts;
  endpoint.proxy_command = resolved.proxy_command;
  endpoint.proxy_passes_socket = resolved.proxy_use_fdpass;
  // ssh bounds both by ConnectTimeout. The environment's own is short, for who is there answers at once; keys
  // may take a busy server longer.
  const bool is_said = resolved.connect_timeout.count() > 0;
  endpoint.connect_timeout = is_said ? resolved.connect_timeout : plan_.ssh.connect_timeout;
  endpoint.handshake_timeout = is_said ? resolved.connect_timeout : 3 * plan_.ssh.connect_timeout;
  if (resolved.server_alive_interval.count() > 0) {
    endpoint.keepalive_interval = resolved.server_alive_interval;
    endpoint.keepalive_count = resolved.server_alive_count_max;
  }
  return endpoint;
}

std::string Hosts::said_for_name_alone(const std::string& host) const {
  const auto& target = plan_.hosts.at(host);
  if (target.address.empty() || target.address == host) return {};
  const auto by_name = ssh::resolve(sources_, host);
  const auto asked = ssh::resolve(sources_, target.address);
  const auto way = [](const ssh::Resolved& resolved) {
    return resolved.proxy_jump.empty() ? resolved.proxy_command : resolved.proxy_jump;
  };
  std::vector<std::string> said;
  if (target.jump.empty() && way(asked).empty() && !way(by_name).empty())
    said.push_back(fmt::format("a proxy ({})", way(by_name)));
  if (target.user.empty() && by_name.user != asked.user) said.push_back("User " + by_name.user);
  if (target.port == 0 && by_name.port != asked.port) said.push_back(fmt::format("Port {}", by_name.port));
  if (target.identity_files.empty() && !by_name.identity_files_are_defaults)
    for (const auto& file : by_name.identity_files)
      if (std::find(asked.identity_files.begin(), asked.identity_files.end(), file) ==
          asked.identity_files.end())
        said.push_back("IdentityFile " + file);
  if (said.empty()) return {};
  return fmt::format("ssh_config has {} for the name {}, but is asked about the address {}",
                     base::join(said, ", "), host, target.address);
}

/// As `ssh ADDRESS` would reach it; what the inventory says wins over the configuration file. A bastion that
/// is a host of the inventory is reached as that host is: OpenSSH knows nothing of its address, user, port
/// and way.
std::vector<ssh::Resolved> Hosts::route(const std::string& host) const {
  const auto& target = plan_.hosts.at(host);
  const bool through_ours = target.jump != host && plan_.hosts.count(target.jump) != 0;
  ssh::Overrides overrides;
  if (!target.user.empty()) overrides.user = target.user;
  if (target.port != 0) overrides.port = target.port;
  // Of the two ways the first that is set wins, so this holds against either of the configuration's.
  if (through_ours) overrides.options.emplace_back("ProxyCommand none");
  if (!through_ours && !target.jump.empty()) overrides.options.push_back("ProxyJump " + target.jump);
  for (const auto& file : target.identity_files)
    overrides.options.push_back("IdentityFile " + base::shell_quote(file));
  auto way = ssh::route(sources_, target.address.empty() ? host : target.address, overrides);
  if (!through_ours) return way;
  auto before = route(target.jump);
  before.back().alias = target.jump;
  before.insert(before.end(), std::make_move_iterator(way.begin()), std::make_move_iterator(way.end()));
  return before;
}

std::vector<std::string> Hosts::unheard(const std::string& host) const {
  std::vector<std::string> texts;
  for (const auto& stop : route(host))
    for (const auto& [setting, place, meaning] : stop.unheard)
      texts.push_back(fmt::format("ssh_config sets {} for {} ({}), and that is not honoured: {}", setting,
                                  stop.alias, place, meaning));
  return texts;
}

ssh::Endpoint Hosts::endpoint(const std::string& host) {
  const auto route = this->route(host);
  auto endpoint = to_endpoint(route.back(), host);
  for (std::size_t hop = 0; hop + 1 < route.size(); ++hop)
    endpoint.jumps.push_back(to_endpoint(route[hop], route[hop].alias));
  return endpoint;
}

Hosts::Connection& Hosts::of(const std::string& host) {
  const std::lock_guard lock(mutex_);
  auto& connection = connections_[host];
  if (!connection) connection = std::make_unique<Connection>();
  return *connection;
}

/// Who was waited for in vain a moment ago is not waited for again: once is what people are told of.
void Hosts::refuse_silent(Connection& connection) {
  const auto silent = std::exchange(connection.silent, std::nullopt);
  if (silent && std::chrono::steady_clock::now() - connection.used < silence_lasts)
    throw base::Error(*silent);
}

std::unique_ptr<ssh::Session> Hosts::connect(const std::string& host, const base::Scope& scope) {
  try {
    return engine_->connect(endpoint(host), scope);
  } catch (const base::Error& error) {
    if (error.code() != base::ErrorCode::auth) throw;
    std::string meant;
    try {
      meant = said_for_name_alone(host);
    } catch (const base::Error&) {
      // What ssh_config has for the name cannot be read: that was not asked for, and hides nothing.
    }
    if (meant.empty()) throw;
    throw base::Error(error.code(), fmt::format("{}; {}", error.what(), meant));
  }
}

ssh::Session& Hosts::live(const std::string& host, Connection& connection, const base::Scope& scope) {
  const auto now = std::chrono::steady_clock::now();
  const bool idle = now - connection.used > idle_limit;
  const bool usable =
      connection.session && (idle ? answers(*connection.session, scope) : connection.session->alive());
  if (!usable) {
    connection.session.reset();
    refuse_silent(connection);
    connection.session = connect(host, scope);
  }
  connection.used = std::chrono::steady_clock::now();
  return *connection.session;
}

ssh::Exit Hosts::run(const std::string& host, const ssh::Command& command, const ssh::OutputSink& sink,
                     const base::Scope& scope) {
  auto& connection = of(host);
  const std::lock_guard lock(connection.mutex);
  auto& session = before_sending([&]() -> ssh::Session& { return live(host, connection, scope); });
  return session.run(command, sink, scope);
}

void Hosts::upload(const std::string& host, const std::string& path, const std::string& bytes, unsigned mode,
                   const base::Scope& scope) {
  auto& connection = of(host);
  const std::lock_guard lock(connection.mutex);
  auto& session = before_sending([&]() -> ssh::Session& { return live(host, connection, scope); });
  session.upload(ssh::Upload::of(path, bytes, mode), scope);
}

void Hosts::close(const std::string& host) noexcept {
  auto& connection = of(host);
  const std::lock_guard lock(connection.mutex);
  connection.session.reset();
}

ssh::HostKey Hosts::scan(const ssh::Endpoint& endpoint, std::string_view type, const base::Scope& scope) {
  return engine_->scan(endpoint, scope, type);
}

ssh::Verdict Hosts::judge(const ssh::Endpoint& endpoint, const ssh::HostKey& key) {
  return trust_.judge(endpoint, key);
}

bool Hosts::met_changed_key(const std::string& host) {
  const auto way = endpoint(host);
  return trust_.met_changed(way) ||
         std::any_of(way.jumps.begin(), way.jumps.end(),
                     [&](const ssh::Endpoint& jump) { return trust_.met_changed(jump); });
}

std::string Hosts::means_to(const std::string& host, const std::string& path, const base::Scope& scope) {
  auto& connection = of(host);
  const std::lock_guard lock(connection.mutex);
  return std::string(live(host, connection, scope).open_unix(path, scope)->means());
}

const ssh::Session* Hosts::session(const std::string& host) {
  auto& connection = of(host);
  const std::lock_guard lock(connection.mutex);
  return connection.session.get();
}

haproxy::Dial Hosts::dial_unix(const std::string& host, const std::string& path) {
  // Both sockets of a balancer could share one link, but their exchanges take turns per socket only.
  auto link = std::make_shared<BalancerLink>(*this, host);
  return [link, path](const base::Scope& scope) { return link->open(path, scope); };
}

std::vector<ConnectFinding> Hosts::connect_all(std::size_t at_once, const base::Scope& scope) {
  std::vector<std::string> names;
  for (const auto& [name, host] : plan_.hosts) names.push_back(name);
  std::vector<ConnectFinding> findings;
  std::mutex findings_mutex;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < names.size(); i = next++) {
      auto& connection = of(names[i]);
      const std::lock_guard lock(connection.mutex);
      try {
        live(names[i], connection, scope);
      } catch (const base::Error& error) {
        if (error.code() == base::ErrorCode::timeout) {
          connection.silent = error;
          connection.used = std::chrono::steady_clock::now();
        }
        const std::lock_guard guard(findings_mutex);
        const bool changed = error.code() == base::ErrorCode::host_key && met_changed_key(names[i]);
        findings.push_back({names[i], error.code(), error.what(), changed});
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(at_once, names.size()); ++i) threads.emplace_back(work);
    work();
  }
  std::sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) { return a.host < b.host; });
  return findings;
}

}  // namespace staithe::world
