#include "catch.hpp"
#include "loaded.hpp"

using namespace staithe::checks;
using namespace staithe::checks::test;

namespace {

std::string login(const std::string& more) {
  return R"(suite: s
target: http://h
steps:
  - name: login
    each: host in $(hosts.app)
    get: http://$(host.address)/login
    expect: 200
    save: {session: json.id}
)" + more;
}

}  // namespace

TEST_CASE("suites: what is saved under each is used under each alone, where it is the same host's") {
  const Loaded good(login(R"(  - name: use
    each: host in $(hosts.app)
    get: http://$(host.address)/$(session)
    expect: 200
)"));
  INFO(good.first());
  REQUIRE(good.suite);
  CHECK(good.suite->steps[3].needs == std::set<std::string>{"session [web2]"});
  CHECK(good.suite->steps[1].save.front().name == "session [web2]");
  CHECK(good.suite->steps[1].save.front().written() == "session");

  CHECK(Loaded(login("  - {name: use, get: /$(session), expect: 200}\n")).first() ==
        "9 'session' has a value for each host, and this is done once | say 'each' here as the step does "
        "that saves it");
  CHECK(Loaded(login("  - {name: use, each: host in $(hosts.edge), get: /$(session), expect: 200}\n"))
            .first() ==
        "9 'session' is not known of edge1: it is saved for web1, web2 | say the same 'each' here as the "
        "step does that saves it");
  CHECK(Loaded(login("cleanup:\n  - {name: away, delete: /$(session), expect: 200}\n"))
            .first()
            .starts_with("10 'session' has a value for each host"));
  CHECK(Loaded(login("export: [session]\n")).first() ==
        "9 'session' has a value for each host, and one is exported | save it in a step without 'each'");
}

TEST_CASE("suites: a step done for each host may save anew what was saved once, and once what each has") {
  const std::string first = "  - {name: first, get: /, expect: 200, save: {session: json.id}}\n";
  const std::string anew =
      "  - {name: anew, each: host in $(hosts.app), get: /$(session), expect: 200, save: {session: "
      "json.id}}\n";
  const std::string once = "  - {name: once, get: /$(session), expect: 200}\n";
  const std::string start = "suite: s\ntarget: http://h\nsteps:\n";
  const Loaded loaded(start + first + anew);
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  CHECK(loaded.suite->steps[2].needs == std::set<std::string>{"session"});
  const Loaded again(login("") + first + once);
  INFO(again.first());
  CHECK(again.suite);
}
