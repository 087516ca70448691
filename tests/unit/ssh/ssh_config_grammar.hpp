#pragma once
#include "config_support.hpp"

#include "staithe/ssh/ssh_config.hpp"

#include <fmt/format.h>

#include <cctype>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>

namespace config_support {

namespace ssh = staithe::ssh;

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
    switch (number(1, 30)) {
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
      case 26:
        return keyword("RevokedHostKeys") + quoted(pick({"none", "None", "~/revoked", "/r/%h", "?/a /b"})) +
               end();
      case 27:
        return keyword("KnownHostsCommand") + pick({"none", "/bin/keys %H", "/a  b # c", "?"}) + end();
      case 28:
        return keyword("IgnoreUnknown") + quoted(pick({"Use*", "proxyjmp,!usekey*", "*", "None"})) + end();
      case 29:
        return keyword(pick({"?ProxyJmp", "?UseKeychain", "ControlMaster", "VisualHostKey"})) + "no" + end();
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

}  // namespace config_support
