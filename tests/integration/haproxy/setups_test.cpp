#include "rig.hpp"

#include "staithe/base/text.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/match.hpp"

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;
using base::ErrorCode;

TEST_CASE("an agent check that fights back is switched off, and on again") {
  Apps apps;
  Agent agent(free_port());
  agent.start();
  Balancer lb("lb1", web(apps, free_port(), "",
                         "check agent-check agent-addr " + own_address() + " agent-port " +
                             std::to_string(agent.port()) + " agent-inter 100ms"));
  REQUIRE(all_up(lb));
  REQUIRE(eventually([&] { return agent.asked > 3; }));
  // The fight is real: without switching it off, the drain does not last.
  lb.socket().command(command::drain({"web", "s1"}), soon());
  CHECK(eventually([&] { return lb.state("web/s1").usable(); }));

  Rotation rotation({{&lb.socket(), {{"web", "s2"}}}});
  rotation.find(soon());
  rotation.drain(soon());
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(own_state(lb.state("web/s2").admin) == Own::drain);
  CHECK_FALSE(lb.state("web/s2").agent_on());
  CHECK(rotation.wait_calm(soon()).reached);
  rotation.quiesce(soon());
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  CHECK(own_state(lb.state("web/s2").admin) == Own::maint);
  rotation.prove(soon());
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  CHECK(lb.state("web/s2").agent_on());
  rotation.wait_serving(soon(), base::Duration(300));

  // An agent that keeps its server drained wins once it is heard again, and that is said.
  agent.say("drain");
  REQUIRE(eventually([&] { return lb.state("web/s3").in_drain(); }));
  agent.say("up");
  Rotation held({{&lb.socket(), {{"web", "s3"}}}});
  held.find(soon());
  held.drain(soon());
  held.quiesce(soon());
  held.prove(soon());
  held.wait_proven(soon());
  CHECK(held.ready(soon()).empty());
  CHECK(lb.state("web/s3").in_drain());
}

TEST_CASE("a server that tracks another goes out and comes back with it") {
  Apps apps;
  Balancer lb("lb1", web(apps, free_port()) + "backend adm\n" + "  server s1 " + apps.address(0) +
                         " track web/s1\n  server s2 " + apps.address(1) + " track web/s2\n");
  REQUIRE(all_up(lb));
  const View view{"lb1", lb.socket().servers(soon())};
  const Wanted wanted{"host2", {}, {own_address()}, apps[1].port()};
  const auto pairs = match(wanted, std::span(&view, 1));
  REQUIRE(pairs.size() == 2);
  Rotation rotation({{&lb.socket(), {pairs[0].ref, pairs[1].ref}}});
  const auto found = rotation.find(soon());
  CHECK(found.balancers[0].servers[1].follows);
  rotation.drain(soon());
  CHECK((lb.state("adm/s2").admin & admin_bit::inherited_drain) != 0);
  CHECK(rotation.wait_calm(soon()).reached);
  rotation.quiesce(soon());
  CHECK(lb.state("adm/s2").in_maint());
  rotation.prove(soon());
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(100));
  CHECK(lb.state("adm/s2").usable());

  const auto all = lb.socket().snapshot({}, soon());
  const auto shorts = shortages(all, std::vector<ServerRef>{{"web", "s2"}}, {2, false});
  REQUIRE(shorts.size() == 1);
  CHECK(shorts[0].backend == "adm");
  CHECK(shorts[0].left == 1);
}

TEST_CASE("states that were there before come back exactly") {
  Apps apps;
  Balancer lb("lb1", web(apps, free_port()) + "backend off\n  option httpchk GET /health\n  server s1 " +
                         apps.address(0) + " check disabled\n");
  REQUIRE(all_up(lb));
  lb.socket().command("set weight web/s1 30", soon());
  lb.socket().command(command::drain({"web", "s2"}), soon());
  lb.socket().command(command::maint({"web", "s3"}), soon());
  const auto before = to_text(
      Rotation({{&lb.socket(), {{"web", "s1"}, {"web", "s2"}, {"web", "s3"}, {"off", "s1"}}}}).find(soon()));
  Rotation rotation({{&lb.socket(), {{"web", "s1"}, {"web", "s2"}, {"web", "s3"}, {"off", "s1"}}}});
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rotation.take_notes().empty());
  rotation.quiesce(soon());
  CHECK(rotation.wait_calm(soon()).reached);
  rotation.prove(soon());
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(100));
  CHECK(to_text(Rotation({{&lb.socket(), {{"web", "s1"}, {"web", "s2"}, {"web", "s3"}, {"off", "s1"}}}})
                    .find(soon())) == before);
}

TEST_CASE("no check, slow start, TCP mode") {
  Apps apps;
  const auto tcp_port = free_port();
  Balancer lb("lb1", web(apps, free_port(), "", "check slowstart 120s") + "backend plain\n" +
                         apps.servers("") + "frontend tcp\n  mode tcp\n" + bind_line(tcp_port) +
                         "  default_backend tcp\nbackend tcp\n  mode tcp\n  server s1 " + apps.address(0) +
                         '\n');
  REQUIRE(all_up(lb));
  SECTION("without a check it is back at once") {
    Rotation rotation({{&lb.socket(), {{"plain", "s2"}}}});
    cycle(rotation, apps[1]);
    CHECK(lb.state("plain/s2").usable());
  }
  SECTION("a slow start does not hold the proof") {
    Rotation rotation({{&lb.socket(), {{"web", "s2"}}}});
    cycle(rotation, apps[1]);
    CHECK(lb.state("web/s2").op == Op::starting);
  }
  SECTION("an idle TCP connection counts") {
    const auto fd = connect_to(tcp_port);
    REQUIRE(eventually([&] { return lb.stat("tcp/s1").sessions == 1; }));
    Rotation rotation({{&lb.socket(), {{"tcp", "s1"}}}});
    rotation.find(soon());
    rotation.drain(soon());
    CHECK_FALSE(rotation.wait_calm(within(500)).reached);
    rotation.close_sessions(soon());
    CHECK(rotation.wait_calm(soon()).reached);
    CHECK(rotation.undo(soon()).empty());
  }
}

TEST_CASE("rights, wrong names, and what a socket can say") {
  Apps apps;
  Balancer lb("lb1", web(apps, free_port()));
  REQUIRE(all_up(lb));
  auto& socket = lb.socket();
  CHECK(socket.level(soon()) == "admin");
  CHECK(socket.info(soon()).pid == lb.worker_pid());
  for (const auto* level : {"operator", "user"}) {
    Socket lower("lb1", lb.dial(level));
    CHECK(lower.level(soon()) == level);
    Rotation rotation({{&lower, {{"web", "s2"}}}});
    const auto findings = rotation.survey(soon());
    REQUIRE_FALSE(findings.empty());
    CHECK_THAT(findings[0].text, ContainsSubstring(level));
    rotation.find(soon());
    failure(ErrorCode::permission, [&] { rotation.drain(soon()); });
    CHECK(rotation.undo(soon()).empty());
    CHECK(lb.state("web/s2").usable());
  }
  failure(ErrorCode::not_found, [&] { socket.command(command::drain({"web", "nope"}), soon()); });
  failure(ErrorCode::not_found, [&] { socket.command(command::drain({"fe", "s1"}), soon()); });
  failure(ErrorCode::not_found, [&] { socket.servers(soon(), "nope"); });
  failure(ErrorCode::not_found, [&] { Rotation({{&socket, {{"web", "nope"}}}}).find(soon()); });
  failure(ErrorCode::failed, [&] { socket.command("bogus", soon()); });
  failure(ErrorCode::failed, [&] { socket.command("set weight web/s1 300", soon()); });
  failure(ErrorCode::failed, [&] { socket.command("show cli level", soon()); });
  // A refused command among others: they are carried out, and the refusal is named.
  const std::vector<std::string> lines{command::drain({"web", "s1"}), command::drain({"web", "no"}),
                                       command::drain({"web", "s2"})};
  CHECK_THAT(failure(ErrorCode::not_found, [&] { socket.commands(lines, soon()); }),
             ContainsSubstring("lb1: set server web/no state drain: No such server."));
  CHECK(lb.state("web/s2").in_drain());
  failure(ErrorCode::unavailable, [&] { socket.workers(soon()); });
  CHECK(lb.full_socket().worker_stats(9'999'999, "web", soon()).empty());
  CHECK(lb.full_socket().workers(soon()).size() == 1);
  const std::vector<std::string> backends{"web", "nope"};
  CHECK(socket.snapshot(backends, soon()).states.size() == 3);
}

TEST_CASE("somebody else's hand, on a real balancer") {
  Apps apps;
  Balancer lb("lb1", web(apps, free_port()));
  REQUIRE(all_up(lb));
  Rotation rotation({{&lb.socket(), {{"web", "s2"}}}});
  rotation.find(soon());
  rotation.drain(soon());
  lb.socket().command("disable server web/s2", soon());
  failure(ErrorCode::conflict, [&] { rotation.wait_calm(soon()); });
  CHECK(rotation.undo(soon()).size() == 1);
  CHECK(lb.state("web/s2").in_maint());
}

TEST_CASE("nobody there, nobody speaking, somebody else speaking") {
  Directory directory;
  const auto path = directory / "none.sock";
  Socket absent("lb1", dial_unix(path));
  failure(ErrorCode::connect, [&] { absent.info(soon()); });
  Socket too_long("lb1", dial_unix(std::string(200, 'x')));
  failure(ErrorCode::invalid, [&] { too_long.info(soon()); });
  const auto port = free_port();
  Socket refused("lb1", dial_tcp(own_address(), port));
  failure(ErrorCode::connect, [&] { refused.info(soon()); });

  const auto silent = listen_on(port);
  const auto begin = std::chrono::steady_clock::now();
  failure(ErrorCode::timeout, [&] { refused.info(within(300)); });
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  base::Cancel cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancel.request();
  });
  failure(ErrorCode::cancelled, [&] { refused.info(base::Scope::lasting(base::Duration(60'000), &cancel)); });
  canceller.join();

  Apps apps;
  Socket http("lb1", dial_tcp(own_address(), apps[0].port()), {}, {base::Duration(300), 1'000'000});
  CHECK_THROWS_AS(http.info(soon()), base::Error);
  Agent agent(free_port());
  agent.say("HTTP/1.1 400 Bad Request\r\n\r\n");
  agent.start();
  Socket other("lb1", dial_tcp(own_address(), agent.port()));
  CHECK_THROWS_AS(other.info(soon()), base::Error);
}

TEST_CASE("one socket shared by many threads") {
  Apps apps;
  const auto port = free_port();
  Balancer lb("lb1", web(apps, port) + "");
  REQUIRE(all_up(lb));
  std::atomic<int> fine{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 12; ++thread)
    threads.emplace_back([&] {
      for (int at = 0; at < 10; ++at)
        if (lb.socket().servers(soon()).size() == 3) ++fine;
    });
  for (auto& thread : threads) thread.join();
  CHECK(fine == 120);
}
