/// Holds our reader of ssh_config to `ssh -G`: the same file must mean the same to both.
#include "catch.hpp"
#include "config_support.hpp"
#include "ssh_config_grammar.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include <fmt/format.h>

#include <map>

using namespace staithe;
using namespace config_support;

namespace {

using Dump = std::map<std::string, std::vector<std::string>>;

Dump parse_dump(const std::string& text) {
  Dump out;
  for (const auto& line : base::split(text, '\n'))
    if (const auto space = line.find(' '); space != std::string::npos)
      out[line.substr(0, space)].push_back(line.substr(space + 1));
  return out;
}

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

/// The form in which ssh -G shows a ProxyJump: only the last hop is put in order.
std::string jump_text(const std::string& raw) {
  const auto hops = ssh::parse_proxy_jump(raw);
  const auto& last = hops->back();
  const auto comma = raw.rfind(',');
  const bool brackets = last.host.find(':') != std::string::npos ||
                        last.host.find_first_not_of("1234567890.") == std::string::npos;
  return fmt::format("{}{}{}{}{}", comma == std::string::npos ? "" : raw.substr(0, comma + 1),
                     last.user.empty() ? "" : last.user + "@", brackets ? "[" + last.host + "]" : last.host,
                     "", last.port == 0 ? "" : fmt::format(":{}", last.port));
}

std::vector<std::string> paths(const std::vector<ssh::config::NamedFile>& files) {
  std::vector<std::string> out;
  for (const auto& file : files) out.push_back(file.path);
  return out;
}

std::string files_text(const std::vector<std::string>& files) {
  return files.empty() ? "none" : base::join(files, " ");
}

/// What ssh -G would print, as far as staithe cares. A key that must not be there has no element.
Dump our_dump(const ssh::Sources& sources, const std::string& destination, const ssh::Overrides& overrides) {
  const auto scope = base::Scope::lasting(std::chrono::seconds(30));
  const auto raw = ssh::config::read_all(sources, destination, overrides, scope);
  const auto all = ssh::config::finish(raw, sources);
  const auto& said = raw.settings;
  Dump out;
  out["hostname"] = {all.hostname};
  out["user"] = {all.user};
  out["port"] = {std::to_string(all.port)};
  if (!all.identity_files_are_defaults) out["identityfile"] = paths(said.identity_files);
  out["certificatefile"] = paths(said.certificate_files);
  out["identityagent"] = {};
  if (said.identity_agent) {
    // ssh keeps the name of the variable; we give what it holds.
    const bool named = said.identity_agent->starts_with('$') && !said.identity_agent->starts_with("${");
    const bool standard = *said.identity_agent == "SSH_AUTH_SOCK";
    out["identityagent"] = {named || standard ? *said.identity_agent : all.identity_agent};
  }
  out["proxyjump"] = {};
  if (!all.proxy_jump.empty()) out["proxyjump"] = {jump_text(all.proxy_jump)};
  out["proxycommand"] = {};
  if (!all.proxy_command.empty()) out["proxycommand"] = {*said.proxy_command};
  out["hostkeyalias"] = {};
  if (!all.host_key_alias.empty()) out["hostkeyalias"] = {all.host_key_alias};
  out["userknownhostsfile"] = {files_text(all.user_known_hosts_files)};
  out["globalknownhostsfile"] = {files_text(all.global_known_hosts_files)};
  out["revokedhostkeys"] = {};
  if (!all.revoked_host_keys.empty()) out["revokedhostkeys"] = {*said.revoked_host_keys};
  out["knownhostscommand"] = {};
  if (!all.known_hosts_command.empty()) out["knownhostscommand"] = {all.known_hosts_command};
  switch (all.strict_host_key_checking) {
    case ssh::StrictHostKeys::yes:
      out["stricthostkeychecking"] = {"true"};
      break;
    case ssh::StrictHostKeys::no:
      out["stricthostkeychecking"] = {"false"};
      break;
    case ssh::StrictHostKeys::ask:
      out["stricthostkeychecking"] = {"ask"};
      break;
    case ssh::StrictHostKeys::accept_new:
      out["stricthostkeychecking"] = {"accept-new"};
      break;
  }
  out["identitiesonly"] = {yes_no(all.identities_only)};
  const int timeout = said.connect_timeout.value_or(-1);
  out["connecttimeout"] = {timeout < 0 ? "none" : std::to_string(timeout)};
  if (said.server_alive_interval) out["serveraliveinterval"] = {std::to_string(*said.server_alive_interval)};
  out["serveralivecountmax"] = {std::to_string(all.server_alive_count_max)};
  out["hashknownhosts"] = {yes_no(all.hash_known_hosts)};
  out["checkhostip"] = {yes_no(all.check_host_ip)};
  out["tcpkeepalive"] = {yes_no(all.tcp_keep_alive)};
  out["batchmode"] = {yes_no(all.batch_mode)};
  out["connectionattempts"] = {std::to_string(all.connection_attempts)};
  const std::string agent = said.forward_agent_path.value_or("");
  // ssh shows a path even where "no" came first, and the name of a variable for what it holds.
  const bool shown_raw = agent.starts_with('$') || (!agent.empty() && all.forward_agent == "no");
  out["forwardagent"] = {shown_raw ? agent : all.forward_agent};
  out["passwordauthentication"] = {yes_no(all.password_authentication)};
  switch (all.address_family) {
    case ssh::AddressFamily::any:
      out["addressfamily"] = {"any"};
      break;
    case ssh::AddressFamily::inet:
      out["addressfamily"] = {"inet"};
      break;
    case ssh::AddressFamily::inet6:
      out["addressfamily"] = {"inet6"};
      break;
  }
  out["preferredauthentications"] = {};
  if (said.preferred_authentications) out["preferredauthentications"] = {*said.preferred_authentications};
  return out;
}

ssh::Sources sources_of(const std::string& file) {
  auto out = ssh::Sources::of_process();
  out.user_file = file;
  out.user_file_required = true;
  out.system_file.clear();
  return out;
}

/// OpenSSH 9.4 and later (Debian 13 has 10.0) say otherwise than what our reader follows, 9.2: %C also has
/// the jump host in it, and \" inside the quotes of a Match is a quote.
bool newer_ssh() {
  static const bool newer = [] {
    const auto said = run({"sh", "-c", "ssh -V 2>&1"}).out;
    const auto at = said.find("OpenSSH_");
    return at != std::string::npos && std::stod(said.substr(at + 8)) > 9.3;
  }();
  return newer;
}

/// The values without the digests that %C makes.
std::vector<std::string> without_digests(std::vector<std::string> values) {
  for (auto& value : values)
    for (std::size_t at = 0; at + 40 <= value.size(); ++at)
      if (value.find_first_not_of("0123456789abcdef", at) >= at + 40) value.replace(at, 40, "DIGEST");
  return values;
}

struct Question {
  std::string file;
  std::string destination;
  ssh::Overrides overrides;
};

/// One difference as text; empty when both agree.
std::string difference(const Question& question) {
  std::vector<std::string> command{"ssh", "-G", "-F", question.file};
  if (question.overrides.user) command.insert(command.end(), {"-l", *question.overrides.user});
  if (question.overrides.port)
    command.insert(command.end(), {"-p", std::to_string(*question.overrides.port)});
  for (const auto& option : question.overrides.options) command.insert(command.end(), {"-o", option});
  command.push_back(question.destination);
  const Ran theirs = run(command);
  Dump ours;
  try {
    ours = our_dump(sources_of(question.file), question.destination, question.overrides);
  } catch (const base::Error& error) {
    return theirs.status == 0 ? fmt::format("we refuse what ssh accepts: {}", error.what()) : "";
  }
  if (theirs.status != 0) return "ssh refuses what we accept: " + theirs.out;
  const Dump expected = parse_dump(theirs.out);
  for (const auto& [key, values] : ours) {
    const auto found = expected.find(key);
    const auto wanted = found == expected.end() ? std::vector<std::string>{} : found->second;
    if (newer_ssh() && !ours.at("proxyjump").empty() && without_digests(wanted) == without_digests(values))
      continue;
    if (wanted != values)
      return fmt::format("{}: ssh says '{}', we say '{}'", key, base::join(wanted, "' '"),
                         base::join(values, "' '"));
  }
  return {};
}

}  // namespace

TEST_CASE("random configurations mean the same to ssh -G", "[ssh][differential]") {
  if (!has("ssh")) {
    WARN("no ssh on this machine");
    return;
  }
  const TempDirectory directory;
  const char* wished = std::getenv("STAITHE_SSH_CONFIG_CASES");
  const unsigned cases = wished ? static_cast<unsigned>(std::atoi(wished)) : 300;
  unsigned accepted = 0;
  for (unsigned seed = 1; seed <= cases; ++seed) {
    Grammar grammar(seed, directory);
    Question question;
    question.file = directory.write(fmt::format("config-{}", seed), grammar.file());
    question.destination = grammar.destination();
    question.overrides = grammar.overrides();
    // Ours differs on purpose: what stands in the destination wins over what stands beside it.
    const bool says_user = question.destination.find('@') != std::string::npos;
    if (says_user) question.overrides = {};
    INFO("seed " << seed << ", destination " << question.destination << "\n" << slurp(question.file));
    CHECK(difference(question) == "");
    try {
      our_dump(sources_of(question.file), question.destination, question.overrides);
      ++accepted;
    } catch (const base::Error&) {
    }
  }
  // A grammar that only makes refused files would test nothing.
  CHECK(accepted > cases / 4);
}

TEST_CASE("hand-written corners mean the same to ssh -G", "[ssh][differential]") {
  if (!has("ssh")) return;
  const TempDirectory directory;
  const auto included = directory.write("inc", "Host db\n  User from-include\nPort 2300\n");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"web9", "Host web* !web9\n User wrong\nHost *\n User right\n"},
      {"al",
       "Host al\n HostName real.example\nHost real.example\n User fallback\n Port 2200\nHost al\n User "
       "deploy\n"},
      {"al", "Match final\n Port 77\nHost x.real\n User u2\nHost al\n HostName X.real\n"},
      {"al",
       "CanonicalizeHostname yes\nHost x.real\n User u2\nHost al\n HostName X.real\nMatch canonical host "
       "x.real\n Port 9\n"},
      {"al", "HostName 127.1\n"},
      {"al", "HostName ::0001\n"},
      {"al", "Host zz\n IdentityAgent ${NOT_SET_AT_ALL}\n"},
      {"al", "IdentityAgent ~/x/%h-%k-%C-%i-%L-%l-%u-%r-%n-%p-%d-%%\n"},
      {"al", "HostKeyAlias Kk\nHostName hh\nUser uu\nPort 91\nIdentityAgent %h-%k-%C-%r-%n-%p\n"},
      {"al", "UserKnownHostsFile ~/a ~daemon/b \"c d\" %h\n"},
      {"al", "UserKnownHostsFile ~daemon\n"},
      {"al", "UserKnownHostsFile ~\n"},
      {"al", "UserKnownHostsFile ~nobody-at-all/x\n"},
      {"al", "IdentityFile ~/x\nIdentityFile %h\nIdentityFile ~/x\nIdentityFile none\n"},
      {"al", "ProxyJump none\nProxyCommand foo %h\n"},
      {"al", "ProxyCommand none\nProxyJump foo\n"},
      {"al", "ProxyJump foo\nProxyCommand bar\n"},
      {"al", "ProxyCommand bar\nProxyJump foo\n"},
      {"al", "ProxyCommand = foo \"%h\"  # kept \n"},
      {"al", "ProxyJump = foo,bar:33  # c \n"},
      {"al", "Host al \"\" \n Port 8\n"},
      {"al", "Host=\"al\"\n Port=8\n"},
      {"al", "User 'a\n"},
      {"al", "User \"a b\" c\n"},
      {"al", "User a\\ b\n"},
      {"al", "Port == 8\n"},
      {"al", "\"Port\" 8\n"},
      {"al", "Port\n"},
      {"al", "Port \"\"\n"},
      {"al", "User \"\"\n"},
      {"al", "Match host al user root host al all\nPort 9\n"},
      {"al", "Match !all\nPort 9\nMatch !host zz !user zz\nUser w\n"},
      {"db", "Host db\nInclude " + included + "\nUser after\nHost *\nPort 9\n"},
      {"web", "Host db\nInclude " + included + "\nPort 9\n"},
      {"web", "Include " + included + "\nPort 9\n"},
      {"al", "Include\n"},
      {"al", "Match user root exec \"exit 3\"\nPort 3\nMatch exec \"exit 0\"\nPort 4\n"},
      {"al", "Match exec \"echo \\\"x\\\"\"\nPort 4\n"},
      {"al", "Host a[l]\n Port 5\nHost ??\n Port 6\n"},
      {"al", "  Host   al   # c\n Port 5 # c\n"},
      {"al", "Port 5 6\n"},
      {"al", "Tunnel yes\nLocalForward 80 x:80\nUser z\n"},
      {"al", "PreferredAuthentications publickey,password\nForwardAgent ~/x\n"},
  };
  for (const auto& [destination, text] : cases) {
    if (newer_ssh() && text.find("\\\"") != std::string::npos) continue;
    Question question;
    question.file = directory.write("config", text);
    question.destination = destination;
    INFO(text);
    CHECK(difference(question) == "");
  }
}

TEST_CASE("identity and certificate files are expanded as ssh does when it connects", "[ssh][differential]") {
  if (!has("ssh")) return;
  const TempDirectory directory;
  const auto file =
      directory.write("config",
                      "HostName real\nUser who\nPort 2210\nHostKeyAlias Ali\nProxyCommand true\n"
                      "IdentityFile ~/k/%h-%n-%p-%r-%k-%u-%i-%L-%l-%d-%%\n"
                      "IdentityFile ${HOME}/x\nIdentityFile none\nIdentityFile rel\n"
                      "CertificateFile ~/c/%h-%C\n");
  const auto theirs = run({"ssh", "-v", "-F", file, "-o", "BatchMode=yes", "al"});
  const auto ours = ssh::resolve(sources_of(file), "al");
  INFO(theirs.out);
  REQUIRE(ours.identity_files.size() == 3);
  REQUIRE(ours.certificate_files.size() == 1);
  for (const auto& path : ours.identity_files)
    CHECK_THAT(theirs.out, ContainsSubstring("identity file " + path + " type"));
  CHECK_THAT(theirs.out, ContainsSubstring("certificate file " + ours.certificate_files.front() + " type"));
}
