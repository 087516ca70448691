#include "ssh_config_expand.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::ssh::config {
namespace {

/// A hundred is OpenSSH's limit for keys, 32 its limit for lists of files.
constexpr std::size_t max_identities = 100;
constexpr std::size_t max_files = 32;

template <class Value>
void set_first(std::optional<Value>& slot, Value value, const Line& line) {
  if (line.active && !slot) slot = std::move(value);
}

const std::string& only_word(const Line& line) {
  if (line.words.empty() || line.words.front().empty()) throw bad("a value is missing after " + line.keyword);
  if (line.words.size() > 1) throw bad(fmt::format("more than one value after {}", line.keyword));
  return line.words.front();
}

bool parse_flag(const std::string& word, const std::string& keyword) {
  if (equal_ignoring_case(word, "yes") || equal_ignoring_case(word, "true")) return true;
  if (equal_ignoring_case(word, "no") || equal_ignoring_case(word, "false")) return false;
  throw bad(fmt::format("{} takes yes or no, not '{}'", keyword, word));
}

template <auto Slot>
void text(Settings& settings, const Line& line, const Sources&) {
  set_first(settings.*Slot, only_word(line), line);
}

template <auto Slot>
void flag(Settings& settings, const Line& line, const Sources&) {
  set_first(settings.*Slot, parse_flag(only_word(line), line.keyword), line);
}

template <auto Slot>
void number(Settings& settings, const Line& line, const Sources&) {
  const auto value = parse_number(only_word(line));
  if (!value) throw bad(fmt::format("{} takes a number, not '{}'", line.keyword, line.words.front()));
  set_first(settings.*Slot, *value, line);
}

template <auto Slot>
void time(Settings& settings, const Line& line, const Sources&) {
  const std::string& word = only_word(line);
  // In OpenSSH "none" is the same as unset, so a later line can still set it.
  if (word == "none") return;
  const auto value = parse_time(word);
  if (!value) throw bad(fmt::format("{} takes a time like 30 or 1m30s, not '{}'", line.keyword, word));
  set_first(settings.*Slot, *value, line);
}

template <auto Slot>
void key_file(Settings& settings, const Line& line, const Sources&) {
  const NamedFile file{only_word(line), line.from_user};
  auto& files = settings.*Slot;
  if (!line.active || std::find(files.begin(), files.end(), file) != files.end()) return;
  if (files.size() >= max_identities) throw bad(fmt::format("more than {} files", max_identities));
  files.push_back(file);
}

/// A list that one line sets as a whole; "none" stands alone.
template <auto Slot>
void list(Settings& settings, const Line& line, const Sources&) {
  const bool first = (settings.*Slot).empty();
  for (const auto& word : line.words) {
    if (word.empty()) throw bad(fmt::format("an empty value after {}", line.keyword));
    if (equal_ignoring_case(word, "none") && line.words.size() > 1)
      throw bad(fmt::format("'none' must stand alone after {}", line.keyword));
  }
  if (!line.active || !first) return;
  if (line.words.size() > max_files) throw bad(fmt::format("more than {} values", max_files));
  settings.*Slot = line.words;
}

void port(Settings& settings, const Line& line, const Sources&) {
  const auto value = parse_port(only_word(line));
  if (!value || *value == 0) throw bad(fmt::format("'{}' is no port", line.words.front()));
  set_first(settings.port, *value, line);
}

void strict_host_keys(Settings& settings, const Line& line, const Sources&) {
  const std::string word = lower(only_word(line));
  StrictHostKeys value = StrictHostKeys::ask;
  if (word == "yes" || word == "true") {
    value = StrictHostKeys::yes;
  } else if (word == "no" || word == "false" || word == "off") {
    value = StrictHostKeys::no;
  } else if (word == "accept-new") {
    value = StrictHostKeys::accept_new;
  } else if (word != "ask") {
    throw bad(fmt::format("{} takes yes, accept-new, ask or no, not '{}'", line.keyword, word));
  }
  set_first(settings.strict_host_key_checking, value, line);
}

void address_family(Settings& settings, const Line& line, const Sources&) {
  const std::string word = lower(only_word(line));
  if (word != "any" && word != "inet" && word != "inet6")
    throw bad(fmt::format("{} takes any, inet or inet6, not '{}'", line.keyword, word));
  const auto value = word == "inet"    ? AddressFamily::inet
                     : word == "inet6" ? AddressFamily::inet6
                                       : AddressFamily::any;
  set_first(settings.address_family, value, line);
}

void canonicalize(Settings& settings, const Line& line, const Sources&) {
  const std::string& word = only_word(line);
  const auto value = equal_ignoring_case(word, "always") ? Canonicalize::always
                     : parse_flag(word, line.keyword)    ? Canonicalize::yes
                                                         : Canonicalize::no;
  set_first(settings.canonicalize_hostname, value, line);
}

void pubkey_authentication(Settings& settings, const Line& line, const Sources&) {
  const std::string& word = only_word(line);
  const bool bound = equal_ignoring_case(word, "unbound") || equal_ignoring_case(word, "host-bound");
  set_first(settings.pubkey_authentication, bound || parse_flag(word, line.keyword), line);
}

/// OpenSSH checks variables in agent paths on every line, also in blocks that do not match.
void check_agent_path(const std::string& path, const Sources& sources) {
  if (path.find("${") == std::string::npos) return;
  Tokens tokens;
  tokens.sources = &sources;
  std::string escaped;
  for (const char byte : path) escaped.append(byte == '%' ? 2 : 1, byte);
  expand(escaped, tokens, {}, Environment::expanded);
}

void identity_agent(Settings& settings, const Line& line, const Sources& sources) {
  const std::string& word = only_word(line);
  check_agent_path(word, sources);
  set_first(settings.identity_agent, word, line);
}

/// Whether to forward and which agent are two settings behind one keyword: "yes" first and a path later add
/// up.
void forward_agent(Settings& settings, const Line& line, const Sources& sources) {
  const std::string& word = only_word(line);
  const auto is = [&](const char* value) { return equal_ignoring_case(word, value); };
  if (is("yes") || is("true") || is("no") || is("false")) {
    set_first(settings.forward_agent, is("yes") || is("true"), line);
    return;
  }
  check_agent_path(word, sources);
  set_first(settings.forward_agent, true, line);
  set_first(settings.forward_agent_path, word, line);
}

/// All that is left of a line, as it stands.
std::string command_text(const Line& line) {
  const auto start = line.rest.find_first_not_of(" \t=");
  if (start == std::string_view::npos) throw bad("a value is missing after " + line.keyword);
  return std::string(line.rest.substr(start));
}

template <auto Slot>
void command(Settings& settings, const Line& line, const Sources&) {
  set_first(settings.*Slot, command_text(line), line);
}

/// ProxyJump and ProxyCommand compete: whichever comes first shuts the other out. Only "ProxyJump none"
/// leaves room for a ProxyCommand.
void proxy_command(Settings& settings, const Line& line, const Sources&) {
  std::string text = command_text(line);
  const bool jumps = settings.proxy_jump && !equal_ignoring_case(*settings.proxy_jump, "none");
  if (!jumps) set_first(settings.proxy_command, std::move(text), line);
}

void proxy_jump(Settings& settings, const Line& line, const Sources&) {
  const auto start = line.rest.find_first_not_of(" \t=");
  std::string_view value = start == std::string_view::npos ? std::string_view{} : line.rest.substr(start);
  value = value.substr(0, value.find('#'));
  while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
  if (value.empty() || !parse_proxy_jump(value)) throw bad(fmt::format("'{}' is no ProxyJump", value));
  if (!settings.proxy_command) set_first(settings.proxy_jump, std::string(value), line);
}

using Handler = void (*)(Settings&, const Line&, const Sources&);
struct Keyword {
  std::string_view name;
  Handler handler;
};

constexpr auto keywords = std::to_array<Keyword>({
    {"addressfamily", address_family},
    {"batchmode", flag<&Settings::batch_mode>},
    {"bindaddress", text<&Settings::bind_address>},
    {"bindinterface", text<&Settings::bind_interface>},
    {"canonicaldomains", list<&Settings::canonical_domains>},
    {"canonicalizefallbacklocal", flag<&Settings::canonicalize_fallback_local>},
    {"canonicalizehostname", canonicalize},
    {"canonicalizemaxdots", number<&Settings::canonicalize_max_dots>},
    {"certificatefile", key_file<&Settings::certificate_files>},
    {"challengeresponseauthentication", flag<&Settings::kbd_interactive_authentication>},
    {"checkhostip", flag<&Settings::check_host_ip>},
    {"ciphers", text<&Settings::ciphers>},
    {"compression", flag<&Settings::compression>},
    {"connectionattempts", number<&Settings::connection_attempts>},
    {"connecttimeout", time<&Settings::connect_timeout>},
    {"dsaauthentication", pubkey_authentication},
    {"forwardagent", forward_agent},
    {"globalknownhostsfile", list<&Settings::global_known_hosts_files>},
    {"hashknownhosts", flag<&Settings::hash_known_hosts>},
    {"hostkeyalgorithms", text<&Settings::host_key_algorithms>},
    {"hostkeyalias", text<&Settings::host_key_alias>},
    {"hostname", text<&Settings::hostname>},
    {"identitiesonly", flag<&Settings::identities_only>},
    {"identityagent", identity_agent},
    {"identityfile", key_file<&Settings::identity_files>},
    {"identityfile2", key_file<&Settings::identity_files>},
    {"ignoreunknown", text<&Settings::ignore_unknown>},
    {"kbdinteractiveauthentication", flag<&Settings::kbd_interactive_authentication>},
    {"keepalive", flag<&Settings::tcp_keep_alive>},
    {"kexalgorithms", text<&Settings::kex_algorithms>},
    {"knownhostscommand", command<&Settings::known_hosts_command>},
    {"macs", text<&Settings::macs>},
    {"passwordauthentication", flag<&Settings::password_authentication>},
    {"port", port},
    {"preferredauthentications", text<&Settings::preferred_authentications>},
    {"proxycommand", proxy_command},
    {"proxyjump", proxy_jump},
    {"proxyusefdpass", flag<&Settings::proxy_use_fdpass>},
    {"pubkeyacceptedalgorithms", text<&Settings::pubkey_accepted_algorithms>},
    {"pubkeyacceptedkeytypes", text<&Settings::pubkey_accepted_algorithms>},
    {"pubkeyauthentication", pubkey_authentication},
    {"requiredrsasize", number<&Settings::required_rsa_size>},
    {"revokedhostkeys", text<&Settings::revoked_host_keys>},
    {"serveralivecountmax", number<&Settings::server_alive_count_max>},
    {"serveraliveinterval", time<&Settings::server_alive_interval>},
    {"skeyauthentication", flag<&Settings::kbd_interactive_authentication>},
    {"stricthostkeychecking", strict_host_keys},
    {"tag", text<&Settings::tag>},
    {"tcpkeepalive", flag<&Settings::tcp_keep_alive>},
    {"tisauthentication", flag<&Settings::kbd_interactive_authentication>},
    {"user", text<&Settings::user>},
    {"userknownhostsfile", list<&Settings::user_known_hosts_files>},
});

/// Those of OpenSSH up to 10.2, and of Debian's patches to it, that mean nothing to staithe, as ssh spells
/// them.
constexpr auto idle_keywords = std::to_array<std::string_view>({
    "AddKeysToAgent",
    "AfsTokenPassing",
    "CanonicalizePermittedCNAMEs",
    "CASignatureAlgorithms",
    "ChannelTimeout",
    "Cipher",
    "ClearAllForwardings",
    "CompressionLevel",
    "ControlMaster",
    "ControlPath",
    "ControlPersist",
    "DynamicForward",
    "EnableEscapeCommandline",
    "EnableSSHKeysign",
    "EscapeChar",
    "ExitOnForwardFailure",
    "FallBackToRsh",
    "FingerprintHash",
    "ForkAfterAuthentication",
    "ForwardX11",
    "ForwardX11Timeout",
    "ForwardX11Trusted",
    "GatewayPorts",
    "GlobalKnownHostsFile2",
    "GSSAPIAuthentication",
    "GSSAPIClientIdentity",
    "GSSAPIDelegateCredentials",
    "GSSAPIKexAlgorithms",
    "GSSAPIKeyExchange",
    "GSSAPIRenewalForcesRekey",
    "GSSAPIServerIdentity",
    "GSSAPITrustDns",
    "HostbasedAcceptedAlgorithms",
    "HostbasedAuthentication",
    "HostbasedKeyTypes",
    "IPQoS",
    "KbdInteractiveDevices",
    "KerberosAuthentication",
    "KerberosTgtPassing",
    "LocalCommand",
    "LocalForward",
    "LogLevel",
    "LogVerbose",
    "NoHostAuthenticationForLocalhost",
    "NumberOfPasswordPrompts",
    "ObscureKeystrokeTiming",
    "PermitLocalCommand",
    "PermitRemoteOpen",
    "PKCS11Provider",
    "Protocol",
    "ProtocolKeepAlives",
    "RefuseConnection",
    "RekeyLimit",
    "RemoteCommand",
    "RemoteForward",
    "RequestTTY",
    "RhostsAuthentication",
    "RhostsRSAAuthentication",
    "RSAAuthentication",
    "SecurityKeyProvider",
    "SendEnv",
    "SessionType",
    "SetEnv",
    "SetupTimeOut",
    "SmartcardDevice",
    "StdinNull",
    "StreamLocalBindMask",
    "StreamLocalBindUnlink",
    "SyslogFacility",
    "Tunnel",
    "TunnelDevice",
    "UpdateHostKeys",
    "UseBlacklistedKeys",
    "UsePrivilegedPort",
    "UserKnownHostsFile2",
    "UseRoaming",
    "UseRsh",
    "VerifyHostKeyDNS",
    "VersionAddendum",
    "VisualHostKey",
    "WarnWeakCrypto",
    "XAuthLocation",
});

const Keyword* find(std::string_view name) noexcept {
  const auto found = std::find_if(keywords.begin(), keywords.end(),
                                  [&](const Keyword& keyword) { return keyword.name == name; });
  return found == keywords.end() ? nullptr : &*found;
}

}  // namespace

bool is_setting(std::string_view keyword) noexcept {
  return find(keyword) != nullptr;
}

bool is_idle(std::string_view keyword) noexcept {
  return std::any_of(idle_keywords.begin(), idle_keywords.end(),
                     [&](std::string_view idle) { return equal_ignoring_case(idle, keyword); });
}

void apply(Settings& settings, const Line& line, const Sources& sources) {
  if (const Keyword* found = find(line.keyword)) found->handler(settings, line, sources);
}

}  // namespace staithe::ssh::config
