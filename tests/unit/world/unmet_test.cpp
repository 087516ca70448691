#include "catch.hpp"
#include "history.hpp"
#include "rotations.hpp"

#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

/// Whether visitors have met what a dead run brought, as its recovery knows it.
using namespace staithe;

/// Names of this file's own: several are compiled as one.
namespace unmet {

const std::string server = "server api/web1 admin=";
const std::string rest = " op=2 weight=100 checked\n";
const std::string kept_out = "staithe-found 1\nbalancer lb1 100 1000\n" + server + "1" + rest;
const std::string kept_out_of_one = kept_out + "balancer lb2 100 1000\n" + server + "0" + rest;
const std::string served = "staithe-found 1\nbalancer lb1 100 1000\n" + server + "0" + rest;

/// Which cleans up after the roll on these hosts, and takes none out.
plan::Plan recovery_of(const std::vector<std::string>& hosts) {
  plan::Plan plan;
  plan.kind = "recover";
  plan::Stage cleanup{"cleanup", plan::Stage::Shape::parallel, 4, {}};
  for (const auto& host : hosts) {
    plan.hosts[host].name = host;
    cleanup.lanes.push_back({host, {}, {}});
  }
  plan.stages.push_back(cleanup);
  return plan;
}

struct Recovery {
  plan::Plan plan;
  world::Rotations rotations{plan, {}};

  explicit Recovery(const std::vector<std::string>& hosts) : plan(recovery_of(hosts)) {}
};

TEST_CASE("nobody has met a release on hosts that the dead run had found out of rotation") {
  Recovery recovery({"web1", "web2"});
  recovery.rotations.given_back("web1", kept_out);
  recovery.rotations.given_back("web2", kept_out);
  CHECK(recovery.rotations.unmet() == "web[1-2] are out of rotation");
}

TEST_CASE("one host that served is enough, also where nothing is left to do on it") {
  Recovery recovery({"web1"});
  recovery.rotations.given_back("web1", kept_out);
  CHECK(recovery.rotations.unmet() == "web1 is out of rotation");
  SECTION("on one balancer") {
    recovery.rotations.given_back("web2", kept_out_of_one);
  }
  SECTION("on all") {
    recovery.rotations.given_back("web2", served);
  }
  SECTION("never taken out") {
    recovery.rotations.given_back("web2", "");
  }
  SECTION("with a note that this build cannot read") {
    recovery.rotations.given_back("web2", "staithe-found 9\n");
  }
  CHECK(recovery.rotations.unmet().empty());
}

TEST_CASE("a host that the recovery itself has out tells nothing, one that it does not know has served") {
  Recovery recovery({"web1", "web2"});
  recovery.rotations.given_back("web1", kept_out);
  CHECK(recovery.rotations.unmet().empty());
  recovery.rotations.adopt("web2", served, false);
  CHECK(recovery.rotations.unmet() == "web1 is out of rotation");
}

TEST_CASE("who asks about all hosts and who works on one do not wait for each other") {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  const auto goes_on = [&] { return std::chrono::steady_clock::now() < until; };
  Recovery recovery({"web1"});
  recovery.rotations.given_back("web1", kept_out);
  ::alarm(60);  // who waits for ever ends the program
  std::jthread worker([&] {
    const std::map<std::string, std::string> captures;
    exec::Performance performance{base::Scope::lasting(base::Duration(60'000)), captures, {}, {}, {}, {}};
    // Refused, once the host is locked and somebody sees to it that what is out stays so.
    while (goes_on()) (void)recovery.rotations.change({"web1", plan::ChangeRotation::To::maint}, performance);
  });
  while (goes_on()) {
    (void)recovery.rotations.unmet();
    (void)recovery.rotations.left_alone(base::Scope::lasting(base::Duration(1'000)));
  }
  worker.join();
  ::alarm(0);
}

}  // namespace unmet
