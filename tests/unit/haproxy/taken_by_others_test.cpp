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

TEST_CASE("a balancer is lost to the host when all of its servers there are taken out, and not before") {
  Rig rig;
  Rotation rotation(
      {{&rig.lb1, {{"api", "web1"}, {"adm", "web1"}}}, {&rig.lb2, {{"api", "web1"}, {"adm", "web1"}}}},
      rig.options);
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rotation.prove(soon());
  CHECK(rotation.ready(soon()).empty());
  for (auto* balancer : {&rig.one, &rig.two}) balancer->servers["api/web1"].admin = 1;
  rotation.find_again(soon());
  CHECK(rotation.taken_by_others(soon()).servers.size() == 2);
  CHECK_FALSE(rotation.taken_by_others(soon()).everywhere);
  rig.one.servers["adm/web1"].admin = 8;
  rotation.find_again(soon());
  CHECK_FALSE(rotation.taken_by_others(soon()).everywhere);
  rig.two.servers["adm/web1"].admin = 1;
  rotation.find_again(soon());
  CHECK(rotation.taken_by_others(soon()).servers.size() == 4);
  CHECK(rotation.taken_by_others(soon()).everywhere);
  rig.two.servers["api/web1"].admin = 0;
  CHECK_FALSE(rotation.taken_by_others(soon()).everywhere);
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
  later.expect_others({false});
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
  later.expect_others({own});
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

namespace {

/// A run that died with web1 drained on both balancers, or in maintenance; both were reloaded an hour ago.
struct Reloaded : Rig {
  Found found;

  explicit Reloaded(bool in_maintenance) {
    auto dead = rotation();
    found = dead.find(soon());
    dead.drain(soon());
    if (in_maintenance) dead.quiesce(soon());
    for (auto* balancer : {&one, &two}) {
      balancer->reload();
      balancer->uptime = 3600;
    }
  }

  /// In maintenance, with its last change so long ago.
  void is_out(FakeBalancer& balancer, std::uint64_t unchanged, bool check_failed = false) {
    auto& server = balancer.servers["api/web1"];
    server.admin = 1;
    server.op = 0;
    server.unchanged = unchanged;
    server.check_failed = check_failed;
  }

  /// What is said by who goes on and gives back.
  std::string goes_on(const Before& before, bool proves) {
    Rotation later({&lb1, &lb2}, found, Phase::proving, options);
    later.expect_others(before);
    if (proves) {
      later.prove(soon());
      for (auto* balancer : {&one, &two}) balancer->servers["api/web1"].op = 2;
      later.wait_proven(soon());
      CHECK(later.ready(soon()).empty());
    } else {
      CHECK(later.undo(soon()).empty());
    }
    taken = later.taken_by_others(soon()).servers;
    return base::join(later.take_notes(), "\n");
  }

  std::uint32_t admin(FakeBalancer& balancer) { return balancer.servers["api/web1"].admin; }

  Lines taken;
};

}  // namespace

TEST_CASE(
    "maintenance that was begun since a reload is somebody else's, what a file kept through it is not") {
  const bool proves = GENERATE(false, true);
  Reloaded rig(true);
  rig.is_out(rig.one, 3598);  // a second and a half after the start: the run had told that process nothing
  rig.is_out(rig.two, 3602);
  CHECK_THAT(rig.goes_on({true}, proves),
             ContainsSubstring("lb1 api/web1 is in maintenance, not by staithe"));
  CHECK(rig.admin(rig.one) == 1);
  CHECK(rig.admin(rig.two) == 0);
  CHECK(rig.taken == Lines{"lb1 api/web1 is in maintenance"});
}

TEST_CASE("maintenance of which nobody can tell whose it is since a reload stays, and is said") {
  const bool proves = GENERATE(false, true);
  Reloaded rig(true);
  SECTION("of a server that was down from the start") {
    rig.is_out(rig.one, 3600, true);
    rig.is_out(rig.two, 3599, true);
  }
  SECTION("of one that was down by a file") {
    rig.is_out(rig.one, 7200, true);
    rig.is_out(rig.two, 7200, true);
  }
  SECTION("that was begun with the start") {
    rig.is_out(rig.one, 3600);
    rig.is_out(rig.two, 3601);
  }
  CHECK_THAT(rig.goes_on({true}, proves),
             ContainsSubstring("lb1 api/web1 is in maintenance, which since a reload of HAProxy may be by "
                               "somebody else, and stays so") &&
                 !ContainsSubstring("not by staithe"));
  CHECK((rig.admin(rig.one) == 1 && rig.admin(rig.two) == 1));
  CHECK(rig.taken == Lines{"lb1 api/web1 is in maintenance", "lb2 api/web1 is in maintenance"});
}

TEST_CASE("a drain that was begun since a reload is somebody else's, where no file can have kept one") {
  const bool proves = GENERATE(false, true);
  Reloaded rig(true);
  for (auto* balancer : {&rig.one, &rig.two}) {
    balancer->servers["api/web1"].admin = 8;
    for (auto& [name, server] : balancer->servers) server.unchanged = 3600;
  }
  rig.two.servers["api/web2"].unchanged = 7200;  // by a file: the run's drain may be as well
  CHECK_THAT(rig.goes_on({true}, proves),
             ContainsSubstring("lb1 api/web1 is drained, not by staithe, and stays so") &&
                 !ContainsSubstring("lb2 api/web1 is drained"));
  CHECK(rig.admin(rig.one) == 8);
  CHECK(rig.admin(rig.two) == 0);
  CHECK(rig.taken == Lines{"lb1 api/web1 is drained"});
}

TEST_CASE("a drain that was found is given back as one, also since a reload") {
  Rig rig;
  rig.one.servers["api/web1"].admin = 8;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  rig.one.reload();
  rig.one.servers["api/web1"].admin = 8;
  Rotation later({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  later.expect_others({false});
  CHECK(later.undo(soon()).empty());
  CHECK(rig.one.servers["api/web1"].admin == 8);
  CHECK(later.taken_by_others(soon()).servers.empty());
}

TEST_CASE("a process that was told after a reload may have its maintenance by the run") {
  const bool proves = GENERATE(false, true);
  Reloaded rig(true);
  for (auto* balancer : {&rig.one, &rig.two}) rig.is_out(*balancer, 3599, true);
  Found told = rig.found;
  told.balancers[0].pid = rig.one.pid;
  rig.goes_on({true, {told}}, proves);
  CHECK(rig.admin(rig.one) == 0);
  CHECK(rig.admin(rig.two) == 1);
}

namespace {

/// A run that has web1 out and tells its journal of what it meets, and somebody who goes on when it has died.
struct Journalled : Rig {
  Rotation dead = rotation();
  Found noted;
  std::vector<Found> told;

  Journalled() {
    dead.when_told_anew([this](const Found& found) { told = {found}; });
    noted = dead.find(soon());
    dead.drain(soon());
    dead.quiesce(soon());
  }

  /// As the keeper does it.
  void looks() {
    dead.reassert(soon(), base::Duration(0), [](Socket& socket) { return socket.info(soon()); });
  }

  /// What is said to be out by others in the end.
  Lines goes_on() {
    Rotation later({&lb1, &lb2}, noted, Phase::proving, options);
    later.expect_others({true, told});
    later.prove(soon());
    for (auto* balancer : {&one, &two}) balancer->servers["api/web1"].op = 2;
    later.wait_proven(soon());
    CHECK(later.ready(soon()).empty());
    return later.taken_by_others(soon()).servers;
  }
};

}  // namespace

TEST_CASE("what a file has disabled stays so for who goes on, though that process was told") {
  Journalled rig;
  rig.one.configured["api/web1"].admin = 5;
  rig.one.reload();
  rig.looks();
  REQUIRE(rig.told.size() == 1);
  SECTION("by what the run has seen") {}
  SECTION("by what the balancer says") {
    rig.told[0].balancers[0].servers = rig.noted.balancers[0].servers;
  }
  CHECK(rig.goes_on() == Lines{"lb1 api/web1 is in maintenance"});
  CHECK(rig.one.servers["api/web1"].admin == 5);
  CHECK(rig.two.servers["api/web1"].admin == 0);
}

TEST_CASE("what a run has seen a person take out on a balancer left behind stays so for who goes on") {
  Journalled rig;
  rig.two.refuses_connections = true;
  rig.dead.prove(soon());
  rig.two.reload();
  rig.two.refuses_connections = false;
  rig.two.uptime = 10;
  for (auto& [name, server] : rig.two.servers) server.unchanged = 10;
  auto& there = rig.two.servers["api/web1"];
  const std::uint32_t admin = GENERATE(1U, 8U);
  there.admin = admin;
  there.unchanged = 3;
  rig.looks();
  REQUIRE(rig.told.size() == 1);
  SECTION("as long as they leave it so") {
    CHECK(rig.goes_on() == Lines{admin == 1 ? "lb2 api/web1 is in maintenance" : "lb2 api/web1 is drained"});
    CHECK(there.admin == admin);
  }
  SECTION("unless a later note of what was found says that they have ended it") {
    const auto servers = rig.noted.balancers[1].servers;
    rig.noted = rig.told[0];
    rig.noted.balancers[1].servers = servers;
    CHECK(rig.goes_on().empty());
    CHECK(there.admin == 0);
  }
}

TEST_CASE("who had begun no maintenance ends none that a reload brought") {
  const bool proves = GENERATE(false, true);
  Reloaded rig(false);
  rig.is_out(rig.one, 7200);
  rig.is_out(rig.two, 10);
  CHECK_THAT(rig.goes_on({false}, proves),
             ContainsSubstring("lb1 api/web1 is in maintenance, not by staithe") &&
                 ContainsSubstring("lb2 api/web1 is in maintenance, not by staithe"));
  CHECK((rig.admin(rig.one) == 1 && rig.admin(rig.two) == 1));
}

TEST_CASE("whoever is told anew after a reload is told of") {
  Rig rig;
  auto rotation = rig.rotation();
  std::vector<std::uint64_t> told;
  rotation.when_told_anew([&](const Found& found) { told.push_back(found.balancers[1].pid); });
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(told.empty());
  rig.two.reload();
  CHECK(rotation.wait_calm(soon()).reached);
  CHECK(told == std::vector<std::uint64_t>{101});
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

TEST_CASE("what a file disables while a host is in hand is somebody else's from the reload on") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  for (auto* balancer : {&rig.one, &rig.two}) {
    balancer->configured["api/web1"].admin = 5;
    balancer->reload();
  }
  SECTION("noticed while it is out") {
    CHECK(rotation.wait_calm(soon()).reached);
    rotation.prove(soon());
    rotation.wait_proven(soon());
    CHECK(rotation.ready(soon()).empty());
  }
  SECTION("noticed on the way back") {
    CHECK(rotation.undo(soon()).empty());
  }
  rotation.wait_serving(soon(), base::Duration(0));
  CHECK((rig.one.servers["api/web1"].admin & 1U) == 1);
  CHECK(rotation.taken_by_others(soon()).everywhere);
  CHECK_THAT(base::join(rotation.take_notes(), "\n"),
             ContainsSubstring("lb2 api/web1 is in maintenance, not by staithe, and stays so"));
}
