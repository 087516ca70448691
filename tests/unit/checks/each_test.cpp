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

TEST_CASE("suites: what is saved of the only host of its group is there once") {
  const std::string start = R"(suite: s
target: http://h
steps:
  - {name: login, each: host in $(hosts.edge), get: http://$(host.address)/l, expect: 200, save: {session: json.id}}
)";
  const std::string uses = R"(  - {name: use, get: /$(session), expect: 200}
  - {name: app, each: host in $(hosts.app), get: /$(session), expect: 200}
cleanup:
  - {name: away, delete: /$(session), expect: 200}
export: [session]
)";
  const Loaded loaded(start + uses);
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  CHECK(loaded.suite->steps[0].save.front().name == "session");
  CHECK(loaded.suite->steps[1].needs == std::set<std::string>{"session"});

  // A limit that leaves one of several makes no other file of it.
  auto limited = context();
  limited.values["hosts.edge.count"] = "2";
  staithe::diag::Diagnostics found;
  CHECK_FALSE(load_suite("s.yml", start + uses, limited, found));
  CHECK(found.sorted().front().message == "'session' has a value for each host, and this is done once");
}

TEST_CASE("suites: a step whose hosts are all spared is left out, and what uses what it saves") {
  auto limited = context();
  limited.groups["edge"].clear();
  limited.spared.insert("edge");
  const std::string spared =
      "suite: s\ntarget: http://h\nsteps:\n  - {name: login, each: host in $(hosts.edge), get: /l, expect: "
      "200, "
      "save: {session: json.id}}\n  - {name: use, get: /$(session), expect: 200, save: {made: json.id}}\n  - "
      "{name: more, each: host in $(hosts.app), get: /$(made), expect: 200}\n";
  staithe::diag::Diagnostics found;
  const auto suite = load_suite("s.yml", spared + "  - {name: alone, get: /, expect: 200}\n", limited, found);
  REQUIRE(suite);
  REQUIRE(suite->steps.size() == 1);
  CHECK(suite->steps[0].name == "alone");
  REQUIRE(found.sorted().size() == 3);
  CHECK(found.sorted()[0].message == "no host of 'edge' is among those asked: this step is left out");
  CHECK(found.sorted()[1].message == "'session' is saved by a step that is left out: so is this one");
  CHECK(found.count(staithe::diag::Severity::error) == 0);

  // What another step has saved is there.
  const std::string both =
      "suite: s\ntarget: http://h\nsteps:\n  - {name: first, get: /l, expect: 200, save: {session: "
      "json.id}}\n" +
      spared.substr(spared.find("  - "));
  staithe::diag::Diagnostics again;
  const auto saved = load_suite("s.yml", both, limited, again);
  REQUIRE(saved);
  CHECK(saved->steps.size() == 4);

  // So is what would be put right with it, and nobody else is promised it.
  staithe::diag::Diagnostics undone;
  const auto left = load_suite(
      "s.yml",
      spared +
          "  - {name: own, post: /, expect: 200, save: {session: json.id}, undo: {delete: /$(session)}}\n" +
          "  - {name: theirs, post: /, expect: 200, undo: {delete: /$(made)}}\nexport: [session, made]\n",
      limited, undone);
  REQUIRE(left);
  REQUIRE(left->steps.size() == 1);
  CHECK(left->steps[0].name == "own");
  CHECK(left->exports == std::vector<std::string>{"session"});

  staithe::diag::Diagnostics nothing;
  const auto empty = load_suite("s.yml", spared, limited, nothing);
  REQUIRE(empty);  // whoever reads it has been told of each step, and leaves it out
  CHECK(empty->steps.empty());
  CHECK(nothing.count(staithe::diag::Severity::error) == 0);
}
