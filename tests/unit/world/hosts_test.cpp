#include "hosts.hpp"

#include "catch.hpp"

#include "staithe/plan/plan.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace staithe;

namespace {

class Ways {
 public:
  explicit Ways(const std::string& config) {
    std::filesystem::create_directories(directory_);
    std::ofstream(directory_ / "config") << config;
    std::ofstream(directory_ / "known_hosts") << "";
    plan_.ssh.config = (directory_ / "config").string();
    plan_.ssh.known_hosts = (directory_ / "known_hosts").string();
  }
  ~Ways() { std::filesystem::remove_all(directory_); }
  Ways(const Ways&) = delete;
  Ways& operator=(const Ways&) = delete;

  plan::Host& host(const std::string& name) { return plan_.hosts[name]; }
  plan::SshSettings& ssh() { return plan_.ssh; }
  ssh::Endpoint to(const std::string& name) { return world::Hosts(plan_, {}).endpoint(name); }

 private:
  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("staithe-ways." + std::to_string(::getpid()));
  plan::Plan plan_;
};

}  // namespace

TEST_CASE("a bastion that is a host of the inventory is reached as that host is") {
  Ways ways("Host 192.0.2.3\n  ProxyJump elsewhere\n");
  ways.host("outer").address = "192.0.2.1";
  auto& inner = ways.host("inner");
  inner.address = "192.0.2.2";
  inner.user = "gate";
  inner.port = 2222;
  inner.jump = "outer";
  auto& web = ways.host("web");
  web.address = "192.0.2.3";
  web.jump = "inner";

  const auto way = ways.to("web");
  CHECK(way.address == "192.0.2.3");
  CHECK(way.port == 22);
  CHECK(way.proxy_command.empty());
  REQUIRE(way.jumps.size() == 2);
  CHECK(way.jumps[0].address == "192.0.2.1");
  CHECK(way.jumps[0].label == "outer");
  CHECK(way.jumps[1].address == "192.0.2.2");
  CHECK(way.jumps[1].user == "gate");
  CHECK(way.jumps[1].port == 2222);
  CHECK(way.jumps[1].label == "inner");
}

TEST_CASE("a handshake is bounded by ssh's ConnectTimeout, else by the environment's and some more") {
  Ways ways("Host slow\n  ConnectTimeout 40\n");
  ways.host("web").address = "192.0.2.3";
  ways.host("slow").address = "slow";
  CHECK(ways.to("web").connect_timeout == base::Duration(5'000));
  CHECK(ways.to("web").handshake_timeout == base::Duration(15'000));
  CHECK(ways.to("slow").connect_timeout == base::Duration(40'000));
  CHECK(ways.to("slow").handshake_timeout == base::Duration(40'000));
  ways.ssh().connect_timeout = base::Duration(2'000);
  CHECK(ways.to("web").handshake_timeout == base::Duration(6'000));
}

TEST_CASE("a bastion that the inventory does not know is the configuration file's") {
  Ways ways("Host gate\n  HostName 192.0.2.9\n  Port 2200\n");
  auto& web = ways.host("web");
  web.address = "192.0.2.3";
  web.jump = "gate";

  const auto way = ways.to("web");
  REQUIRE(way.jumps.size() == 1);
  CHECK(way.jumps[0].address == "192.0.2.9");
  CHECK(way.jumps[0].port == 2200);
}
