#include "flow.hpp"

using namespace flow;

namespace {

std::string rows(const std::string& steps) {
  return "suite: s\nseverity: critical\ntarget: http://h\ncases: c.csv\nsteps:\n" + steps;
}

}  // namespace

TEST_CASE("flow: a stop ends its row of the table, and no other one; what stands outside is blocked") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    return {title == "POST http://h/pay?row=r1" ? 500 : 200, "{}"};
  });
  const Ran ran({rows(R"y(  - {name: first, get: /first, expect: 200}
  - {name: make $(case.name), get: "/make?row=$(case.name)", expect: 200}
  - {name: pay $(case.name), post: "/pay?row=$(case.name)", expect: 200}
  - {name: third $(case.name), get: "/third?row=$(case.name)", expect: 200}
  - {name: outside, get: /outside, expect: 200}
  - {name: again $(case.name), get: "/again?row=$(case.name)", expect: 200}
)y")},
                fake);
  CHECK(fake.asked == std::vector<std::string>{"GET http://h/first", "GET http://h/make?row=r1",
                                               "POST http://h/pay?row=r1", "GET http://h/make?row=r2",
                                               "POST http://h/pay?row=r2", "GET http://h/third?row=r2"});
  CHECK(ran.of("third r1").reason == "blocked: 'pay r1' failed before it");
  CHECK(ran.of("outside").reason == "blocked: 'pay r1' failed before it");
  CHECK(ran.of("again r2").reason == "blocked: 'pay r1' failed before it");
  CHECK(ran.result.verdict == Verdict::fail);
}

TEST_CASE("flow: a stop in front of a table ends all of it; a row that lacks a value names its own step") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/login") return {500, "{}"};
    if (title == "GET http://h/make?row=r1") return {404, "{}"};
    return {200, R"({"id":7})"};
  });
  const std::string table = R"y(  - name: make $(case.name)
    get: "/make?row=$(case.name)"
    expect: 200
    save: {id: json.id}
    on_fail: continue
  - {name: use $(case.name), get: "/use/$(id)?row=$(case.name)", expect: 200}
)y";
  const Ran stopped({rows("  - {name: login, get: /login, expect: 200}\n" + table)}, fake);
  CHECK(stopped.of("make r2").reason == "blocked: 'login' failed before it");
  const Ran ran({rows(table)}, fake);
  CHECK(ran.of("use r1").reason == "blocked: needs 'make r1', which failed");
  CHECK(ran.of("use r2").verdict == Verdict::pass);
}

TEST_CASE("flow: a warning that nobody could judge says why, and not that something differs") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "{}"}; });
  fake.cut = true;
  const Ran ran({head(R"(steps:
  - name: long
    get: /
    expect: 200
    warn: {body: contains done}
)")},
                fake);
  const auto& one = ran.of("long");
  CHECK(one.verdict == Verdict::degraded);
  REQUIRE(one.judged.size() == 2);
  REQUIRE(one.judged.back().outcome == checks::Judged::Outcome::unjudged);
  CHECK(one.reason == "body: " + one.judged.back().why);
}

TEST_CASE("flow: a command that is not there is waited for in vain, and says nothing of the system") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {0, "sh: 1: psq: not found"}; });
  fake.exit = 127;
  fake.err = "sh: 1: psq: not found";
  const Ran ran({head(R"(steps:
  - name: rows arrive
    run: psq -c 'select 1'
    until: {err: not contains refused}
    every: 10ms
    for: 30ms
)")},
                fake);
  const auto& one = ran.of("rows arrive");
  CHECK(one.verdict == Verdict::error);
  CHECK(one.reason.find("127") != std::string::npos);
}
