#include "rig.hpp"

/// A balancer that was away when a phase began, and comes back before the host does.
using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

/// web1 is being proven, and lb2 did not answer when that began.
struct LeftBehind : Rig {
  Rotation rotation = Rig::rotation();

  LeftBehind() {
    rotation.find(soon());
    rotation.drain(soon());
    rotation.quiesce(soon());
    two.refuses_connections = true;
    rotation.prove(soon());
    CHECK(rotation.left_behind() == Lines{"lb2"});
    rotation.take_notes();
  }

  void comes_back_as_another() {
    two.reload();
    two.refuses_connections = false;
    two.changes.clear();
  }

  FakeServer& there() { return two.servers["api/web1"]; }

  /// As the keeper does it.
  void reassert() {
    rotation.reassert(soon(), base::Duration(0), [](Socket& socket) { return socket.info(soon()); });
  }

  std::string notes() { return base::join(rotation.take_notes(), "\n"); }
};

const Lines proves{"set server api/web1 state drain", "set server api/web1 health down"};

}  // namespace

TEST_CASE("who is left behind lets nobody in once it comes back as another process") {
  LeftBehind rig;
  rig.comes_back_as_another();
  SECTION("seen by the keeper") {
    rig.reassert();
  }
  SECTION("seen by the wait for the proof") {
    rig.one.servers["api/web1"].op = 2;
    rig.rotation.wait_proven(soon());
  }
  CHECK(rig.two.changes == proves);
  CHECK(rig.there().admin == 8);
  CHECK_THAT(rig.notes(), ContainsSubstring("lb2: HAProxy was reloaded (process 100 is now 101)"));
  CHECK(rig.rotation.left_behind() == Lines{"lb2"});
  // What is told of it does not change, and it is given back with the others.
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.there().admin == 0);
}

TEST_CASE("who is left behind and is the same process is as it was") {
  LeftBehind rig;
  rig.two.refuses_connections = false;
  rig.two.changes.clear();
  rig.reassert();
  CHECK(rig.two.changes.empty());
  CHECK(rig.there().admin == 1);
}

TEST_CASE("who is left behind and does not answer keeps nobody else from being looked at") {
  LeftBehind rig;
  rig.one.servers["api/web1"].op = 2;
  rig.one.reload();
  const auto began = std::chrono::steady_clock::now();
  rig.reassert();
  CHECK(rig.one.servers["api/web1"].admin == 8);
  int asked = 0;
  for (int round = 0; round < 20; ++round)
    rig.rotation.reassert(soon(), base::Duration(0), [&](Socket& socket) {
      if (&socket == &rig.lb2) ++asked;
      return socket.info(soon());
    });
  CHECK(asked <= 1 + (std::chrono::steady_clock::now() - began) / std::chrono::milliseconds(150));
  CHECK(rig.notes().find("refused") == std::string::npos);
}

TEST_CASE("who is left behind is kept out with the others when the host goes out again") {
  LeftBehind rig;
  rig.two.refuses_connections = false;
  rig.rotation.find_again(soon());
  rig.rotation.quiesce(soon());
  CHECK(rig.rotation.left_behind().empty());
  rig.two.reload();
  rig.reassert();
  CHECK(rig.there().admin == 1);
}

TEST_CASE("what a person sets on a balancer that was left behind and reloaded stays") {
  LeftBehind rig;
  rig.comes_back_as_another();
  rig.two.uptime = 10;
  const bool in_maintenance = GENERATE(true, false);
  rig.there().admin = in_maintenance ? 1 : 8;
  rig.there().unchanged = 3;
  for (const auto* other : {"api/web2", "adm/web1"}) rig.two.servers[other].unchanged = 10;
  rig.one.servers["api/web1"].op = 2;
  SECTION("seen by the keeper") {
    rig.reassert();
  }
  SECTION("seen on the way back") {}
  CHECK(rig.rotation.ready(soon()).empty());
  rig.rotation.wait_serving(soon(), base::Duration(0));
  CHECK(rig.there().admin == (in_maintenance ? 1U : 8U));
  CHECK_THAT(rig.notes(),
             ContainsSubstring(in_maintenance ? "lb2 api/web1 is in maintenance, not by staithe, and stays so"
                                              : "lb2 api/web1 is drained, not by staithe, and stays so") &&
                 ContainsSubstring("lb2: HAProxy was reloaded (process 100 is now 101)"));
  CHECK(rig.rotation.taken_by_others(soon()).servers ==
        Lines{in_maintenance ? "lb2 api/web1 is in maintenance" : "lb2 api/web1 is drained"});
}

TEST_CASE("what was told of who was left behind is nobody else's, also where the answer gets lost") {
  LeftBehind rig;
  rig.comes_back_as_another();
  rig.two.uptime = 1;
  bool once = true;
  rig.two.before = [&](const std::string& line) {
    if (line.find("health down") != std::string::npos && std::exchange(once, false))
      throw Error(ErrorCode::timeout, "no answer within 1 s");
  };
  rig.reassert();
  CHECK_FALSE(once);
  CHECK(rig.there().admin == 8);
  rig.one.servers["api/web1"].op = 2;
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.there().admin == 0);
  CHECK(rig.rotation.taken_by_others(soon()).servers.empty());
}

TEST_CASE("who was left behind and answers again is given back with patience") {
  LeftBehind rig;
  rig.two.refuses_connections = false;
  rig.reassert();
  int resets = 2;
  rig.two.before = [&](const std::string& line) {
    if (line.rfind("show servers", 0) == 0 && resets-- > 0) throw Error(ErrorCode::io, "reset");
  };
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.there().admin == 0);
}

TEST_CASE("what a file has kept there through the reload is ours") {
  LeftBehind rig;
  rig.comes_back_as_another();
  rig.two.uptime = 10;
  rig.there().admin = 1;
  rig.there().unchanged = 60;
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.there().admin == 0);
}

TEST_CASE("a process on its way out is not given anything back to") {
  LeftBehind rig;
  rig.two.refuses_connections = false;
  rig.two.stopping = true;
  rig.two.changes.clear();
  const auto left = rig.rotation.ready(soon());
  REQUIRE(left.size() == 1);
  CHECK_THAT(left[0], ContainsSubstring("lb2: this HAProxy process is stopping"));
  CHECK(rig.two.changes.empty());
  rig.two.stopping = false;
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.there().admin == 0);
}

TEST_CASE("whether others keep a host out is what is known, where a balancer does not say") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rotation.prove(soon());
  CHECK(rotation.ready(soon()).empty());
  for (auto* balancer : {&rig.one, &rig.two}) balancer->servers["api/web1"].admin = 1;
  rotation.find_again(soon());
  SECTION("for a moment") {
    int refusals = 2;
    rig.two.before = [&](const std::string& line) {
      if (line.rfind("show servers", 0) == 0 && refusals-- > 0) throw Error(ErrorCode::io, "reset");
    };
    CHECK(rotation.taken_by_others(soon()).everywhere);
    CHECK(refusals < 0);
  }
  SECTION("at all") {
    rig.two.refuses_connections = true;
    CHECK(rotation.taken_by_others(soon()).everywhere);
  }
  SECTION("and a person's stop is one") {
    rig.two.refuses_connections = true;
    base::Cancel cancel;
    cancel.request();
    failure(ErrorCode::cancelled,
            [&] { rotation.taken_by_others(Scope::lasting(base::Duration(60'000), &cancel)); });
  }
}

TEST_CASE("what is still out is asked for with patience, of every balancer that there is") {
  LeftBehind rig;
  rig.two.refuses_connections = false;
  int resets = 2;
  rig.two.before = [&](const std::string& line) {
    if (line.rfind("show servers", 0) == 0 && resets-- > 0) throw Error(ErrorCode::io, "reset");
  };
  CHECK(rig.rotation.still_out(soon()) == Lines{"lb1 api/web1", "lb2 api/web1"});
  CHECK(rig.rotation.ready(soon()).empty());
  CHECK(rig.rotation.still_out(soon()).empty());
}
