#include "catch.hpp"
#include "reply.hpp"

#include <fstream>
#include <sstream>
#include <string>

using namespace staithe;
using namespace staithe::haproxy;
using base::Error;
using base::ErrorCode;

namespace {

/// The bytes that HAProxy 2.6.12 sent, recorded.
std::string recorded(const std::string& name) {
  std::ifstream file(std::string(STAITHE_SOURCE_DIR) + "/tests/unit/haproxy/transcripts/2.6-" + name + ".txt",
                     std::ios::binary);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Call>
ErrorCode code_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::failed;
}

}  // namespace

TEST_CASE("the answers of one exchange are told apart") {
  CHECK(split_replies(recorded("success"), 2) == std::vector<std::string>{"", ""});
  const auto mixed = split_replies(recorded("no-such-server"), 3);
  CHECK(mixed == std::vector<std::string>{"", "[3]: No such server.\n", ""});
  CHECK(split_replies(recorded("snapshot"), 3).size() == 3);
}

TEST_CASE("an answer of the wrong length is the error in it, or truncated") {
  SECTION("the error that lacks its empty line") {
    CHECK(code_of([] { split_replies(recorded("no-blank-line"), 3); }) == ErrorCode::failed);
  }
  SECTION("nothing at all") {
    CHECK(code_of([] { split_replies("", 1); }) == ErrorCode::io);
  }
  SECTION("every cut of a success is noticed") {
    const auto whole = recorded("success");
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK(code_of([&] { split_replies(whole.substr(0, size), 2); }) == ErrorCode::io);
  }
  SECTION("every cut of a dump is noticed") {
    const auto whole = recorded("snapshot");
    for (std::size_t size = 0; size < whole.size(); size += 7)
      CHECK(code_of([&] { split_replies(whole.substr(0, size), 3); }) == ErrorCode::io);
    CHECK(code_of([&] { split_replies(whole.substr(0, whole.size() - 1), 3); }) == ErrorCode::io);
  }
  SECTION("more than was asked for") {
    CHECK(code_of([] { split_replies(recorded("success") + "more\n\n", 2); }) == ErrorCode::protocol);
  }
}

TEST_CASE("replies that are errors") {
  const auto code = [](std::string_view text) {
    const auto error = error_in(text);
    REQUIRE(error);
    return error->code();
  };
  CHECK(code("[3]: Permission denied\n") == ErrorCode::permission);
  CHECK(code("[3]: No such backend.\n") == ErrorCode::not_found);
  CHECK(code("[3]: No such server.\n") == ErrorCode::not_found);
  CHECK(code("[3]: Can't find backend.\n") == ErrorCode::not_found);
  CHECK(code("[3]: Proxy is disabled.\n") == ErrorCode::unavailable);
  CHECK(code("[3]: Absolute weight can only be between 0 and 256 inclusive.\n") == ErrorCode::failed);
  CHECK(code("[0]: anything\n") == ErrorCode::failed);
  // The severity says "information" here: only the text tells.
  CHECK(code(split_replies(recorded("unknown-command"), 1).front()) == ErrorCode::failed);
  CHECK(code("Unknown command: 'x'.\n") == ErrorCode::failed);

  CHECK_FALSE(error_in(""));
  CHECK_FALSE(error_in("[6]: admin\n"));
  CHECK_FALSE(error_in("[4]: port changed from '1' to '2'\n"));
  CHECK_FALSE(error_in("50 (initial 1)\n"));
  CHECK_FALSE(error_in("[x]: text\n"));
}

TEST_CASE("only silence is the success of a change") {
  CHECK_FALSE(refusal_in(""));
  CHECK_FALSE(refusal_in("\n"));
  CHECK(refusal_in("[6]: something\n"));
  CHECK(refusal_in("help text\nmore\n"));
  CHECK(refusal_in(recorded("no-worker"))->code() == ErrorCode::not_found);
  // 3.0, of an old worker that ends just then.
  CHECK(refusal_in("Can't connect to the target CLI!\n")->code() == ErrorCode::not_found);
  // Hostile text reaches no terminal as it is.
  const auto refusal = refusal_in("[3]: \x1b[2Jbad\n");
  REQUIRE(refusal);
  CHECK(std::string(refusal->what()).find('\x1b') == std::string::npos);
  CHECK(std::string(refusal_in("[3]: " + std::string(5'000, 'x') + "\n")->what()).size() < 300);
}

TEST_CASE("show info") {
  const auto info = parse_info(split_replies(recorded("info"), 1).front());
  CHECK(info.pid == 10969);
  CHECK(info.started == 1795206976);
  CHECK(info.version == "2.6.12-1+deb12u4");
  CHECK(info.node == "lb1");
  CHECK_FALSE(info.stopping);
  CHECK(parse_info("Pid: 1\nStopping: 1\n").stopping);
  CHECK(code_of([] { parse_info("Version: 2.6\n"); }) == ErrorCode::protocol);
  CHECK(code_of([] { parse_info("Pid: 12x\n"); }) == ErrorCode::protocol);
  CHECK(code_of([] { parse_info("Pid: 99999999999999999999999\n"); }) == ErrorCode::protocol);
  CHECK(code_of([] { parse_info("no colon\n"); }) == ErrorCode::protocol);
}

TEST_CASE("versions compare as numbers") {
  Info info;
  const auto at_least = [&](const char* version) {
    info.version = version;
    return info.at_least(3, 0, 6);
  };
  CHECK_FALSE(at_least("2.6.12-1+deb12u4"));
  CHECK_FALSE(at_least("3.0.5"));
  CHECK(at_least("3.0.11-1+deb13u5"));
  CHECK(at_least("3.1-dev9"));
  CHECK_FALSE(at_least(""));
  CHECK_FALSE(at_least("x.y"));
}

TEST_CASE("levels") {
  CHECK(parse_level(split_replies(recorded("level"), 1).front()) == "admin");
  CHECK(parse_level(split_replies(recorded("level-user"), 1).front()) == "user");
  CHECK(code_of([] { parse_level("[6]: administrator\n"); }) == ErrorCode::protocol);
}

TEST_CASE("show servers state") {
  const auto states = parse_servers(split_replies(recorded("servers"), 1).front());
  REQUIRE(states.size() == 8);
  CHECK(to_text(states[0].ref) == "web/s1");
  CHECK(states[0].address == "127.0.0.1");
  CHECK(states[0].port == 18601);
  CHECK(states[0].checked());
  CHECK_FALSE(states[0].agent_on());
  CHECK(states[1].agent_on());
  CHECK(states[1].weight == 50);
  CHECK(states[2].in_maint());
  CHECK_FALSE(states[5].checked());
  CHECK(states[5].usable());
  CHECK(to_text(states[6].ref) == "st/x-1.example.com:80");
  CHECK(states[6].address == "::1");
  CHECK(states[7].address.empty());
}

TEST_CASE("the dump is read by the names of its columns") {
  const std::string text =
      "1\n# srv_name be_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state "
      "srv_agent_state srv_fqdn srv_port future\n"
      "s1 web 10.0.0.1 2 8 10 20 6 22 web1.example 80 x\n";
  const auto states = parse_servers(text);
  REQUIRE(states.size() == 1);
  CHECK(to_text(states[0].ref) == "web/s1");
  CHECK(states[0].initial_weight == 20);
  CHECK(states[0].fqdn == "web1.example");
  CHECK(states[0].in_drain());
}

TEST_CASE("dumps that a HAProxy could not have written are refused") {
  const std::string head =
      "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state "
      "srv_agent_state srv_fqdn srv_port\n";
  CHECK(parse_servers(head).empty());
  CHECK(parse_servers(head + "<HTTPCLIENT> <HTTPSCLIENT> - 2 0 1 1 0 0 - 0\n").empty());
  for (const auto* row : {"web s1 10.0.0.1 9 0 1 1 6 0 - 80\n", "web s1 10.0.0.1 2 -1 1 1 6 0 - 80\n",
                          "web s1 10.0.0.1 2 0 1 1 6 0 - 65536\n", "web s1 10.0.0.1 2 0 1 1 6 0 -\n",
                          "we;b s1 10.0.0.1 2 0 1 1 6 0 - 80\n", "web s1/x 10.0.0.1 2 0 1 1 6 0 - 80\n",
                          "web s1 10.0.0.1 2 0x1 1 1 6 0 - 80\n"})
    CHECK(code_of([&] { parse_servers(head + row); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_servers(head + "web s1 10.0.0.1 2 0 1 1 6 0 - 8"); }) == ErrorCode::io);
  CHECK(code_of([&] { parse_servers(""); }) == ErrorCode::io);
  CHECK(code_of([&] { parse_servers("2\n# be_name\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_servers("1\n# be_name srv_name\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_servers(split_replies(recorded("no-backend"), 3)[0]); }) == ErrorCode::not_found);
}

TEST_CASE("a check that is under way hides nothing of what the last one found") {
  auto text = split_replies(recorded("stat"), 1).front();
  const auto at = text.find(",L4CON,");
  REQUIRE(at != std::string::npos);
  text.insert(at + 1, "* ");
  const auto stats = parse_stats(text);
  CHECK(std::any_of(stats.begin(), stats.end(), [](const auto& row) { return row.check_status == "L4CON"; }));
  CHECK(std::none_of(stats.begin(), stats.end(),
                     [](const auto& row) { return row.check_status.starts_with('*'); }));
}

TEST_CASE("show stat") {
  const auto stats = parse_stats(split_replies(recorded("stat"), 1).front());
  Snapshot snapshot{{}, {}, stats, {}};
  const auto* tracker = snapshot.stat({"ck", "s2"});
  REQUIRE(tracker != nullptr);
  CHECK(tracker->tracked == ServerRef{"web", "s2"});
  CHECK(tracker->cookie == "c2");
  CHECK(tracker->address == "127.0.0.1:18602");
  CHECK(snapshot.stat({"ck", "b"})->backup);
  CHECK(snapshot.stat({"web", "s1"})->check_status == "L4CON");
  CHECK(snapshot.stat({"web", "s1"})->last_check == "Connection refused");
  CHECK(snapshot.stat({"web", "BACKEND"}) == nullptr);
  CHECK(std::count_if(stats.begin(), stats.end(), [](const auto& row) { return row.is_backend; }) == 3);
  // Below operator level addresses and cookies are empty, the rest is there.
  const auto seen_by_user = parse_stats(split_replies(recorded("stat-user"), 1).front());
  CHECK(seen_by_user.size() == stats.size());
  CHECK(seen_by_user[1].address.empty());
}

TEST_CASE("quoted fields of show stat") {
  const std::string head =
      "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lbtot,tracked,type,last_chk,\n";
  const auto stats =
      parse_stats(head + "web,s1,1,2,3,DOWN,1,1,0,4,,2,\"wrong, \"\"very\"\" wrong\nand more\",\n" +
                  "fe,FRONTEND,,,,OPEN,,,,,,0,,\n");
  REQUIRE(stats.size() == 1);
  CHECK(stats[0].queued == 1);
  CHECK(stats[0].chosen == 4);
  CHECK(stats[0].last_check == "wrong, \"very\" wrong\nand more");
  CHECK(code_of([&] { parse_stats(head + "web,s1,1,2,3,DOWN,1,1,0,4,,2,\"open\n"); }) == ErrorCode::io);
  CHECK(code_of([&] { parse_stats(head + "web,s1,1,2,3,DOWN,1,1,0,4,,2\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_stats(head + "web,s1,-1,2,3,DOWN,1,1,0,4,,2,,\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_stats(head + "web,s1,1,2,3,DOWN,1,1,0,4,nobody,2,,\n"); }) ==
        ErrorCode::protocol);
  CHECK(code_of([&] { parse_stats("# " + std::string(5'000, ',') + "\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_stats("hello\n"); }) == ErrorCode::protocol);
  CHECK(code_of([&] { parse_stats("# pxname,svname\n"); }) == ErrorCode::protocol);
}

TEST_CASE("show table, show proc, show sess") {
  const auto tables = parse_tables(split_replies(recorded("table"), 1).front());
  REQUIRE(tables.size() == 1);
  CHECK(tables[0].name == "ck");
  CHECK(tables[0].type == "ip");
  CHECK(code_of([] { parse_tables("table\n"); }) == ErrorCode::protocol);

  const auto workers = parse_workers(recorded("proc"));
  REQUIRE(workers.size() == 1);
  CHECK(workers[0].pid == 10969);
  CHECK_FALSE(workers[0].old);
  const auto with_old = parse_workers(
      "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
      "1162            master          5 [failed: 0]   0d00h02m07s     3.0.11\n# workers\n"
      "1271            worker          0               0d00h00m00s     3.0.11\n# old workers\n"
      "1233            worker          3               0d00h00m43s     3.0.11\n# programs\n\n");
  REQUIRE(with_old.size() == 2);
  CHECK(with_old[1].old);
  CHECK(with_old[1].reloads == 3);
  CHECK(code_of([] { parse_workers("nonsense"); }) == ErrorCode::protocol);
  CHECK(code_of([] { parse_workers("#<PID>\n-4 worker 1\n"); }) == ErrorCode::protocol);

  CHECK(parse_sessions(recorded("sess")).empty());
  const auto sessions = parse_sessions(
      "0x55d0c0ffee: proto=tcpv4 src=127.0.0.1:5 fe=fe be=web srv=s2 ts=00 age=4s\n"
      "0x55d0c0ffef: proto=tcpv4 src=127.0.0.1:6 fe=fe be=<NONE> srv=<none> ts=00\n");
  REQUIRE(sessions.size() == 1);
  CHECK(sessions[0].id == "0x55d0c0ffee");
  CHECK(to_text(sessions[0].ref) == "web/s2");
  CHECK(code_of([] { parse_sessions("0xzz: be=web srv=s1\n"); }) == ErrorCode::protocol);
}
