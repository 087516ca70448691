#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/haproxy/calm.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/found.hpp"
#include "staithe/haproxy/match.hpp"
#include "staithe/haproxy/risks.hpp"

#include <string>

using namespace staithe;
using namespace staithe::haproxy;
using base::Error;
using base::ErrorCode;

namespace {

ServerState server(const std::string& ref, const std::string& address = "10.0.0.1", std::uint16_t port = 80) {
  ServerState state;
  state.ref = parse_ref(ref);
  state.address = address;
  state.port = port;
  state.op = Op::running;
  state.weight = state.initial_weight = 100;
  state.check = 6;
  return state;
}

ServerStat stat(const std::string& ref, const std::string& tracked = {}, bool backup = false) {
  ServerStat row;
  row.ref = parse_ref(ref);
  row.backup = backup;
  row.status = "UP";
  if (!tracked.empty()) row.tracked = parse_ref(tracked);
  return row;
}

std::string error_of(const Wanted& wanted, const std::vector<View>& views, ErrorCode code) {
  try {
    match(wanted, views);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  FAIL("it matched");
  return {};
}

}  // namespace

TEST_CASE("commands are exactly what a plan prints") {
  const ServerRef ref{"api", "web-1.example.com:80"};
  CHECK(command::drain(ref) == "set server api/web-1.example.com:80 state drain");
  CHECK(command::maint(ref) == "set server api/web-1.example.com:80 state maint");
  CHECK(command::ready(ref) == "set server api/web-1.example.com:80 state ready");
  CHECK(command::prove({"a", "b"}) == "set server a/b state drain;set server a/b health down");
  CHECK(command::weight({"a", "b"}, 256) == "set weight a/b 256");
  CHECK_THROWS_AS(command::weight({"a", "b"}, 257), Error);
  CHECK(command::disable_agent({"a", "b"}) == "disable agent a/b");
  CHECK(command::close_sessions({"a", "b"}) == "shutdown sessions server a/b");
}

TEST_CASE("no name can become a second command") {
  for (const std::string name : {"a;show info", "a b", "a\nb", "", "a/b", "a#b", "a\\b", "\"a\"", "é"}) {
    CHECK_FALSE(valid_name(name));
    CHECK_THROWS_AS(command::drain({"api", name}), Error);
    CHECK_THROWS_AS(command::drain({name, "web1"}), Error);
  }
  CHECK_FALSE(valid_name(std::string(300, 'a')));
  CHECK_THROWS_AS(parse_ref("api"), Error);
  CHECK_THROWS_AS(parse_ref("api/web1/x"), Error);
}

TEST_CASE("what the bits mean") {
  auto state = server("a/b");
  CHECK(state.usable());
  state.admin = admin_bit::config_disabled;  // only a memory
  CHECK(state.usable());
  for (const auto bit : {0x01U, 0x02U, 0x08U, 0x10U, 0x20U}) {
    state.admin = bit;
    CHECK_FALSE(state.usable());
  }
  CHECK(own_state(0x01 | 0x08) == Own::maint);
  CHECK(own_state(0x08 | 0x04) == Own::drain);
  CHECK(own_state(0x10 | 0x02 | 0x20) == Own::ready);
  state.admin = 0;
  state.op = Op::starting;
  CHECK(state.usable());
  state.op = Op::stopping;
  CHECK_FALSE(state.usable());
  state.op = Op::running;
  state.weight = 0;
  CHECK_FALSE(state.usable());
}

TEST_CASE("servers are matched by name and checked against the address") {
  const std::vector<View> views{
      {"lb1", {server("api/web1"), server("api/web2", "10.0.0.2"), server("adm/web1")}},
      {"lb2", {server("api/web1"), server("api/web2", "10.0.0.2")}}};
  const Wanted wanted{"web1", {{"api", "web1"}, {"adm", "web1"}}, {"10.0.0.1"}, 80};
  const auto pairs = match(wanted, views);
  // lb2 has no backend adm at all: that is a layout, not a mistake.
  CHECK(pairs ==
        std::vector<Pair>{{"lb1", {"api", "web1"}}, {"lb1", {"adm", "web1"}}, {"lb2", {"api", "web1"}}});

  auto other = wanted;
  other.addresses = {"10.0.0.2"};
  CHECK_THAT(error_of(other, views, ErrorCode::conflict),
             ContainsSubstring("api/web1 on lb1 is 10.0.0.1:80, but the host is 10.0.0.2:80"));
  other = wanted;
  other.port = 81;
  CHECK_THAT(error_of(other, views, ErrorCode::conflict), ContainsSubstring("but the host is 10.0.0.1:81"));
  other = wanted;
  other.addresses.clear();
  CHECK(match(other, views).size() == 3);
  other = wanted;
  other.addresses = {"web1.example.com"};  // may well resolve to it
  CHECK(match(other, views).size() == 3);
}

TEST_CASE("names that stand for nothing are refused with a suggestion") {
  const std::vector<View> views{{"lb1", {server("api/web1")}}, {"lb2", {server("api/web2", "10.0.0.2")}}};
  CHECK_THAT(error_of({"web1", {{"api", "wbe1"}}, {}, 0}, views, ErrorCode::not_found),
             ContainsSubstring("did you mean api/web1?"));
  CHECK_THAT(error_of({"web1", {{"api", "web1"}}, {}, 0}, views, ErrorCode::not_found),
             ContainsSubstring("lb2 has the backend api, but no server web1 in it"));
  const auto both = error_of({"web1", {{"x", "y"}, {"p", "q"}}, {}, 0}, views, ErrorCode::not_found);
  CHECK_THAT(both, ContainsSubstring("x/y"));
  CHECK_THAT(both, ContainsSubstring("p/q"));
}

TEST_CASE("servers are matched by address over all backends") {
  auto named = server("dns/web1", "10.0.0.9");
  named.fqdn = "Web1.example.com";
  const std::vector<View> views{
      {"lb1", {server("api/a"), server("api/b", "10.0.0.2"), server("adm/c", "::ffff:10.0.0.1", 81), named}}};
  CHECK(match({"web1", {}, {"10.0.0.1"}, 0}, views).size() == 2);
  CHECK(match({"web1", {}, {"10.0.0.1"}, 81}, views) == std::vector<Pair>{{"lb1", {"adm", "c"}}});
  CHECK(match({"web1", {}, {"web1.example.com"}, 0}, views) == std::vector<Pair>{{"lb1", {"dns", "web1"}}});
  CHECK_THAT(error_of({"web1", {}, {"10.0.0.7"}, 80}, views, ErrorCode::not_found),
             ContainsSubstring("no server of any balancer has the address 10.0.0.7:80"));
  error_of({"web1", {}, {}, 0}, views, ErrorCode::not_found);
  // An unresolved server's "" must not match a host without an address.
  CHECK_FALSE(same_address("10.0.0.1", ""));
  CHECK(same_address("::1", "0:0:0:0:0:0:0:1"));
}

TEST_CASE("two servers of one backend on one host are ambiguous without a port") {
  const std::vector<View> views{{"lb1", {server("api/a", "10.0.0.1", 80), server("api/b", "10.0.0.1", 81)}}};
  CHECK_THAT(error_of({"web1", {}, {"10.0.0.1"}, 0}, views, ErrorCode::invalid),
             ContainsSubstring("name the server or the port"));
  CHECK(match({"web1", {}, {"10.0.0.1"}, 81}, views).size() == 1);
}

TEST_CASE("capacity counts who would still take visitors") {
  Snapshot all;
  for (const auto* name : {"api/web1", "api/web2", "api/web3", "api/web4"}) {
    all.states.push_back(server(name));
    all.stats.push_back(stat(name));
  }
  const std::vector<ServerRef> out{{"api", "web1"}};
  CHECK(shortages(all, out, {3, false}).empty());
  CHECK(shortages(all, out, {75, true}).empty());
  REQUIRE(shortages(all, out, {76, true}).size() == 1);
  CHECK(shortages(all, out, {76, true})[0].needed == 4);
  all.states[3].admin = admin_bit::forced_drain;
  const auto shorts = shortages(all, out, {3, false});
  REQUIRE(shorts.size() == 1);
  CHECK(shorts[0].now == 3);
  CHECK(shorts[0].left == 2);
  CHECK(shorts[0].text() == "would be left with 2 of 4 servers, 3 needed; out now: web4 (drained)");
  all.states[2].admin = admin_bit::forced_drain;
  CHECK(shortages(all, out, {3, false})[0].text() ==
        "would be left with 1 of 4 servers, 3 needed; out now: web[3-4] (drained)");
  all.states[2].admin = 0;
  // Taking out what is out already costs nothing.
  CHECK(shortages(all, std::vector<ServerRef>{{"api", "web4"}}, {4, false}).empty());
  // The last server is never taken, whatever the minimum.
  all.states[1].op = Op::stopped;
  all.states[2].weight = 0;
  CHECK(shortages(all, out, {0, false}).size() == 1);
}

TEST_CASE("capacity at best: what is only down may come up, what is kept away does not") {
  Snapshot all;
  for (const auto* name : {"api/web1", "api/web2", "api/web3", "api/web4", "api/web5"}) {
    all.states.push_back(server(name));
    all.stats.push_back(stat(name));
  }
  all.states[1].op = Op::stopped;
  const std::vector<ServerRef> out{{"api", "web1"}};
  CHECK(shortages(all, out, {4, false}).size() == 1);
  CHECK(shortages(at_best(all), out, {4, false}).empty());
  all.states[2].weight = 0;
  all.states[2].agent = 4;  // an agent may raise it again
  CHECK(shortages(at_best(all), out, {4, false}).empty());
  all.states[2].agent = 0;
  CHECK(shortages(at_best(all), out, {4, false}).size() == 1);
  all.states[3].admin = admin_bit::forced_drain;
  all.states[4].admin = admin_bit::forced_maint;
  const auto shorts = shortages(at_best(all), out, {2, false});
  REQUIRE(shorts.size() == 1);
  CHECK(shorts[0].left == 1);
  CHECK_THAT(shorts[0].text(), ContainsSubstring("web4 (drained), web5 (in maintenance), web3 (weight 0)"));
}

TEST_CASE("capacity: backups and followers") {
  Snapshot all;
  all.states = {server("api/web1"), server("api/spare"), server("adm/x"), server("adm/y"), server("far/z")};
  all.stats = {stat("api/web1"), stat("api/spare", "", true), stat("adm/x", "api/web1"),
               stat("adm/y", "adm/x"), stat("far/z")};
  const std::vector<ServerRef> out{{"api", "web1"}};
  CHECK(with_followers(all, out) == std::vector<ServerRef>{{"api", "web1"}, {"adm", "x"}, {"adm", "y"}});
  const auto shorts = shortages(all, out, {1, false});
  // The backup takes over in api; adm follows web1 as a whole and would be empty.
  REQUIRE(shorts.size() == 1);
  CHECK(shorts[0].backend == "adm");
  CHECK(shorts[0].left == 0);
  all.stats[1].backup = false;
  all.states[1].op = Op::stopped;
  CHECK(shortages(all, out, {1, false}).size() == 2);
}

TEST_CASE("calm needs three polls without any movement") {
  CalmDetector detector;
  std::map<std::string, Load> loads{{"lb1 7 a/b", {0, 0, 10, 9}}, {"lb2 8 a/b", {0, 0, 3, 3}}};
  detector.feed(loads);
  detector.feed(loads);
  CHECK_FALSE(detector.calm());
  SECTION("calm") {
    detector.feed(loads);
    CHECK(detector.calm());
  }
  SECTION("a visitor came and went between two polls") {
    loads["lb2 8 a/b"].total_sessions = 4;
    detector.feed(loads);
    CHECK(detector.streak() == 1);
  }
  SECTION("somebody is in hand, or waits in the queue") {
    auto busy = loads;
    busy["lb1 7 a/b"].queued = 1;
    detector.feed(busy);
    CHECK(detector.streak() == 0);
    detector.feed(loads);
    CHECK(detector.streak() <= 1);
  }
  SECTION("a new process starts the count again") {
    loads.erase("lb2 8 a/b");
    loads["lb2 9 a/b"] = {0, 0, 0, 0};
    detector.feed(loads);
    CHECK_FALSE(detector.calm());
  }
  SECTION("an old worker that has ended does not") {
    loads.erase("lb2 8 a/b");
    detector.feed(loads);
    CHECK(detector.calm());
  }
}

TEST_CASE("what was found survives a journal") {
  Found found;
  found.balancers.push_back({"edge 1%",
                             4711,
                             1795206976,
                             {{{"api", "web1"}, 5, Op::running, 100, true, true, false, false, 50},
                              {{"adm", "web1"}, 0x12, Op::stopped, 0, false, false, true, true}}});
  found.balancers.push_back({"édge", 1, 0, {}});
  const auto text = to_text(found);
  CHECK(parse_found(text) == found);
  CHECK(text.find("edge%201%25") != std::string::npos);
  for (std::size_t size = 0; size < text.size(); ++size) {
    // A record cut between two lines is shorter and whole; every other cut is refused.
    const auto cut = text.substr(0, size);
    if (!cut.empty() && cut.back() == '\n') continue;
    CHECK_THROWS_AS(parse_found(cut), Error);
  }
  for (const auto* bad : {"staithe-found 2\n", "staithe-found 1\nserver a/b admin=0 op=2 weight=1\n",
                          "staithe-found 1\nbalancer x 1 1\nserver a/b admin=0 op=4 weight=1\n",
                          "staithe-found 1\nbalancer x 1 1\nserver a;b/c admin=0 op=2 weight=1\n",
                          "staithe-found 1\nbalancer x 1 1\nserver a/b admin=0 op=2 weight=1 surprise\n",
                          "staithe-found 1\nbalancer x 1 1\nserver a/b admin=0 op=2 weight=1 file=257\n",
                          "staithe-found 1\nbalancer x 1 1\nserver a/b admin=0 op=2 weight=1 file=\n",
                          "staithe-found 1\nbalancer %4 1 1\n", "staithe-found 1\nbalancer x 1\n"})
    CHECK_THROWS_AS(parse_found(bad), Error);
}

TEST_CASE("risks name what makes a rollout dangerous") {
  Overview overview;
  overview.balancer = "lb1";
  overview.level = "operator";
  overview.all.info.version = "2.6.12";
  overview.workers = {{1, true, 1}};
  overview.all.tables = {{"adm", "ip", 3}};
  overview.all.states = {server("api/web1"), server("api/web2"), server("adm/x")};
  overview.all.states[0].check = 0;
  overview.all.states[1].admin = admin_bit::forced_maint;
  overview.all.states[2].agent = 22;
  for (auto& state : overview.all.states) state.initial_weight = 1;
  overview.all.stats = {stat("api/web1"), stat("api/web2"), stat("adm/x")};
  overview.all.stats[2].cookie = "c1";
  ServerStat row;
  row.ref = {"api", "BACKEND"};
  row.is_backend = true;
  row.algorithm = "static-rr";
  overview.all.stats.push_back(row);
  std::string said;
  for (const auto& finding : risks(overview)) said += finding.subject + ": " + finding.text + "\n";
  for (const auto* expected :
       {": the socket has level operator", "1 old worker", "adm: a single server",
        "api: no health check on web1", "api/web2: is in maintenance", "adm: visitors are bound by cookie",
        "adm: it has a stick table", "adm/x: an agent check", "api: balance static-rr", "all weights are 1",
        "before 3.0.6", "no master socket"})
    CHECK_THAT(said, ContainsSubstring(expected));

  Overview good;
  good.level = "admin";
  good.master = true;
  good.all.info.version = "3.0.11";
  good.all.states = {server("api/web1"), server("api/web2")};
  good.all.stats = {stat("api/web1"), stat("api/web2")};
  CHECK(risks(good).empty());
  good.files.keeps_states = FilesSay::Answer::no;
  REQUIRE(risks(good).size() == 1);
  CHECK(risks(good)[0].severity == Finding::Severity::note);
  CHECK_THAT(risks(good)[0].text, ContainsSubstring("no load-server-state-from-file"));
  good.files.keeps_states = FilesSay::Answer::unknown;
  REQUIRE(risks(good).size() == 1);
  CHECK_THAT(risks(good)[0].text, ContainsSubstring("cannot be read from here"));
  good.files.keeps_states = FilesSay::Answer::yes;
  CHECK_THAT(risks(good).at(0).text, ContainsSubstring("an old drain"));
  good.files.keeps_states = FilesSay::Answer::not_asked;

  // Sessions that end with the server are a risk only where a cookie makes maintenance the way out.
  good.files.ends_sessions = FilesSay::Answer::yes;
  CHECK(risks(good).empty());
  good.all.stats[0].cookie = "c1";
  REQUIRE(risks(good).size() == 2);
  CHECK(risks(good)[1].severity == Finding::Severity::warning);
  CHECK_THAT(risks(good)[1].text, ContainsSubstring("on-marked-down shutdown-sessions"));
  good.files.ends_sessions = FilesSay::Answer::no;
  CHECK(risks(good).size() == 1);
}
