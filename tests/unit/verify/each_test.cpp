#include "flow.hpp"

using namespace flow;

namespace {

const std::string charged = R"(steps:
  - name: charge
    each: host in $(hosts.app)
    post: http://$(host.address)/charges
    json: {}
    expect: 201
    on_fail: continue
    save: {charge: json.id}
    undo: {delete: http://$(host.address)/charges/$(charge)}
  - name: it settles
    each: host in $(hosts.app)
    get: http://$(host.address)/charges/$(charge)
    expect: {json.state: settled}
    on_fail: continue
cleanup:
  - name: gone
    each: host in $(hosts.app)
    get: http://$(host.address)/left/$(charge)
    expect: 200
)";

}  // namespace

TEST_CASE("flow: what is saved under each is of its host alone, for later steps, undo and cleanup") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "POST http://web1/charges") return {201, R"({"id":"A"})"};
    if (title == "POST http://web2/charges") return {201, R"({"id":"B"})"};
    return {200, title == "GET http://web2/charges/B" ? R"({"state":"settled"})" : R"({"state":"pending"})"};
  });
  const Ran ran({"suite: s\nseverity: critical\n" + charged}, fake);
  CHECK(fake.asked == std::vector<std::string>{"POST http://web1/charges {}", "POST http://web2/charges {}",
                                               "GET http://web1/charges/A", "GET http://web2/charges/B",
                                               "DELETE http://web2/charges/B", "DELETE http://web1/charges/A",
                                               "GET http://web1/left/A", "GET http://web2/left/B"});
  CHECK(ran.of("it settles [web1]").verdict == Verdict::fail);
  CHECK(ran.of("it settles [web2]").verdict == Verdict::pass);
}

TEST_CASE("flow: where one host's value is not known its steps are blocked, and no other host's") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "POST http://web1/charges") return {400, "{}"};
    if (title == "POST http://web2/charges") return {201, R"({"id":"B"})"};
    return {200, R"({"state":"settled"})"};
  });
  const Ran ran({"suite: s\nseverity: critical\n" + charged}, fake);
  CHECK(ran.of("it settles [web1]").reason == "blocked: needs 'charge [web1]', which failed");
  CHECK(ran.of("it settles [web2]").verdict == Verdict::pass);
}

TEST_CASE("flow: a token that each host has given is a secret of each") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://web1/login") return {200, R"({"t":"first-of-web1"})"};
    if (title == "GET http://web2/login") return {200, R"({"t":"second-of-web2"})"};
    return {200, "seen first-of-web1 second-of-web2"};
  });
  const Ran ran({R"(suite: s
steps:
  - name: login
    each: host in $(hosts.app)
    get: http://$(host.address)/login
    expect: 200
    save: {token: json.t}
  - name: use
    each: host in $(hosts.app)
    get: http://$(host.address)/use
    headers: {X-Who: $(token)}
    expect: {body: nothing}
    on_fail: continue
)"},
                fake);
  for (const char* host : {"web1", "web2"}) {
    const auto& one = ran.of(std::string("use [") + host + "]");
    REQUIRE(one.judged.size() == 1);
    CHECK(one.judged.front().got.find("-of-web") == std::string::npos);
  }
}
