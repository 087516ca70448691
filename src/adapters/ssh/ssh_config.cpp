#include "staithe/ssh/ssh_config.hpp"

#include "ssh_config_expand.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include "staithe/base/text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <memory>

namespace staithe::ssh {
namespace config {
namespace {

/// The usual spelling of an IP address ("127.1" is "127.0.0.1"); nullopt for a name. Asks nobody.
std::optional<std::string> canonical_address(const std::string& host, AddressFamily family) {
  addrinfo hints{};
  hints.ai_family = family == AddressFamily::inet    ? AF_INET
                    : family == AddressFamily::inet6 ? AF_INET6
                                                     : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0 || !list) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(list->ai_addr, list->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) !=
      0)
    return std::nullopt;
  return std::string(text.data());
}

/// OpenSSH leaves the case of such names alone, also where they are no address after all.
bool looks_like_address(const std::string& host) {
  return host.find_first_of("%:") != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

/// CanonicalizeHostname: the first of the domains that makes a known name. Source: ssh_config(5).
std::string canonicalized(const Settings& settings, const Sources& sources, const std::string& host) {
  const auto mode = settings.canonicalize_hostname.value_or(Canonicalize::no);
  const bool proxied = (settings.proxy_command && !equal_ignoring_case(*settings.proxy_command, "none")) ||
                       (settings.proxy_jump && !equal_ignoring_case(*settings.proxy_jump, "none"));
  if (mode == Canonicalize::no || (proxied && mode != Canonicalize::always)) return host;
  const bool no_domains =
      settings.canonical_domains.empty() || equal_ignoring_case(settings.canonical_domains.front(), "none");
  const auto dots = std::count(host.begin(), host.end(), '.');
  if (no_domains || host.ends_with('.') || dots > settings.canonicalize_max_dots.value_or(1)) return host;
  if (!sources.name_exists) throw bad(fmt::format("CanonicalizeHostname cannot look '{}' up here", host));
  for (const std::string& domain : settings.canonical_domains) {
    std::string full = fmt::format("{}.{}", host, domain);
    if (sources.name_exists(full)) return lower(full);
  }
  if (!settings.canonicalize_fallback_local.value_or(true))
    throw base::Error(base::ErrorCode::resolve, fmt::format("no canonical domain knows the host '{}'", host));
  return host;
}

void check_destination(const std::string& host, std::string_view text) {
  if (host.empty() || host.starts_with('-'))
    throw base::Error(base::ErrorCode::invalid, fmt::format("'{}' is no ssh destination", text));
  const auto odd = [](char byte) { return static_cast<unsigned char>(byte) <= ' ' || byte == '\x7f'; };
  if (std::any_of(host.begin(), host.end(), odd))
    throw base::Error(base::ErrorCode::invalid, "white space or a control character in an ssh destination");
}

/// What ssh makes of its first argument; other than in ProxyJump, "host:22" is all host (think of IPv6).
Destination split_destination(std::string_view text) {
  Destination out;
  if (is_uri(text)) {
    const auto parsed = parse_uri(text);
    if (!parsed) throw base::Error(base::ErrorCode::invalid, fmt::format("'{}' is no ssh destination", text));
    out = *parsed;
  } else if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    if (at == 0) throw base::Error(base::ErrorCode::invalid, fmt::format("'{}' is no ssh destination", text));
    out.user = text.substr(0, at);
    out.host = text.substr(at + 1);
  } else {
    out.host = text;
  }
  check_destination(out.host, text);
  return out;
}

}  // namespace

std::string target_host(const Settings& settings, const Sources& sources, const std::string& host) {
  if (!settings.hostname) return host;
  Tokens tokens;
  tokens.sources = &sources;
  tokens.hostname = host;
  return expand(*settings.hostname, tokens, "h", Environment::ignored);
}

Raw read_all(const Sources& sources, std::string_view destination, const Overrides& overrides,
             const base::Scope& scope) {
  const Destination asked = split_destination(destination);
  Raw out;
  out.original = asked.host;
  Settings& settings = out.settings;
  if (!asked.user.empty()) settings.user = asked.user;
  if (asked.port != 0) settings.port = asked.port;
  if (!settings.user) settings.user = overrides.user;
  if (!settings.port) settings.port = overrides.port;
  for (const std::string& option : overrides.options) read_option(settings, option, sources);

  Pass pass;
  pass.sources = &sources;
  pass.scope = &scope;
  pass.original = out.original;
  read_files(settings, pass);

  out.hostname = target_host(settings, sources, out.original);
  const auto family = settings.address_family.value_or(AddressFamily::any);
  if (const auto address = canonical_address(out.hostname, family)) {
    if (!equal_ignoring_case(*address, out.hostname)) out.hostname = *address;
  } else if (!looks_like_address(out.hostname)) {
    out.hostname = canonicalized(settings, sources, lower(out.hostname));
  }
  check_destination(out.hostname, destination);
  const bool canonicalizing = settings.canonicalize_hostname.value_or(Canonicalize::no) != Canonicalize::no;
  if (pass.wants_final || canonicalizing) {
    settings.hostname = out.hostname;
    pass.final_host = out.hostname;
    read_files(settings, pass);
  }
  return out;
}

namespace {

std::vector<std::string> expanded_files(const std::vector<NamedFile>& files, const Tokens& tokens) {
  std::vector<std::string> out;
  for (const NamedFile& file : files) {
    if (equal_ignoring_case(file.path, "none")) continue;
    out.push_back(
        expand(expand_tilde(file.path, *tokens.sources), tokens, all_tokens, Environment::expanded));
  }
  return out;
}

std::vector<std::string> known_hosts_files(const std::vector<std::string>& files,
                                           std::initializer_list<const char*> defaults) {
  if (files.empty()) return {defaults.begin(), defaults.end()};
  if (equal_ignoring_case(files.front(), "none")) return {};
  return files;
}

/// "none", a path, or the content of a variable that is named with a dollar.
std::string agent_path(const std::string& raw, const Tokens& tokens) {
  if (raw == "none") return raw;
  if (raw == "SSH_AUTH_SOCK") return {};
  if (raw.starts_with('$') && !raw.starts_with("${")) {
    const std::string* value = variable(*tokens.sources, raw.substr(1));
    return value ? *value : "none";
  }
  return expand(expand_tilde(raw, *tokens.sources), tokens, all_tokens, Environment::expanded);
}

/// Order and choice of OpenSSH 9.2, without the types that no default build has (xmss) or that are dead
/// (dsa).
std::vector<NamedFile> default_identities() {
  std::vector<NamedFile> out;
  for (const char* name : {"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"})
    out.push_back({fmt::format("~/.ssh/{}", name), true});
  return out;
}

base::Duration seconds(const std::optional<int>& value) {
  return std::chrono::seconds(std::max(0, value.value_or(0)));
}

void fill_plain(Resolved& out, const Settings& settings) {
  out.identities_only = settings.identities_only.value_or(false);
  out.strict_host_key_checking = settings.strict_host_key_checking.value_or(StrictHostKeys::ask);
  out.hash_known_hosts = settings.hash_known_hosts.value_or(false);
  out.check_host_ip = settings.check_host_ip.value_or(false);
  out.connect_timeout = seconds(settings.connect_timeout);
  out.connection_attempts = settings.connection_attempts.value_or(1);
  out.server_alive_interval = seconds(settings.server_alive_interval);
  out.server_alive_count_max = settings.server_alive_count_max.value_or(3);
  out.tcp_keep_alive = settings.tcp_keep_alive.value_or(true);
  out.preferred_authentications = base::split(settings.preferred_authentications.value_or(""), ',');
  out.pubkey_authentication = settings.pubkey_authentication.value_or(true);
  out.password_authentication = settings.password_authentication.value_or(true);
  out.kbd_interactive_authentication = settings.kbd_interactive_authentication.value_or(true);
  out.batch_mode = settings.batch_mode.value_or(false);
  out.address_family = settings.address_family.value_or(AddressFamily::any);
  out.bind_address = settings.bind_address.value_or("");
  out.bind_interface = settings.bind_interface.value_or("");
  out.compression = settings.compression.value_or(false);
  out.proxy_use_fdpass = settings.proxy_use_fdpass.value_or(false);
  out.ciphers = settings.ciphers.value_or("");
  out.macs = settings.macs.value_or("");
  out.kex_algorithms = settings.kex_algorithms.value_or("");
  out.host_key_algorithms = settings.host_key_algorithms.value_or("");
  out.required_rsa_size = settings.required_rsa_size.value_or(0);
  out.pubkey_accepted_algorithms = settings.pubkey_accepted_algorithms.value_or("");
}

}  // namespace

Resolved finish(const Raw& raw, const Sources& sources) {
  const Settings& settings = raw.settings;
  Resolved out;
  fill_plain(out, settings);
  out.unheard = unheard_of(settings);
  out.alias = raw.original;
  out.hostname = raw.hostname;
  out.user = settings.user.value_or(sources.local_user);
  out.port = settings.port.value_or(22);
  out.host_key_alias = lower(settings.host_key_alias.value_or(""));

  Tokens tokens;
  tokens.sources = &sources;
  tokens.original = raw.original;
  tokens.hostname = out.hostname;
  tokens.port = std::to_string(out.port);
  tokens.user = out.user;
  tokens.key_alias = out.host_key_alias.empty() ? raw.original : out.host_key_alias;

  out.identity_files_are_defaults = settings.identity_files.empty();
  out.identity_files = expanded_files(
      settings.identity_files.empty() ? default_identities() : settings.identity_files, tokens);
  out.certificate_files = expanded_files(settings.certificate_files, tokens);
  if (settings.identity_agent) out.identity_agent = agent_path(*settings.identity_agent, tokens);
  out.forward_agent = settings.forward_agent.value_or(false) ? "yes" : "no";
  if (settings.forward_agent.value_or(false) && settings.forward_agent_path) {
    const std::string path = agent_path(*settings.forward_agent_path, tokens);
    out.forward_agent = path == "none" ? "no" : path.empty() ? "yes" : path;
  }
  if (settings.proxy_jump && !equal_ignoring_case(*settings.proxy_jump, "none"))
    out.proxy_jump = *settings.proxy_jump;
  if (settings.proxy_command && !equal_ignoring_case(*settings.proxy_command, "none"))
    out.proxy_command = expand(*settings.proxy_command, tokens, proxy_tokens, Environment::ignored);
  const auto said = [](const std::optional<std::string>& value) {
    return value && !equal_ignoring_case(*value, "none") ? *value : std::string();
  };
  if (const auto file = said(settings.revoked_host_keys); !file.empty())
    out.revoked_host_keys = expand(expand_tilde(file, sources), tokens, all_tokens, Environment::expanded);
  out.known_hosts_command = said(settings.known_hosts_command);
  for (const auto& file :
       known_hosts_files(settings.user_known_hosts_files, {"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}))
    out.user_known_hosts_files.push_back(
        expand(expand_tilde(file, sources), tokens, all_tokens, Environment::expanded));
  out.global_known_hosts_files = known_hosts_files(settings.global_known_hosts_files,
                                                   {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"});
  return out;
}

}  // namespace config

Resolved resolve(const Sources& sources, std::string_view destination, const Overrides& overrides,
                 const base::Scope& scope) {
  const auto raw = config::read_all(sources, destination, overrides, scope);
  try {
    return config::finish(raw, sources);
  } catch (const base::Error& error) {
    throw error.within(fmt::format("ssh configuration of {}", raw.original));
  }
}

std::optional<std::vector<Jump>> parse_proxy_jump(std::string_view text) {
  if (text.empty() || config::equal_ignoring_case(text, "none")) return std::vector<Jump>{};
  std::vector<Jump> out;
  for (const std::string& part : base::split(text, ',')) {
    auto hop = config::parse_hop(part);
    if (!hop) return std::nullopt;
    out.push_back({std::move(hop->user), std::move(hop->host), hop->port});
  }
  return out;
}

namespace {

constexpr std::size_t max_hops = 8;

bool same_place(const Resolved& a, const Resolved& b) {
  return a.hostname == b.hostname && a.port == b.port && a.user == b.user;
}

[[noreturn]] void circle(const std::vector<Resolved>& way) {
  std::string text;
  for (auto hop = way.rbegin(); hop != way.rend(); ++hop)
    text += fmt::format("{}{}", text.empty() ? "" : " through ", hop->alias);
  throw base::Error(
      base::ErrorCode::invalid,
      fmt::format("ProxyJump goes in a circle, or over more than {} hosts: {}", max_hops, text));
}

}  // namespace

std::vector<Resolved> route(const Sources& sources, std::string_view destination, const Overrides& overrides,
                            const base::Scope& scope) {
  std::vector<Resolved> way{resolve(sources, destination, overrides, scope)};
  // From the destination backwards: the last jump is how to get there, and carries the jumps before it as its
  // own.
  while (!way.front().proxy_jump.empty()) {
    auto jumps = parse_proxy_jump(way.front().proxy_jump);
    if (!jumps || jumps->empty())
      throw base::Error(base::ErrorCode::invalid,
                        fmt::format("'{}' is no ProxyJump", way.front().proxy_jump));
    const Jump last = jumps->back();
    Overrides hop;
    if (!last.user.empty()) hop.user = last.user;
    if (last.port != 0) hop.port = last.port;
    const auto comma = way.front().proxy_jump.rfind(',');
    if (comma != std::string::npos)
      hop.options.push_back("ProxyJump " + way.front().proxy_jump.substr(0, comma));
    Resolved next = resolve(sources, last.host, hop, scope);
    const bool again = std::any_of(way.begin(), way.end(), [&](const Resolved& one) {
      return same_place(one, next) && one.proxy_jump == next.proxy_jump;
    });
    way.insert(way.begin(), std::move(next));
    if (again || way.size() > max_hops + 1) circle(way);
  }
  return way;
}

}  // namespace staithe::ssh
