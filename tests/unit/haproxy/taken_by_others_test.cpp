#include "rig.hpp"

/// What somebody else does with the servers of a host that is in hand.
using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

/// Given back, and just about to be taken out once more.
Rotation given_back(Rig& rig) {
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rotation.prove(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.take_notes();
  return rotation;
}

}  // namespace

TEST_CASE("maintenance that somebody else has begun since is given back as found") {
  Rig rig;
  auto rotation = given_back(rig);
  rig.one.servers["api/web1"].admin = 1;
  SECTION("on one balancer") {
    const auto found = rotation.find_again(soon());
    CHECK(found.balancers[0].servers[0].admin == 1);
    CHECK(found.balancers[1].servers[0].admin == 0);
  }
  SECTION("on both, where it ends on one before the host is back") {
    rig.two.servers["api/web1"].admin = 8;
    rotation.find_again(soon());
    CHECK_THAT(base::join(rotation.take_notes(), "\n"),
               ContainsSubstring("lb1 api/web1 is in maintenance, not by staithe, and stays so") &&
                   ContainsSubstring("lb2 api/web1 is drained, not by staithe, and stays so"));
    CHECK(rotation.taken_by_others(soon()).everywhere);
    rig.two.servers["api/web1"].admin = 0;
    rotation.find_again(soon());
  }
  rig.one.changes.clear();
  rotation.quiesce(soon());
  rotation.prove(soon());
  rig.two.servers["api/web1"].op = 2;
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(0));
  CHECK(rig.one.changes.empty());
  CHECK(rig.two.servers["api/web1"].admin == 0);
  const auto taken = rotation.taken_by_others(soon());
  CHECK(taken.servers == Lines{"lb1 api/web1 is in maintenance"});
  CHECK_FALSE(taken.everywhere);
}

TEST_CASE("what a phase of our own has set is nobody else's, nor is what a reload says") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rig.two.configured["api/web1"].admin = 1;
  rig.two.reload();
  CHECK(rotation.find_again(soon()) == rotation.found());
  CHECK(rotation.found().balancers[1].servers[0].admin == 0);
  CHECK(rotation.taken_by_others(soon()).servers.empty());
  CHECK_FALSE(rotation.taken_by_others(soon()).everywhere);
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.two.servers["api/web1"].admin == 0);
}

TEST_CASE("who was proven when a run died was in maintenance no more: what is, is somebody else's") {
  Rig rig;
  auto dead = given_back(rig);
  rig.one.servers["api/web1"].admin = 1;
  rig.two.servers["api/web1"].admin = 8;  // not given back yet
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::restoring, rig.options);
  const auto left = later.ready(soon());
  REQUIRE(left.size() == 1);
  CHECK_THAT(left.front(), ContainsSubstring("lb1 api/web1 was set to maint by somebody else"));
  CHECK(rig.one.servers["api/web1"].admin == 1);
  CHECK(rig.two.servers["api/web1"].admin == 0);
}

TEST_CASE("an agent that speaks again is silenced once more when the host goes out again") {
  Rig rig;
  rig.one.servers["api/web1"].agent = true;
  auto rotation = given_back(rig);
  CHECK(rig.one.servers["api/web1"].agent);
  rotation.find_again(soon());
  rig.one.changes.clear();
  rotation.quiesce(soon());
  CHECK(rig.one.changes == Lines{"disable agent api/web1", "set server api/web1 state maint"});
  CHECK_FALSE(rig.one.servers["api/web1"].agent);
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.one.servers["api/web1"].agent);
}
