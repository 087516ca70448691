#include "lapsed.hpp"

#include "catch.hpp"

using namespace staithe;
using Names = std::vector<std::string>;

namespace lapsed_hosts {

haproxy::ServerState state(const std::string& server, std::uint32_t admin) {
  haproxy::ServerState state;
  state.ref = {"api", server};
  state.admin = admin;
  state.op = admin == 0 ? haproxy::Op::running : haproxy::Op::stopped;
  state.weight = 100;
  return state;
}

world::BalancerLook balancer(const std::string& name, std::vector<world::ServerLook> servers) {
  world::BalancerLook look;
  look.name = name;
  look.servers = std::move(servers);
  return look;
}

world::TakenOut drain(const std::string& found) {
  return {"run1", "ann@build1 pid 4711", "drain web3: disk swap", {}, false, true, found};
}

constexpr const char* both =
    "staithe-found 1\n"
    "balancer edge1 1 0\nserver api/web3 admin=0 op=2 weight=100\n"
    "balancer edge2 2 0\nserver api/web3 admin=0 op=2 weight=100\n";

std::map<std::string, cli::Lapsed> of(const world::TakenOut& taken, std::uint32_t on_edge1,
                                      std::uint32_t on_edge2) {
  return cli::lapsed(
      {{"web3", taken}},
      {balancer("edge1", {{"web3", state("web3", on_edge1), {}}, {"web1", state("web1", 0), {}}}),
       balancer("edge2", {{"web3", state("web3", on_edge2), {}}})});
}

TEST_CASE("a drained host that a balancer lets in is told, with that balancer") {
  using namespace haproxy::admin_bit;
  CHECK(of(drain(both), forced_maint, forced_drain).empty());
  const auto one = of(drain(both), 0, forced_maint);
  REQUIRE(one.count("web3") == 1);
  CHECK(one.at("web3").let_in == Names{"edge1"});
  const auto words = cli::in_words("web3", one.at("web3"));
  CHECK(words.find("web3 was drained by ann@build1 pid 4711") == 0);
  CHECK(words.find("drain web3: disk swap, but serves on edge1 (") != std::string::npos);
  CHECK(of(drain(both), 0, 0).at("web3").let_in == Names{"edge1", "edge2"});
  CHECK(cli::reason_of(one.at("web3").taken) == "disk swap");
}

TEST_CASE("servers that a drain did not take, or found out already, may be in or out") {
  using namespace haproxy::admin_bit;
  CHECK(of(drain("staithe-found 1\nbalancer edge2 2 0\nserver api/web3 admin=0 op=2 weight=100\n"), 0,
           forced_maint)
            .empty());
  CHECK(of(drain("staithe-found 1\nbalancer edge1 1 0\nserver api/web3 admin=1 op=0 weight=100\n"), 0,
           forced_maint)
            .empty());
}

TEST_CASE("what a run has in hand is not told as let in, what it left is") {
  auto taken = drain(both);
  taken.in_hand = true;
  CHECK(of(taken, 0, 0).empty());
  taken.in_hand = taken.on_purpose = false;
  taken.open = true;  // by a run without an end, which may have given it back
  CHECK(of(taken, 0, 0).empty());
  taken.open = false;
  CHECK(cli::in_words("web3", of(taken, 0, 0).at("web3")).find("web3 was left out by ") == 0);
}

}  // namespace lapsed_hosts
