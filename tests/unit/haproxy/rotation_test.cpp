#include "rig.hpp"

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

TEST_CASE("the whole way out and back") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  CHECK(rig.one.changes.empty());
  rotation.drain(soon());
  CHECK(rig.one.changes == Lines{"set server api/web1 state drain"});
  CHECK(rotation.wait_calm(soon()).reached);
  rotation.quiesce(soon());
  CHECK(rotation.wait_calm(soon()).reached);
  rotation.prove(soon());
  CHECK(rig.two.servers["api/web1"].op == 0);
  CHECK_FALSE(has(rig.two.changes, "set server api/web1 state ready"));
  rig.one.servers["api/web1"].op = 2;
  CHECK_THAT(failure(ErrorCode::timeout, [&] { rotation.wait_proven(at_once()); }),
             ContainsSubstring("lb2 api/web1 is DOWN (L4CON"));
  rig.two.servers["api/web1"].op = 1;  // a slow start counts
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(5));
  CHECK(rig.one.changes == Lines{"set server api/web1 state drain", "set server api/web1 state maint",
                                 "set server api/web1 state drain", "set server api/web1 health down",
                                 "set server api/web1 state ready"});
  CHECK(rig.one.changes == rig.two.changes);
  CHECK(rotation.take_notes().empty());
}

TEST_CASE("every balancer is drained before anything waits") {
  Rig rig;
  std::vector<std::string> order;
  rig.one.before = [&](const std::string& line) { order.push_back("1 " + line); };
  rig.two.before = [&](const std::string& line) { order.push_back("2 " + line); };
  auto rotation = rig.rotation();
  rotation.find(soon());
  order.clear();
  rotation.drain(soon());
  rotation.wait_calm(soon());
  const auto place = [&](const std::string& line) {
    return std::find(order.begin(), order.end(), line) - order.begin();
  };
  CHECK(place("2 set server api/web1 state drain") < place("1 show info"));
}

TEST_CASE("weight and agent come back as found") {
  Rig rig;
  auto& server = rig.one.servers["api/web1"];
  server.weight = 40;
  server.agent = true;
  auto rotation = rig.rotation_of({{"api", "web1"}});
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rig.one.changes == Lines{"disable agent api/web1", "set server api/web1 state drain"});
  server.weight = 0;  // the agent, on its last word
  CHECK(rotation.undo(soon()).empty());
  CHECK(server.weight == 40);
  CHECK(server.agent);
  CHECK(server.admin == 0);
}

TEST_CASE("an agent's late answer does not end the drain") {
  Rig rig;
  auto& server = rig.one.servers["api/web1"];
  server.agent = true;
  auto rotation = rig.rotation_of({{"api", "web1"}});
  rotation.find(soon());
  bool once = true;
  rig.one.before = [&](const std::string& line) {
    if (line == "show info" && has(rig.one.changes, "set server api/web1 state drain") &&
        std::exchange(once, false))
      server.admin = 0;
  };
  rotation.drain(soon());
  CHECK(server.admin == 8);
  CHECK(rotation.wait_calm(soon()).reached);
}

TEST_CASE("what somebody else took out stays out") {
  Rig rig;
  rig.one.servers["api/web1"].admin = 1;
  rig.two.servers["api/web1"].admin = 8;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rig.one.changes.empty());
  CHECK(rig.two.changes.empty());
  CHECK(rotation.take_notes().empty());  // whoever drains says what was found
  rotation.quiesce(soon());
  rotation.prove(soon());
  rig.two.servers["api/web1"].op = 2;
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(1));
  CHECK(rig.one.servers["api/web1"].admin == 1);
  CHECK(rig.two.servers["api/web1"].admin == 8);
  CHECK(rig.one.changes.empty());
}

TEST_CASE("a server that follows another is waited for, not commanded") {
  Rig rig;
  rig.one.servers["adm/web1"].tracked = "api/web1";
  rig.one.servers["adm/web1"].sessions = 1;
  auto rotation = rig.rotation_of({{"adm", "web1"}, {"api", "web1"}});
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rig.one.changes == Lines{"set server api/web1 state drain"});
  const auto calm = rotation.wait_calm(at_once());
  CHECK_FALSE(calm.reached);
  CHECK_THAT(calm.busy, ContainsSubstring("adm/web1 1"));
  rotation.close_sessions(soon());
  CHECK(rotation.wait_calm(soon()).reached);

  // Tracking a server that is not drained with it: commanded itself, but its health is not its own.
  Rig other;
  other.one.servers["adm/web1"].tracked = "api/web1";
  auto alone = other.rotation_of({{"adm", "web1"}});
  alone.find(soon());
  alone.drain(soon());
  alone.quiesce(soon());
  alone.prove(soon());
  CHECK(has(other.one.changes, "set server adm/web1 state drain"));
  CHECK_FALSE(has(other.one.changes, "set server adm/web1 health down"));
}

TEST_CASE("without checks there is no proof, and none is asked for") {
  Rig rig;
  rig.one.servers["api/web1"].checked = false;
  auto rotation = rig.rotation_of({{"api", "web1"}});
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rotation.prove(soon());
  CHECK_FALSE(has(rig.one.changes, "set server api/web1 health down"));
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
}

TEST_CASE("undo trusts an app that was not touched, ready does not") {
  Rig rig;
  auto rotation = rig.rotation_of({{"api", "web1"}});
  SECTION("undo from maintenance: UP at once") {
    rotation.find(soon());
    rotation.drain(soon());
    rotation.quiesce(soon());
    CHECK(rotation.undo(soon()).empty());
    CHECK(rig.one.servers["api/web1"].op == 2);
    CHECK_FALSE(has(rig.one.changes, "set server api/web1 health down"));
  }
  SECTION("undo of a server that was DOWN: its checks must lift it") {
    rig.one.servers["api/web1"].op = 0;
    rotation.find(soon());
    rotation.drain(soon());
    rotation.quiesce(soon());
    CHECK(rotation.undo(soon()).empty());
    CHECK(rig.one.servers["api/web1"].op == 0);
  }
  SECTION("ready straight from maintenance") {
    rotation.find(soon());
    rotation.drain(soon());
    rotation.quiesce(soon());
    CHECK(rotation.ready(soon()).empty());
    CHECK(rig.one.servers["api/web1"].op == 0);
    CHECK(rig.one.servers["api/web1"].admin == 0);
  }
}

TEST_CASE("cookies are known to bind visitors") {
  Rig rig;
  auto plain = rig.rotation();
  plain.find(soon());
  CHECK_FALSE(plain.persistent());
  rig.one.servers["api/web1"].cookie = "c1";
  auto bound = rig.rotation();
  bound.find(soon());
  CHECK(bound.persistent());
}

TEST_CASE("the survey finds everything at once and changes nothing") {
  Rig rig;
  rig.one.level = "operator";
  rig.one.servers["adm/x"].tracked = "api/web1";
  rig.two.servers["api/web1"].admin = 8;
  rig.two.servers["api/web1"].checked = false;
  Rotation rotation({{&rig.lb1, {{"api", "web1"}, {"api", "nope"}}}, {&rig.lb2, {{"api", "web1"}}}},
                    rig.options);
  std::string said;
  for (const auto& finding : rotation.survey(soon()))
    said += std::to_string(static_cast<int>(finding.severity)) + " " + finding.balancer + " " +
            finding.subject + " " + finding.text + "\n";
  for (const auto* expected :
       {"2 lb1  the socket has level operator", "2 lb1 api/nope there is no such server",
        "1 lb1 adm/x tracks", "1 lb2 api/web1 is drained already", "1 lb2 api/web1 has no health check"})
    CHECK_THAT(said, ContainsSubstring(expected));
  CHECK(rig.one.changes.empty());
  rig.two.refuses_connections = true;
  CHECK(rotation.survey(soon()).back().severity == Finding::Severity::error);
}

TEST_CASE("phases out of order are refused") {
  Rig rig;
  auto rotation = rig.rotation();
  failure(ErrorCode::invalid, [&] { rotation.drain(soon()); });
  failure(ErrorCode::invalid, [&] { rotation.wait_calm(soon()); });
  CHECK(rotation.undo(soon()).empty());
  rotation.find(soon());
  rotation.drain(soon());
  failure(ErrorCode::invalid, [&] { rotation.find(soon()); });
  rotation.quiesce(soon());
  failure(ErrorCode::invalid, [&] { rotation.drain(soon()); });
  CHECK_THROWS_AS(rig.rotation_of({}), Error);
}

TEST_CASE("who is in a hurry waits for no bake, but until all serves") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rotation.undo(soon()).empty());
  base::Cancel hurry;
  hurry.request();
  rig.two.servers["api/web1"].op = 0;
  int looks = 0;
  const auto progress = [&](const RotationProgress&) {
    if (++looks == 3) rig.two.servers["api/web1"].op = 2;
  };
  const base::Duration bake{50'000};
  CHECK(rotation.wait_serving(soon(), bake, progress, &hurry) < bake);
  CHECK(looks >= 3);
  CHECK(rotation.wait_serving(soon(), base::Duration(5)) == base::Duration(5));
}
