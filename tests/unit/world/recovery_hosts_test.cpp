#include "catch.hpp"
#include "died.hpp"

using namespace staithe;
using namespace test::died;

namespace {

std::vector<std::string> hosts_of(const plan::Plan& plan) {
  std::vector<std::string> names;
  for (const auto& [name, host] : plan.hosts) names.push_back(name);
  return names;
}

/// The deploy to web1, which is behind `outer` and `gate`; there are web2, which it left alone, behind
/// `side`, and a balancer that is reached on lb1, behind `edge`.
plan::Plan fleet() {
  auto plan = deploy();
  const auto add = [&](const std::string& name, const std::string& jump) {
    plan.hosts[name].name = name;
    plan.hosts[name].jump = jump;
  };
  for (const auto& [name, jump] : {std::pair{"web1", "gate"},
                                   {"gate", "outer"},
                                   {"outer", "of-ssh-config.example.org"},
                                   {"web2", "side"},
                                   {"side", ""},
                                   {"lb1", "edge"},
                                   {"edge", ""}})
    add(name, jump);
  plan.balancers.resize(2);
  plan.balancers[0].on = "lb1";  // the other one is on this machine
  return plan;
}

}  // namespace

TEST_CASE("a recovery knows no host but those that it goes to, what is before them, and its balancers") {
  const auto plan = fleet();
  const auto left = world::assess(plan, Story().ok({"guard", "drain", "prepare"}).begun("activate").journal);
  CHECK(hosts_of(world::recovery_plan(plan, left)) ==
        std::vector<std::string>{"edge", "gate", "lb1", "outer", "web1"});
}

TEST_CASE("a recovery with nothing to do on any host goes to none") {
  const auto plan = fleet();
  CHECK(hosts_of(world::recovery_plan(plan, world::assess(plan, {}))) ==
        std::vector<std::string>{"edge", "lb1"});
}

TEST_CASE("a host that is out and has nothing to be done on it is still counted") {
  auto plan = fleet();
  auto& bracket = std::get<plan::Bracket>(plan.stages[0].lanes[0].nodes[0]);
  bracket.undo.clear();
  const auto left = world::assess(plan, Story().ok({"guard", "drain"}).begun("prepare").journal);
  const auto recovery = world::recovery_plan(plan, left);
  CHECK(recovery.stages.empty());
  CHECK(recovery.hosts.count("web1") == 1);
}

TEST_CASE("a recovery that goes round in bastions comes to an end") {
  auto plan = fleet();
  plan.hosts["outer"].jump = "web1";
  const auto left = world::assess(plan, Story().ok({"guard", "drain", "prepare"}).begun("activate").journal);
  CHECK(world::recovery_plan(plan, left).hosts.count("outer") == 1);
}
