/// Holds our reader of ssh_config to `ssh -G`: the same file must mean the same to both.
#include "catch.hpp"
#include "config_support.hpp"
#include "ssh_config_settings.hpp"
#include "ssh_config_text.hpp"

#include <fmt/format.h>

#include <map>
#include <random>

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
    if (wanted != values)
      return fmt::format("{}: ssh says '{}', we say '{}'", key, base::join(wanted, "' '"),
                         base::join(values, "' '"));
  }
  return {};
}

/// Random files out of a grammar that knows the corners: quoting, separators, case, order, nesting, mistakes.
class Grammar {
 public:
  Grammar(unsigned seed, const TempDirectory& directory)
      : random_(seed), directory_(directory), seed_(seed), mistakes_(seed % 4 == 0) {}

  std::string file(int depth = 0) {
    std::string text;
    const int lines = number(3, depth == 0 ? 22 : 7);
    for (int i = 0; i < lines; ++i) text += line(depth);
    return text;
  }

  std::string destination() {
    return pick({"web1", "web2", "db", "WEB1", "bob@web1", "ssh://amy@web2:2200", "10.0.0.7",
                 "web9.example.org", "a@b@db", "::1"});
  }

  ssh::Overrides overrides() {
    ssh::Overrides out;
    if (chance(10)) out.user = pick({"ops", "root"});
    if (chance(10)) out.port = number(1, 65535);
    if (chance(10)) out.options.push_back(pick({"User=opt", "Port 7", "ProxyJump none", "HostName=opt.%h"}));
    return out;
  }

 private:
  bool chance(int percent) { return number(1, 100) <= percent; }
  int number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  /// What begins with a question mark is a mistake, which only every fourth file makes.
  std::string pick(std::initializer_list<const char*> from) {
    for (;;) {
      const std::string_view value = *(from.begin() + number(0, static_cast<int>(from.size()) - 1));
      if (!value.starts_with('?')) return std::string(value);
      if (mistakes_) return std::string(value.substr(1));
    }
  }

  std::string line(int depth) {
    const int kind = number(1, 100);
    if (kind <= 4) return pick({"\n", "# a comment\n", "   \t\n", "\t# Port 99\n"});
    if (kind <= 20) return host();
    if (kind <= 32) return match();
    if (kind <= 40 && depth < 3) return include(depth);
    return setting();
  }

  std::string keyword(std::string name) {
    const int style = number(1, 10);
    for (char& byte : name)
      if (style == 1 || (style == 2 && chance(50))) byte = static_cast<char>(std::toupper(byte));
    const std::string indent = pick({"", "", "  ", "\t", " \t "});
    return indent + name + pick({" ", " ", " ", "  ", "\t", "=", " = ", "= "});
  }

  std::string quoted(const std::string& value) {
    if (value.find_first_of("\"'\\") != std::string::npos) return value;
    switch (number(1, 12)) {
      case 1:
        return "\"" + value + "\"";
      case 2:
        return "'" + value + "'";
      default:
        return value;
    }
  }

  std::string end() { return pick({"\n", "\n", "\n", "  \n", "\r\n", " # tail\n", "\t#tail\n"}); }

  std::string host() {
    std::string text = keyword("Host");
    const int patterns = number(1, 3);
    for (int i = 0; i < patterns; ++i)
      text +=
          (i ? " " : "") + quoted(pick({"web1", "web*", "!web9*", "*", "db", "w?b1", "!db", "WEB1",
                                        "*.example.org", "10.0.0.*", "opt.*", "real-*", "nothing", "::1"}));
    return text + end();
  }

  std::string criterion() {
    const std::string bang = chance(20) ? "!" : "";
    switch (number(1, 9)) {
      case 1:
        return bang + "host " +
               pick({"web*", "db,web1", "*,!web2", "real-*", "\"web1,db\"", "REAL-*", "10.*"});
      case 2:
        return bang + "originalhost " + pick({"web*", "db,WEB1", "*,!web2"});
      case 3:
        return bang + "user " + pick({"bob", "root,amy", "*", "!bob,*", "b?b"});
      case 4:
        return bang + "localuser " + pick({"root", "nobody", "*"});
      case 5:
        return bang + "exec " +
               pick({"true", "false", "\"test %h = web1\"", "\"test %n = web2\"", "\"test %r-%p = bob-22\"",
                     "\"test %k = web1 -a %u = root\""});
      case 6:
        return bang + "canonical";
      case 7:
        return bang + "final";
      case 8:
        return bang + "Host=web1";
      default:
        return bang + "ORIGINALHOST \"db\"";
    }
  }

  std::string match() {
    std::string text = keyword("Match");
    if (chance(15)) return text + pick({"all", "!all", "canonical all", "final all", "all # every"}) + end();
    if (chance(4))
      return text +
             pick({"?host", "?all host web1", "?user bob host db all", "?# none", "?flavour sweet", "all"}) +
             end();
    const int count = number(1, 3);
    for (int i = 0; i < count; ++i) text += (i ? " " : "") + criterion();
    return text + pick({"\n", " # tail\n", "  \n"});
  }

  std::string include(int depth) {
    const std::string name = fmt::format("inc-{}-{}", seed_, ++files_);
    const std::string path = directory_.write(name, file(depth + 1));
    std::string text = keyword("Include");
    switch (number(1, 5)) {
      case 1:
        text += directory_ / fmt::format("inc-{}-{}*", seed_, files_);
        break;
      case 2:
        text += path + " " + (directory_ / "missing-*");
        break;
      case 3:
        text += quoted(path);
        break;
      case 4:
        text += directory_ / "nowhere";
        break;
      default:
        text += path;
        break;
    }
    return text + end();
  }

  std::string setting() {
    switch (number(1, 26)) {
      case 1:
      case 2:
        return keyword("HostName") +
               quoted(pick({"real-%h", "real-a.example.org", "127.0.0.1", "127.1", "%h.lan", "Real-B", "::1",
                            "%%%h", "?%n"})) +
               end();
      case 3:
      case 4:
        return keyword("User") + quoted(pick({"deploy", "bob", "amy", "two words", "u\\\\v", "q\\\"q"})) +
               end();
      case 5:
      case 6:
        return keyword("Port") +
               quoted(pick({"2222", "22", "ssh", "https", "?0", "?65536", "?x", "+80", "1"})) + end();
      case 7:
      case 8:
        return keyword("IdentityFile") +
               quoted(pick({"~/.ssh/a", "~/.ssh/b", "/keys/%h-%r", "rel", "none", "~/.ssh/a"})) + end();
      case 9:
        return keyword("CertificateFile") + quoted(pick({"~/.ssh/a-cert.pub", "/c/%n", "none"})) + end();
      case 10:
        return keyword("IdentityAgent") +
               quoted(pick({"none", "SSH_AUTH_SOCK", "/run/%u.sock", "~/agent", "${HOME}/agent", "$HOME",
                            "?${NOT_SET_AT_ALL}", "%k-%C-%i-%d", "%l.%L"})) +
               end();
      case 11:
      case 12:
        return keyword("ProxyJump") +
               pick({"none", "bastion", "amy@bastion:2200", "a,b:33,c@d", "ssh://u@h:22", "ssh://u@h/",
                     "[::1]:44", "x@10.0.0.1", "None", "?a,,b", "?b:x", "?@b", "?ssh://u@[::1]:22",
                     "ssh://h:22,b", "?j:0"}) +
               pick({"\n", "  \n"});  // OpenSSH 9.2 takes "none # c" for a host
      case 13:
        return keyword("ProxyCommand") +
               pick({"nc %h %p", "none", "NONE", "nc -X '%n' %r", "a  b # c", "\"q u\" %h"}) + end();
      case 14:
        return keyword("HostKeyAlias") + quoted(pick({"pinned", "Mixed.Case", "a%h"})) + end();
      case 15:
        return keyword("UserKnownHostsFile") +
               pick({"none", "~/kh", "/kh/%h /kh/2", "\"/k h\" ~/b", "?none /x", "~/%k"}) + end();
      case 16:
        return keyword("GlobalKnownHostsFile") + pick({"none", "/g1 /g2", "/g/%h"}) + end();
      case 17:
        return keyword("StrictHostKeyChecking") +
               quoted(pick({"yes", "no", "ask", "accept-new", "off", "true", "FALSE", "?maybe"})) + end();
      case 18:
        return keyword("IdentitiesOnly") + quoted(pick({"yes", "no", "TRUE", "false", "?1"})) + end();
      case 19:
        return keyword("ConnectTimeout") +
               quoted(pick({"10", "1m30s", "none", "0", "2h", "?5x", "1w2d", "?-1"})) + end();
      case 20:
        return keyword("ServerAliveInterval") + quoted(pick({"15", "1m", "7S"})) + end();
      case 21:
        return keyword("ServerAliveCountMax") + quoted(pick({"4", "0", "?-2", "?six"})) + end();
      case 22:
        return keyword(pick({"HashKnownHosts", "CheckHostIP", "TCPKeepAlive", "BatchMode",
                             "PasswordAuthentication", "KeepAlive"})) +
               pick({"yes", "no", "?perhaps"}) + end();
      case 23:
        return keyword("ConnectionAttempts") + pick({"3", "?1 2", "?"}) + end();
      case 24:
        return keyword("ForwardAgent") + quoted(pick({"yes", "no", "/run/agent", "$HOME"})) + end();
      case 25:
        return keyword("AddressFamily") + pick({"inet", "inet6", "any", "?ipx"}) + end();
      default:
        return keyword(pick({"SendEnv", "PreferredAuthentications", "CanonicalizeHostname"})) +
               pick({"yes", "no"}) + end();
    }
  }

  std::mt19937 random_;
  const TempDirectory& directory_;
  unsigned seed_;
  bool mistakes_;
  int files_ = 0;
};

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
