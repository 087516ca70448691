/// Holds our verdicts on host keys to OpenSSH's own.
#include "catch.hpp"
#include "config_support.hpp"
#include "key_support.hpp"

#include "staithe/ssh/known_hosts.hpp"

#include <fmt/format.h>

#include <random>

using namespace config_support;
using ssh::HostKeyState;

TEST_CASE("random files give the answers of ssh-keygen -F", "[ssh][known_hosts][differential]") {
  if (!has("ssh-keygen")) {
    WARN("no ssh-keygen on this machine");
    return;
  }
  const TempDirectory directory;
  std::mt19937 random(7);
  const auto number = [&](int high) { return std::uniform_int_distribution<int>(0, high)(random); };
  const std::vector<std::string> names{"web1", "web2", "[web1]:2222", "*.example", "!web2",   "a.example",
                                       "WEB1", "web?", "!*.example",  "10.0.0.1",  "[*]:2222"};
  const std::vector<std::string> wanted{"web1",      "web2",     "[web1]:2222",
                                        "a.example", "10.0.0.1", "[a.example]:2222"};
  for (int round = 0; round < 25; ++round) {
    std::string text;
    for (int i = number(6) + 2; i > 0; --i) {
      std::string field = names[static_cast<std::size_t>(number(10))];
      if (number(3) == 0 && field.find_first_of("*?!") == std::string::npos) {
        field = ssh::hashed_name(field);
      } else {
        for (int more = number(2); more > 0; --more)
          field += "," + names[static_cast<std::size_t>(number(10))];
      }
      const char* marker = number(7) == 0 ? "@revoked " : number(7) == 0 ? "@cert-authority " : "";
      text += fmt::format("{}{} {}\n", marker, field, text_of(key(number(3), "ssh-ed25519")));
    }
    const auto file = directory.write("kh", text);
    const auto ours = ssh::KnownHosts::load({file});
    for (const auto& name : wanted) {
      const auto theirs = run({"ssh-keygen", "-F", name, "-f", file});
      INFO(text << "looking for " << name << "\n" << theirs.out);
      // Every line that it prints and that is no marker is a key that we must accept, unless it is revoked.
      bool any = false;
      for (int i = 0; i <= 3; ++i) {
        bool plain = false;
        bool revoked = false;
        for (const auto& line : base::split(theirs.out, '\n')) {
          if (line.find(base::base64(key(i).blob)) == std::string::npos) continue;
          if (line.starts_with("@revoked")) revoked = true;
          if (!line.starts_with("@")) plain = true;
        }
        any = any || plain;
        const auto verdict = ours.check("none", 22, name, key(i));
        CHECK(verdict.ok() == (plain && !revoked));
        CHECK((verdict.state == HostKeyState::revoked) == revoked);
      }
      CHECK(ours.known_key_types("none", 22, name).empty() == !any);
    }
  }
}

TEST_CASE("ssh accepts and refuses the same keys of a real server", "[ssh][known_hosts][differential]") {
  const std::string sshd = "/usr/sbin/sshd";
  if (!has("ssh") || !has(sshd.c_str())) {
    WARN("no ssh, or no sshd, on this machine");
    return;
  }
  const TempDirectory directory;
  const std::string host_key = directory / "host";
  const std::string other_key = directory / "other";
  for (const auto& path : {host_key, other_key})
    REQUIRE(run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path}).status == 0);
  const auto read = [](const std::string& path) {
    const auto fields = base::split(slurp(path + ".pub"), ' ');
    return *ssh::parse_key(fields.at(0), fields.at(1));
  };
  const ssh::HostKey right = read(host_key);
  const std::string good = text_of(right);
  const std::string wrong = text_of(read(other_key));
  directory.write("sshd_config", "HostKey " + host_key + "\nPidFile none\nUsePAM no\nStrictModes no\n");
  // Inetd mode: the server speaks on its standard streams, so no port is needed.
  const std::string proxy = fmt::format("ProxyCommand={} -i -e -f {}", sshd, directory / "sshd_config");
  const auto accepted_by_ssh = [&](const std::string& file, int port, const std::string& alias) {
    std::vector<std::string> command{"ssh",
                                     "-F",
                                     "none",
                                     "-o",
                                     proxy,
                                     "-o",
                                     "BatchMode=yes",
                                     "-o",
                                     "StrictHostKeyChecking=yes",
                                     "-o",
                                     "UserKnownHostsFile=" + file,
                                     "-o",
                                     "GlobalKnownHostsFile=none",
                                     "-o",
                                     "PreferredAuthentications=none",
                                     "-o",
                                     "HostKeyAlgorithms=ssh-ed25519",
                                     "-p",
                                     std::to_string(port)};
    if (!alias.empty()) command.insert(command.end(), {"-o", "HostKeyAlias=" + alias});
    command.insert(command.end(), {"Web1", "true"});
    const auto out = run(command).out;
    const bool yes = out.find("Permission denied") != std::string::npos;
    const bool no = out.find("Host key verification failed") != std::string::npos;
    INFO(out);
    REQUIRE(yes != no);
    return yes;
  };
  if (run({"ssh", "-F", "none", "-o", proxy, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
           "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=none", "x", "true"})
          .out.find("Permission denied") == std::string::npos) {
    WARN("sshd does not run here");
    return;
  }
  struct Case {
    std::string text;
    int port = 22;
    std::string alias = {};
  };
  const std::vector<Case> cases{
      {"", 22},
      {"web1 " + good, 22},
      {"WEB1 " + good, 22},
      {"web1 " + wrong, 22},
      {"web1 " + wrong + "\nweb1 " + good, 22},
      {"web1 " + good, 2222},
      {"web1 " + wrong, 2222},
      {"[web1]:2222 " + good, 2222},
      {"[web1]:2222 " + good, 22},
      {"[web1]:2222 " + wrong + "\nweb1 " + good, 2222},
      {"[web1]:22 " + good, 22},
      {"*,!web1 " + good, 22},
      {"!web1,* " + good, 22},
      {"w?b* " + good, 22},
      {"web1 " + good + "\n@revoked * " + good, 22},
      {"@revoked web1 " + good + "\nweb1 " + good, 22},
      {"web1 " + good + "\n@revoked * " + wrong, 22},
      {"@cert-authority web1 " + good, 22},
      {"@cert-authority web1 " + wrong + "\nweb1 " + good, 22},
      {"@cert-authority [web1]:2222 " + wrong + "\nweb1 " + good, 2222},
      {"pinned " + good, 22, "Pinned"},
      {"pinned " + good, 2222, "pinned"},
      {"web1 " + good, 22, "pinned"},
      {ssh::hashed_name("web1") + " " + good, 22},
      {ssh::hashed_name("web1") + " " + good, 2222},
      {ssh::hashed_name("[web1]:2222") + " " + good, 2222},
      {"web1 " + good + " a comment", 22},
      {"  web1\t" + good, 22},
      {"web1 " + good + "\r", 22},
      {"@bogus web1 " + good, 22},
      {"web1,,other " + good, 22},
  };
  for (const auto& [text, port, alias] : cases) {
    const auto file = directory.write("kh", text + "\n");
    const auto verdict = ssh::KnownHosts::load({file}).check("web1", port, alias, right);
    INFO(text << "\nport " << port << " alias '" << alias << "'");
    CHECK(verdict.ok() == accepted_by_ssh(file, port, alias));
  }
}
