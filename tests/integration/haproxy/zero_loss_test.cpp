#include "rig.hpp"

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

struct TwoBalancers {
  Apps apps;
  std::uint16_t port1 = free_port();
  std::uint16_t port2 = free_port();
  Balancer lb1;
  Balancer lb2;

  explicit TwoBalancers(const std::string& more = {}, const std::string& options = "check")
      : lb1("lb1", web(apps, port1, more, options)), lb2("lb2", web(apps, port2, more, options)) {
    REQUIRE(all_up(lb1));
    REQUIRE(all_up(lb2));
  }

  Rotation rotation(const std::string& server) {
    return Rotation({{&lb1.socket(), {{"web", server}}}, {&lb2.socket(), {{"web", server}}}});
  }
};

}  // namespace

TEST_CASE("rolling restarts behind two balancers lose no request", "[load]") {
  TwoBalancers rig;
  Visitors visitors({rig.port1, rig.port2}, 4);
  REQUIRE(eventually([&] { return visitors.requests() > 50; }));
  for (int round = 0; round < 2; ++round)
    for (std::size_t at = 0; at < 3; ++at) {
      auto rotation = rig.rotation("s" + std::to_string(at + 1));
      cycle(rotation, rig.apps[at]);
    }
  CHECK(eventually([&] { return visitors.requests() > 500; }));
  const auto result = visitors.finish();
  INFO("requests " << result.requests);
  CHECK(result.failed == 0);
  for (const auto* name : {"s1", "s2", "s3"}) CHECK(result.by_body.at(name) > 0);
}

TEST_CASE("the same restart without a drain loses requests", "[load]") {
  TwoBalancers rig;
  Visitors visitors({rig.port1, rig.port2}, 4);
  REQUIRE(eventually([&] { return visitors.requests() > 50; }));
  // One that comes while nobody is in hand there, as on a busy machine, costs nobody anything.
  CHECK(in_time([&] {
    rig.apps[1].stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    rig.apps[1].start();
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    return visitors.failed() > 0;
  }));
}

TEST_CASE("what a backend is set to does not cost a request", "[load]") {
  struct Setting {
    const char* name;
    const char* backend;
    const char* servers;
    bool binds = false;  ///< visitors to a server, beyond a drain
  };
  const auto setting = GENERATE(
      Setting{"a stick table", "  stick-table type ip size 100\n  stick on src\n", "check", true},
      Setting{"tracked and stored visitors",
              "  stick-table type ip size 100 store http_req_cnt,server_id\n  http-request track-sc0 src\n"
              "  stick match src\n  stick store-request src\n",
              "check", true},
      Setting{"queues before servers", "  timeout queue 10s\n", "check maxconn 2"},
      Setting{"slow starts", "", "check slowstart 2s"},
      Setting{"a static order", "  balance static-rr\n  option redispatch\n", "check weight 10"},
      Setting{"a hash of the visitor", "  balance source\n  hash-type consistent\n", "check"},
      Setting{"fewest connections, and no retries", "  balance leastconn\n  retries 0\n", "check"},
      Setting{"connections reused and preferred", "  http-reuse always\n  option prefer-last-server\n",
              "check"},
      Setting{"weights", "", "check weight 1"}, Setting{"no checks", "  retries 0\n", ""});
  INFO(setting.name);
  Apps apps;
  const auto port = free_port();
  Balancer lb("lb1", web(apps, port, setting.backend, setting.servers));
  if (std::string(setting.servers).find("check") != std::string::npos) REQUIRE(all_up(lb));
  const auto weight = lb.state("web/s1").weight;
  Visitors visitors({port}, 4);
  REQUIRE(eventually([&] { return visitors.requests() > 50; }));
  for (std::size_t at = 0; at < 3; ++at) {
    Rotation rotation({{&lb.socket(), {{"web", "s" + std::to_string(at + 1)}}}});
    rotation.find(soon());
    CHECK(rotation.persistent() == setting.binds);
    cycle(rotation, apps[at]);
    CHECK(lb.state("web/s" + std::to_string(at + 1)).weight == weight);
  }
  CHECK(eventually([&] { return visitors.requests() > 100; }));
  const auto result = visitors.finish();
  for (const auto& [body, count] : result.by_body) UNSCOPED_INFO(body << ": " << count);
  CHECK(result.failed == 0);
}

TEST_CASE("a server that comes back is given what waits in its backend's queue", "[load]") {
  Apps apps;
  const auto port = free_port();
  Balancer lb("lb1", web(apps, port, "  timeout queue 10s\n", "check maxconn 1"));
  REQUIRE(all_up(lb));
  Visitors visitors({port}, 4);  // more than all servers take: somebody waits at every moment
  REQUIRE(eventually([&] { return visitors.requests() > 20; }));
  SECTION("by a restore") {
    Rotation rotation({{&lb.socket(), {{"web", "s1"}}}});
    cycle(rotation, apps[0]);
  }
  SECTION("by an undo") {
    Rotation rotation({{&lb.socket(), {{"web", "s1"}}}});
    rotation.find(soon());
    rotation.drain(soon());
    REQUIRE(rotation.wait_calm(soon()).reached);
    CHECK(rotation.undo(soon()).empty());
  }
  const auto served = apps[0].served.load();
  CHECK(eventually([&] { return apps[0].served > served + 10; }));
  CHECK(visitors.finish().failed == 0);
}

TEST_CASE("visitors bound by cookie are moved by maintenance, without a loss", "[load]") {
  TwoBalancers rig("  cookie SRV insert indirect\n");
  // The default server line has no cookie: each needs its own.
  for (auto* lb : {&rig.lb1, &rig.lb2}) {
    const auto port = lb == &rig.lb1 ? rig.port1 : rig.port2;
    std::string proxies = "frontend fe\n" + bind_line(port) +
                          "  default_backend web\nbackend web\n  option httpchk GET /health\n"
                          "  cookie SRV insert indirect\n";
    for (std::size_t at = 0; at < 3; ++at)
      proxies += "  server s" + std::to_string(at + 1) + ' ' + rig.apps.address(at) + " check cookie c" +
                 std::to_string(at + 1) + '\n';
    lb->configure(proxies);
    lb->reload();
    REQUIRE(all_up(*lb));
  }
  Visitors visitors({rig.port1, rig.port2}, 4, true);
  REQUIRE(eventually([&] { return visitors.requests() > 50; }));
  auto rotation = rig.rotation("s2");
  rotation.find(soon());
  CHECK(rotation.persistent());
  rotation.drain(soon());
  never_calm(rotation, 700, "");
  rotation.quiesce(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  rig.apps[1].stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  rig.apps[1].start();
  rotation.prove(soon());
  rotation.wait_proven(soon());
  REQUIRE(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(300));
  CHECK(eventually([&] { return visitors.requests() > 200; }));
  CHECK(visitors.finish().failed == 0);
}

TEST_CASE("an app whose health never comes back gets no visitor", "[load]") {
  TwoBalancers rig;
  Visitors visitors({rig.port1, rig.port2}, 3);
  auto rotation = rig.rotation("s2");
  rotation.find(soon());
  rotation.drain(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  rotation.quiesce(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  rig.apps[1].health = 503;
  const auto served = rig.apps[1].served.load();
  rotation.prove(soon());
  std::string text;
  in_time([&] {
    text = failure(base::ErrorCode::timeout, [&] { rotation.wait_proven(within(1'500)); });
    return text.find("lb1 web/s2 is DOWN") != std::string::npos &&
           text.find("lb2 web/s2 is DOWN") != std::string::npos;
  });
  CHECK_THAT(text, ContainsSubstring("lb1 web/s2 is DOWN (L7STS"));
  CHECK_THAT(text, ContainsSubstring("lb2 web/s2 is DOWN"));
  // Rolled back, healthy again, and back without having been asked anything in between.
  rotation.quiesce(soon());
  CHECK(rig.lb1.state("web/s2").in_maint());
  rig.apps[1].health = 200;
  CHECK(rig.apps[1].served == served);
  rotation.prove(soon());
  rotation.wait_proven(soon());
  CHECK(rotation.ready(soon()).empty());
  rotation.wait_serving(soon(), base::Duration(100));
  CHECK(visitors.finish().failed == 0);
  CHECK(rig.apps[1].served > served);
}

TEST_CASE("ready straight from maintenance waits for checks as well", "[load]") {
  TwoBalancers rig;
  Visitors visitors({rig.port1, rig.port2}, 3);
  auto rotation = rig.rotation("s2");
  rotation.find(soon());
  rotation.drain(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  rotation.quiesce(soon());
  REQUIRE(rotation.wait_calm(soon()).reached);
  rig.apps[1].stop();
  CHECK(rotation.ready(soon()).empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  rig.apps[1].start();
  rotation.wait_serving(soon(), base::Duration(100));
  CHECK(visitors.finish().failed == 0);
}
