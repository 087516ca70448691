#include "rig.hpp"

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

/// As the keeper does it, with a look at the servers each time or, `quick`, only at the process.
std::vector<std::string> reassert(Rotation& rotation, base::Duration whole_look = base::Duration(0)) {
  return rotation.reassert(soon(), whole_look, [](Socket& socket) { return socket.info(soon()); });
}
constexpr base::Duration quick{60'000};

}  // namespace

TEST_CASE("a reload before the app is stopped: drained again, and counted from anew") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  int looks = 0;
  rig.two.before = [&](const std::string& line) {
    if (line == "show info" && ++looks == 3) rig.two.reload();
  };
  CHECK(rotation.wait_calm(soon()).reached);
  CHECK(rig.two.servers["api/web1"].admin == 8);
  const auto notes = base::join(rotation.take_notes(), "\n");
  CHECK_THAT(notes, ContainsSubstring("lb2: HAProxy was reloaded (process 100 is now 101)"));
  CHECK_THAT(notes, ContainsSubstring("without a master socket"));
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.two.servers["api/web1"].admin == 0);
}

TEST_CASE("a reload while the app is down: maintenance first") {
  Rig rig;
  rig.two.servers["api/web1"].agent = true;
  rig.two.configured = rig.two.servers;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rig.two.reload();
  rig.two.changes.clear();
  SECTION("seen by the keeper") {
    CHECK(reassert(rotation).size() == 2);
    CHECK(rig.two.changes == Lines{"disable agent api/web1", "set server api/web1 state maint"});
    CHECK(reassert(rotation).empty());
  }
  SECTION("seen by the keeper's quick look, which costs one question each") {
    rotation.wait_calm(soon());
    rig.two.changes.clear();
    CHECK(reassert(rotation, quick).empty());
    rig.two.reload();
    std::vector<std::string> asked;
    rig.one.before = [&](const std::string& line) { asked.push_back(line); };
    CHECK_FALSE(reassert(rotation, quick).empty());
    CHECK(rig.two.changes == Lines{"disable agent api/web1", "set server api/web1 state maint"});
    CHECK(asked == Lines{"set severity-output number", "show info"});
  }
  SECTION("seen by the keeper's whole look, which is one exchange with each") {
    CHECK(reassert(rotation).size() == 2);
    std::vector<std::string> exchanges;
    rig.one.before = [&](const std::string& line) {
      if (line == "set severity-output number") exchanges.push_back(line);
    };
    CHECK(reassert(rotation).empty());
    CHECK(exchanges.size() == 1);
  }
  SECTION("while the other balancer does not answer, which is not waited for") {
    rig.one.refuses_connections = true;
    const auto began = std::chrono::steady_clock::now();
    failure(ErrorCode::connect, [&] { reassert(rotation); });
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
    CHECK(rig.two.servers["api/web1"].admin == 1);
  }
  SECTION("while the other balancer hangs, which the first host's look has found out for all") {
    rotation.wait_calm(soon());
    rig.one.refuses_connections = true;
    failure(ErrorCode::connect, [&] { rig.lb1.info(soon()); });
    rig.one.refuses_connections = false;
    std::vector<std::string> asked;
    rig.one.before = [&](const std::string& line) { asked.push_back(line); };
    const auto glance = [&](Socket& socket) {
      if (&socket == &rig.lb1) throw Error(ErrorCode::timeout, "lb1: no answer");
      return socket.info(soon());
    };
    rig.two.reload();
    failure(ErrorCode::timeout, [&] { rotation.reassert(soon(), base::Duration(0), glance); });
    CHECK(asked.empty());
    CHECK(rig.two.servers["api/web1"].admin == 1);
  }
  SECTION("when the quick look ended at the process that is on its way out") {
    rotation.wait_calm(soon());
    const auto before = rig.lb2.info(soon());
    rig.two.reload();
    const auto glance = [&](Socket& socket) {
      auto info = &socket == &rig.lb2 ? before : socket.info(soon());
      info.stopping = &socket == &rig.lb2;
      return info;
    };
    CHECK_FALSE(rotation.reassert(soon(), quick, glance).empty());
    CHECK(rig.two.servers["api/web1"].admin == 1);
  }
  SECTION("seen by the proof") {
    rotation.prove(soon());
    CHECK(rig.two.changes == Lines{"disable agent api/web1", "set server api/web1 state maint",
                                   "set server api/web1 state drain", "set server api/web1 health down"});
  }
  SECTION("seen while waiting for the proof") {
    rotation.prove(soon());
    rig.one.servers["api/web1"].op = 2;
    rig.two.reload();
    CHECK_THAT(failure(ErrorCode::timeout, [&] { rotation.wait_proven(at_once()); }),
               ContainsSubstring("lb2"));
    CHECK(rig.two.servers["api/web1"].op == 0);
    CHECK(rig.two.servers["api/web1"].admin == 8);
  }
}

TEST_CASE("a reload just before giving back is still known when that has to be tried again") {
  Rig rig;
  auto configured = rig.two.servers;
  rig.two.servers["api/web1"].admin = 8;  // somebody else's drain, which the reload forgets
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rig.two.configured = configured;
  rig.two.reload();
  bool first = true;
  rig.two.before = [&](const std::string& line) {
    if (line.rfind("set server", 0) == 0 && std::exchange(first, false)) throw Error(ErrorCode::failed, "no");
  };
  CHECK_FALSE(rotation.undo(soon()).empty());
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.two.servers["api/web1"].admin == 8);
}

TEST_CASE("a pid that comes back with another start time is another process") {
  Info before{"", 8, 1'000, 0, false, ""};
  Info after = before;
  CHECK(after.same_process(before));
  after.started = 2'000;
  CHECK_FALSE(after.same_process(before));
}

TEST_CASE("what somebody else sets meanwhile is a conflict, and is left") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  SECTION("maintenance") {
    rig.two.servers["api/web1"].admin = 1;
    CHECK_THAT(failure(ErrorCode::conflict, [&] { rotation.wait_calm(soon()); }),
               ContainsSubstring("lb2 api/web1 was set to maint by somebody else; it had been set to drain"));
    const auto left = rotation.undo(soon());
    REQUIRE(left.size() == 1);
    CHECK_THAT(left[0], ContainsSubstring("lb2 api/web1 was set to maint by somebody else, and is left so"));
    CHECK(rig.two.servers["api/web1"].admin == 1);
    CHECK(rig.one.servers["api/web1"].admin == 0);
  }
  SECTION("ready") {
    rig.two.servers["api/web1"].admin = 0;
    failure(ErrorCode::conflict, [&] { rotation.wait_calm(soon()); });
    CHECK(rotation.undo(soon()).empty());
  }
  SECTION("while the app is down") {
    rotation.quiesce(soon());
    rig.two.servers["api/web1"].admin = 0;
    failure(ErrorCode::conflict, [&] { reassert(rotation); });
    failure(ErrorCode::conflict, [&] { rotation.prove(soon()); });
  }
}

TEST_CASE("a balancer that does not wake its queue has the host back all the same") {
  Rig rig;
  for (auto* balancer : {&rig.one, &rig.two}) balancer->servers["api/web1"].limit = 50;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  rotation.quiesce(soon());
  rotation.take_notes();
  rig.two.refuses = "set maxconn server";
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.one.changes.back() == "set maxconn server api/web1 50");
  CHECK((rig.one.servers["api/web1"].admin == 0 && rig.two.servers["api/web1"].admin == 0));
  CHECK_THAT(base::join(rotation.take_notes(), "\n"),
             ContainsSubstring("lb2: visitors that wait in a queue"));
  rotation.wait_serving(soon(), base::Duration(1));
}

TEST_CASE("a host is out everywhere only when every balancer has said so") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  const auto all_out = [&] {
    Rotation later({&rig.lb1, &rig.lb2}, rotation.found(), Phase::proving, rig.options);
    return later.keeps_all_out(soon(), [](Socket& socket) { return socket.info(soon()); });
  };
  CHECK(all_out() == true);
  rig.two.reload();
  CHECK(all_out() == false);
  rig.two.refuses_connections = true;
  CHECK(all_out() == std::nullopt);
  rig.one.reload();  // one that serves is enough
  CHECK(all_out() == false);
  rig.one.refuses_connections = true;
  failure(ErrorCode::connect, all_out);
}

TEST_CASE("what was seen out on one balancer is kept out there while nobody knows of the other") {
  Rig rig;
  auto dead = rig.rotation();
  dead.find(soon());
  dead.drain(soon());
  Rotation rotation({&rig.lb1, &rig.lb2}, dead.found(), Phase::proving, rig.options);
  const auto glance = [](Socket& socket) { return socket.info(soon()); };
  const auto keep = [&] { rotation.reassert(soon(), base::Duration(0), glance, Rotation::Where::seen_out); };
  keep();
  CHECK((rig.one.changes.size() == 1 && rig.two.changes.size() == 1));  // the drain's
  rig.two.refuses_connections = true;
  CHECK(rotation.keeps_all_out(soon(), glance) == std::nullopt);
  rig.one.reload();
  CHECK(rig.one.servers["api/web1"].admin == 0);
  CHECK(rotation.keeps_all_out(soon(), glance) == std::nullopt);
  keep();
  CHECK(rig.one.servers["api/web1"].admin == 8);
  rig.two.reload();
  rig.two.refuses_connections = false;
  rig.two.changes.clear();
  keep();
  CHECK(rig.two.changes.empty());
  CHECK(rotation.keeps_all_out(soon(), glance) == false);
}

TEST_CASE("a balancer that is lost") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  SECTION("before anything was stopped: the caller undoes on the others") {
    rig.two.refuses_connections = true;
    failure(ErrorCode::connect, [&] { rotation.drain(soon()); });
    rig.two.refuses_connections = false;
    CHECK(rotation.undo(soon()).empty());
    CHECK(rig.one.servers["api/web1"].admin == 0);
  }
  SECTION("for a moment only") {
    int refusals = 2;
    rotation.drain(soon());
    rig.two.before = [&](const std::string& line) {
      if (line == "show info" && refusals-- > 0) throw Error(ErrorCode::io, "reset");
    };
    CHECK(rotation.wait_calm(soon()).reached);
  }
  SECTION("after the app was stopped: the others go on, and it is said what is left") {
    rotation.drain(soon());
    rotation.quiesce(soon());
    rig.two.refuses_connections = true;
    rotation.prove(soon());
    rig.one.servers["api/web1"].op = 2;
    rotation.wait_proven(soon());
    const auto left = rotation.ready(soon());
    REQUIRE(left.size() == 1);
    CHECK_THAT(left[0], ContainsSubstring("lb2 api/web1 may still be out: lb2: connection refused"));
    CHECK(rig.one.servers["api/web1"].admin == 0);
    rotation.wait_serving(soon(), base::Duration(1));
    // It came back: asked again, it is put right, by way of the proof because its app was changed.
    rig.two.refuses_connections = false;
    rig.two.changes.clear();
    CHECK(rotation.ready(soon()).empty());
    CHECK(rig.two.changes == Lines{"set server api/web1 state drain", "set server api/web1 health down",
                                   "set server api/web1 state ready"});
  }
  SECTION("both, while their checks are waited for") {
    rotation.drain(soon());
    rotation.quiesce(soon());
    rotation.prove(soon());
    rig.one.refuses_connections = rig.two.refuses_connections = true;
    failure(ErrorCode::connect, [&] { rotation.wait_proven(soon()); });
  }
  SECTION("both") {
    rotation.drain(soon());
    rotation.quiesce(soon());
    rig.one.refuses_connections = rig.two.refuses_connections = true;
    failure(ErrorCode::connect, [&] { rotation.prove(soon()); });
    CHECK(rotation.ready(soon()).size() == 2);
  }
}

TEST_CASE("another process goes on from what was recorded") {
  Rig rig;
  std::string journal;
  {
    auto rotation = rig.rotation();
    journal = to_text(rotation.find(soon()));
    rotation.drain(soon());
    rotation.quiesce(soon());
  }
  const std::vector<Socket*> sockets{&rig.lb1, &rig.lb2};
  SECTION("gives back, and again") {
    Rotation again(sockets, parse_found(journal), Phase::quiescing, rig.options);
    CHECK(again.undo(soon()).empty());
    CHECK(rig.one.servers["api/web1"].admin == 0);
    rig.one.changes.clear();
    Rotation third(sockets, parse_found(journal), Phase::quiescing, rig.options);
    CHECK(third.undo(soon()).empty());
    CHECK(rig.one.changes.empty());
  }
  SECTION("takes out again and proves") {
    Rotation again(sockets, parse_found(journal), Phase::proving, rig.options);
    again.quiesce(soon());
    CHECK(again.wait_calm(soon()).reached);
    again.prove(soon());
    CHECK(rig.two.servers["api/web1"].op == 0);
    rig.one.servers["api/web1"].op = rig.two.servers["api/web1"].op = 2;
    again.wait_proven(soon());
    CHECK(again.ready(soon()).empty());
  }
  SECTION("a crash before the maintenance: maintenance is somebody else's") {
    Rotation again(sockets, parse_found(journal), Phase::draining, rig.options);
    again.expect_others({false});
    CHECK(again.undo(soon()).empty());
    CHECK((rig.one.servers["api/web1"].admin == 1 && rig.two.servers["api/web1"].admin == 1));
    CHECK(again.taken_by_others(soon()).everywhere);
  }
  SECTION("a balancer that was reloaded since") {
    rig.two.reload();
    Rotation again(sockets, parse_found(journal), Phase::quiescing, rig.options);
    CHECK(again.undo(soon()).empty());
    CHECK(rig.two.servers["api/web1"].admin == 0);
  }
  SECTION("a balancer that is not declared any more, and a server that is gone") {
    rig.one.servers.erase("api/web1");
    Rotation again({&rig.lb1}, parse_found(journal), Phase::quiescing, rig.options);
    const auto left = again.undo(soon());
    REQUIRE(left.size() == 1);
    CHECK_THAT(left[0], ContainsSubstring("lb2 api/web1"));
    CHECK_THAT(base::join(again.take_notes(), "\n"),
               ContainsSubstring("lb1: api/web1 does not exist any more"));
    failure(ErrorCode::not_found, [&] { again.quiesce(soon()); });
  }
}

TEST_CASE("old workers count, and their sessions can be closed") {
  Rig rig;
  Socket socket("lb1", rig.one.dial(), rig.one.dial_master());
  Rotation rotation({{&socket, {{"api", "web1"}}}}, rig.options);
  rotation.find(soon());
  rotation.drain(soon());
  rig.one.master_proc = "90 worker 1 0d00h00m43s 2.6\n";
  rig.one.master_answers["@!90 show stat api 6 -1"] =
      "# "
      "pxname,svname,qcur,scur,stot,status,weight,act,bck,lbtot,tracked,type,\napi,web1,0,2,9,UP,1,1,0,9,,2,"
      "\n"
      "api,web2,0,7,9,UP,1,1,0,9,,2,\n\n";
  rig.one.master_answers["@!90 show sess"] =
      "0xabc: proto=tcpv4 fe=fe be=api srv=web1 ts=00\n"
      "0xdef: proto=tcpv4 fe=fe be=api srv=web2 ts=00\n\n";
  rig.one.master_answers["@!90 shutdown session 0xabc"] = "\n";
  const auto calm = rotation.wait_calm(at_once());
  CHECK_FALSE(calm.reached);
  CHECK_THAT(calm.busy, ContainsSubstring("2 sessions: lb1 (old worker 90) api/web1 2"));
  rotation.close_sessions(soon());
  CHECK(rig.one.changes == Lines{"set server api/web1 state drain", "shutdown sessions server api/web1",
                                 "@!90 shutdown session 0xabc"});
  rig.one.master_proc.clear();
  CHECK(rotation.wait_calm(soon()).reached);
}

TEST_CASE("a server that goes DOWN within the bake is a failure") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rotation.undo(soon()).empty());
  int looks = 0;
  rig.two.before = [&](const std::string& line) {
    if (line == "show info" && ++looks == 4) rig.two.servers["api/web1"].op = 0;
  };
  CHECK_THAT(failure(ErrorCode::failed, [&] { rotation.wait_serving(soon(), base::Duration(1'000)); }),
             ContainsSubstring("after it was restored, lb2 api/web1 is DOWN"));
}

TEST_CASE("a wait says whether HAProxy itself finds the servers unwell, or is not to be heard any more") {
  Rig rig;
  rig.options.silent_after = base::Duration(300);
  rig.options.patience = base::Duration(GENERATE(50, 60'000));  // less than the wait, and more
  auto rotation = rig.rotation();
  rotation.find(soon());
  for (auto* balancer : {&rig.one, &rig.two}) balancer->servers["api/web1"].op = 0;
  const bool serving = GENERATE(false, true);
  const auto wait = [&] {
    const auto phase = serving ? Phase::restoring : Phase::proving;
    Rotation later({&rig.lb1, &rig.lb2}, rotation.found(), phase, rig.options);
    serving ? (void)later.wait_serving(at_once(), base::Duration(1)) : later.wait_proven(at_once());
  };
  try {
    wait();
    FAIL("nothing was thrown");
  } catch (const Unwell& error) {
    CHECK_THAT(error.what(), ContainsSubstring("lb1 api/web1 is DOWN"));
  }
  int looks = 0;
  for (auto* balancer : {&rig.one, &rig.two})
    balancer->before = [&](const std::string& line) {
      if (line == "show info" && ++looks > 6) throw Error(ErrorCode::timeout, "the answer took too long");
    };
  try {
    wait();
    FAIL("nothing was thrown");
  } catch (const Unwell&) {
    FAIL("what nobody could be asked of is held against the app");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring("answer took too long"));
  }
}

TEST_CASE("a refusal stops the phase and names the command") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rig.two.level = "operator";
  CHECK_THAT(failure(ErrorCode::permission, [&] { rotation.drain(soon()); }),
             ContainsSubstring("lb2: set server api/web1 state drain: Permission denied"));
  CHECK(rotation.phase() == Phase::draining);
  const auto left = rotation.undo(soon());
  CHECK(left.empty());  // lb2 never left the state it was found in
  CHECK(rig.one.servers["api/web1"].admin == 0);
}

TEST_CASE("a cancelled wait ends at once") {
  Rig rig;
  rig.one.servers["api/web1"].sessions = 1;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  base::Cancel cancel;
  cancel.request();
  failure(ErrorCode::cancelled, [&] { rotation.wait_calm(Scope::lasting(base::Duration(60'000), &cancel)); });
  CHECK(rotation.undo(soon()).empty());
}

TEST_CASE("one refused command on the way back does not count the others as left") {
  Rig rig;
  auto rotation = rig.rotation_of({{"api", "web1"}, {"adm", "web1"}});
  rig.one.servers["api/web1"].weight = 7;
  rotation.find(soon());
  rotation.drain(soon());
  rig.one.reload();
  rig.one.refuses = "set weight";
  const auto left = rotation.undo(soon());
  REQUIRE(left.size() == 1);
  CHECK_THAT(left[0],
             ContainsSubstring("lb1: set weight api/web1 7: Backend is using a static LB algorithm"));
  CHECK(rig.one.servers["api/web1"].admin == 0);
  CHECK(rig.one.servers["adm/web1"].admin == 0);
}

TEST_CASE("a deadline on the way back is told, server by server") {
  Rig rig;
  auto rotation = rig.rotation();
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rotation.undo(Scope::lasting(base::Duration(0))).size() == 2);
  CHECK(rotation.undo(soon()).empty());
  CHECK(rig.two.servers["api/web1"].admin == 0);
}
