#include "catch.hpp"
#include "config_support.hpp"

#include "staithe/ssh/ssh_config.hpp"

using namespace staithe;
using namespace config_support;

namespace {

/// "SETTING at PLACE", one in a line, the directory as @.
std::string unheard(const TempDirectory& directory, const ssh::Sources& sources) {
  std::string text;
  for (const auto& one : ssh::resolve(sources, "web1").unheard) {
    CHECK(one.meaning != "");
    text += one.setting + " at " + one.place + "\n";
  }
  const std::string root = directory / "";
  for (auto at = text.find(root); at != std::string::npos; at = text.find(root))
    text.replace(at, root.size(), "@");
  return text;
}

ssh::Sources user_file(const std::string& path) {
  ssh::Sources sources;
  sources.user_file = path;
  return sources;
}

}  // namespace

TEST_CASE("ssh_config: what is not honoured is told with its place, the first value only") {
  const TempDirectory directory;
  directory.write("more", "SendEnv A B # c\nFORWARDAGENT no\n");
  const auto file =
      directory.write("config", "Host db\n  Compression yes\nHost web*\n\n  forwardagent=yes\n  Include " +
                                    (directory / "more") + "\n  KnownHostsCommand /bin/keys %H\n");
  CHECK(
      unheard(directory, user_file(file)) ==
      "ForwardAgent yes at @config:5\nKnownHostsCommand /bin/keys %H at @config:7\nSendEnv A B at @more:1\n");
}

TEST_CASE("ssh_config: of what is not honoured, values that make no difference are passed over") {
  const TempDirectory directory;
  const auto file = directory.write(
      "config",
      "ForwardAgent No\nKnownHostsCommand none\nPreferredAuthentications keyboard-interactive,publickey\n"
      "PubkeyAuthentication yes\nStrictHostKeyChecking ask\nCompression no\nControlMaster auto\n");
  CHECK(unheard(directory, user_file(file)) == "");
}

TEST_CASE("ssh_config: what a distribution sets for everybody is no finding") {
  const TempDirectory directory;
  ssh::Sources sources;
  sources.system_file =
      directory.write("system", "SendEnv LANG LC_*\nGSSAPIAuthentication yes\nPubkeyAuthentication no\n");
  CHECK(unheard(directory, sources) == "PubkeyAuthentication no at @system:3\n");
}
