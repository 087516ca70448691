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
  later.expect_others(false);
  CHECK(later.ready(soon()).empty());
  CHECK_THAT(base::join(later.take_notes(), "\n"),
             ContainsSubstring("lb1 api/web1 is in maintenance, not by staithe, and stays so"));
  CHECK(rig.one.servers["api/web1"].admin == 1);
  CHECK(rig.two.servers["api/web1"].admin == 0);
}

TEST_CASE("who goes on leaves maintenance alone that the process before cannot have begun") {
  Rig rig;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  rig.one.servers["api/web1"].admin = rig.two.servers["api/web1"].admin = 1;
  rig.one.changes.clear();
  rig.two.changes.clear();
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  const bool own = GENERATE(false, true);
  later.expect_others(own);
  SECTION("when it puts back") {
    CHECK(later.undo(soon()).empty());
  }
  SECTION("when it proves and lets in") {
    later.prove(soon());
    for (auto* balancer : {&rig.one, &rig.two}) balancer->servers["api/web1"].op = 2;
    later.wait_proven(soon());
    CHECK(later.ready(soon()).empty());
  }
  later.wait_serving(soon(), base::Duration(0));
  CHECK(rig.one.servers["api/web1"].admin == (own ? 0U : 1U));
  CHECK(rig.one.changes.empty() == !own);
  CHECK(rig.two.changes.empty() == !own);
  CHECK(later.taken_by_others(soon()).everywhere == !own);
  CHECK(later.found().balancers[1].servers[0].admin == (own ? 0U : 1U));
}

TEST_CASE("who goes on gives back on a balancer that was reloaded since, as it was found") {
  Rig rig;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  rig.two.configured["api/web1"].admin = 1;
  rig.two.configured["api/web1"].unchanged = rig.two.uptime;
  rig.two.reload();
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  later.expect_others(false);
  CHECK(later.undo(soon()).empty());
  CHECK(rig.two.servers["api/web1"].admin == 0);
  CHECK(later.found() == dead.found());
}

TEST_CASE("maintenance that was begun well after a reload is somebody else's, what the reload kept is not") {
  Rig rig;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  dead.quiesce(soon());
  rig.one.configured["api/web1"].admin = rig.two.configured["api/web1"].admin = 1;
  rig.one.reload();
  rig.two.reload();
  rig.one.uptime = rig.two.uptime = 3600;
  rig.one.servers["api/web1"].unchanged = 3500;
  rig.two.servers["api/web1"].unchanged = 3600;
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  later.expect_others(true);
  rig.two.servers["api/web1"].op = 2;
  SECTION("when it puts back") {
    CHECK(later.undo(soon()).empty());
  }
  SECTION("when it proves and lets in") {
    later.prove(soon());
    rig.two.servers["api/web1"].op = 2;
    later.wait_proven(soon());
    CHECK(later.ready(soon()).empty());
  }
  CHECK(rig.one.servers["api/web1"].admin == 1);
  CHECK(rig.two.servers["api/web1"].admin == 0);
  CHECK(later.taken_by_others(soon()).servers == Lines{"lb1 api/web1 is in maintenance"});
}

TEST_CASE("a person who wants the host back gets it, whoever put it into maintenance") {
  Rig rig;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  rig.one.reload();
  rig.one.servers["api/web1"].admin = rig.two.servers["api/web1"].admin = 1;
  rig.one.uptime = 3600;
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  later.prove(soon());
  CHECK(later.ready(soon()).empty());
  CHECK((rig.one.servers["api/web1"].admin == 0 && rig.two.servers["api/web1"].admin == 0));
}

TEST_CASE("what is found says which process was told last") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rig.two.reload();
  CHECK(rotation.wait_calm(soon()).reached);
  CHECK(rotation.found().balancers[0].pid == 100);
  CHECK(rotation.found().balancers[1].pid == 101);
}

TEST_CASE("a proof tells the balancers that it could not reach") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rig.two.refuses_connections = true;
  rotation.prove(soon());
  CHECK(rotation.left_behind() == Lines{"lb2"});
  rig.two.refuses_connections = false;
  rotation.prove(soon());
  CHECK(rotation.left_behind().empty());
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
