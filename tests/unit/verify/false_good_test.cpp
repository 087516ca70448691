#include "flow.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>

/// Runs that would have ended with 0, or have deleted what was not theirs.
using namespace flow;

TEST_CASE("false good: an undo takes no value that another step had saved under the name") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    return {200, title == "GET http://h/customers/first" ? R"({"id":"REAL"})" : R"({"customer":"c7"})"};
  });
  const Ran ran({head(R"(steps:
  - {name: look, get: /customers/first, expect: 200, save: {id: json.id}}
  - {name: make, post: /customers, expect: 200, save: {id: json.id}, undo: {delete: /customers/$(id), expect: 200}}
cleanup:
  - {name: tidy, delete: /customers/$(id), expect: 200}
)")},
                fake);
  CHECK(ran.of("make").verdict == Verdict::fail);
  CHECK(fake.asked == std::vector<std::string>{"GET http://h/customers/first", "POST http://h/customers"});
  CHECK(ran.of("tidy").verdict == Verdict::skipped);
  CHECK_THAT(ran.of("tidy").reason, ContainsSubstring("'id' is not known: look for what may be left"));
}

TEST_CASE("false good: what a failed step was to save is not what another one had saved") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    return {title == "POST http://h/customers" ? 500 : 200, R"({"id":"REAL"})"};
  });
  const Ran ran({head(R"(steps:
  - {name: look, get: /customers/first, expect: 200, save: {id: json.id}}
  - {name: make, post: /customers, expect: 200, save: {id: json.id}, on_fail: continue}
  - {name: drop, delete: /customers/$(id), expect: 200}
cleanup:
  - {name: tidy, delete: /customers/$(id), expect: 200}
)")},
                fake);
  CHECK(fake.asked == std::vector<std::string>{"GET http://h/customers/first", "POST http://h/customers"});
}

TEST_CASE("false good: what a failed step has made is undone where the answer says that it was made") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title != "POST http://h/charges") return {200, "{}"};
    return {201, R"({"href":"/charges/c1","id":12345678901234567890123,"amount":10000})"};
  });
  const Ran ran({head(R"(steps:
  - name: charge
    post: /charges
    expect: {status: 201, json.amount: 100}
    save: {href: json.href, id: json.id}
    undo: {post: $(href)/refund, expect: 200}
    on_fail: continue
  - {name: look, get: /charges/$(id), expect: 200}
cleanup:
  - {name: tidy, delete: /charges/$(id), expect: 200}
)")},
                fake);
  CHECK(ran.verdicts() == "charge=fail look=skipped undo: charge=pass tidy=skipped");
  CHECK(ran.of("look").reason == "blocked: needs 'charge', which failed");
  CHECK(ran.of("tidy").reason ==
        "nothing was removed: 'id' is 12345678901234567890123 of 'charge', which did not pass: look for what "
        "may be left");
  CHECK(fake.asked == std::vector<std::string>{"POST http://h/charges", "POST http://h/charges/c1/refund"});
}

TEST_CASE("false good: what a failed step was answered with may be somebody else's, and is never removed") {
  int status = 200;
  Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {status, R"({"id":42})"}; });
  const auto run = [&](const std::string& step, const std::string& undo = "undo: {delete: /c/$(id)}") {
    fake.asked.clear();
    Ran ran({head("steps:\n  - {name: make, " + step + ", save: {id: json.id}, " + undo +
                  "}\ncleanup:\n  - {name: tidy, delete: /c/$(id), expect: 200}\n")},
            fake);
    CHECK(ran.of("make").verdict == Verdict::fail);
    CHECK(fake.asked.size() == 1);
    return ran;
  };
  const auto left = [](const Ran& ran) { return ran.of("undo: make").reason; };
  // The customer is there already; the API gives the one who has that address.
  CHECK(left(run("post: /c, expect: {status: 201}")) ==
        "may be left: 'make' answered 200 and was not undone: id=42");
  CHECK(left(run("post: /c, expect: {status: 200, json.name: smoke}")) ==
        "may be left: 'make' answered 200 and was not undone: id=42");
  // A search.
  CHECK_THAT(run("post: /search, expect: {json.name: smoke}", "on_fail: stop").of("tidy").reason,
             ContainsSubstring("'id' is 42 of 'make', which did not pass: look for what may be left"));
  CHECK(run("post: /search, safe: true, expect: {json.name: smoke}", "on_fail: stop").verdicts() ==
        "make=fail");
  status = 202;
  CHECK(left(run("post: /c, expect: {status: 202, json.name: smoke}")) ==
        "may be left: 'make' answered 202 and was not undone: id=42");
  // It should not have been made at all: what was is told.
  status = 201;
  CHECK(left(run("post: /c, expect: 409")) == "may be left: 'make' answered 201 and was not undone: id=42");
  // What a command has found it prints as well.
  fake.exit = 0;
  CHECK(left(run("run: create-or-find, expect: {exit: 0, json.name: smoke}")) ==
        "may be left: 'make' ended with 0 and was not undone: id=42");
  fake.exit = 1;
  CHECK(left(run("run: create-or-find, expect: {exit: 0}")) ==
        "may be left: 'make' ended with 1 and was not undone");
  fake.exit = 127;
  CHECK(run("run: create-or-find, expect: {exit: 0}").verdicts() == "make=fail");
}

TEST_CASE("false good: what is told of as left is no secret") {
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"token":"s3cr3t-t0k3n","otp":123456,"id":7})"};
  });
  const Ran ran({head(R"(steps:
  - name: make
    post: /a
    expect: 201
    save: {token: json.token, code: json.otp, id: json.id}
    undo: {delete: /a/$(token), expect: 200}
)")},
                fake);
  CHECK(ran.of("undo: make").reason ==
        "may be left: 'make' answered 200 and was not undone: token=***, code=***, id=7");
}

TEST_CASE("false good: what was asked for and not answered may be there") {
  int number = 0, bad = 9;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title != "POST http://h/a") return {200, "{}"};
    return {++number <= bad ? -1 : 200, R"({"id":7})"};
  });
  const auto run = [&](const std::string& more) {
    fake.asked.clear();
    number = 0;
    return Ran({head("steps:\n  - {name: make, post: /a, expect: 200, save: {id: json.id}" + more +
                     "}\ncleanup:\n  - {name: tidy, delete: /b/$(id), expect: 200}\n")},
               fake);
  };
  const std::string undo = ", undo: {delete: /a/$(id), expect: 200}";
  const auto told = "may be left: 'make' was not answered and was not undone";
  const auto plain = run(undo);
  CHECK(plain.verdicts() == "make=fail undo: make=skipped tidy=skipped");
  CHECK(plain.of("undo: make").reason == told);
  CHECK_THAT(plain.of("tidy").reason, ContainsSubstring("look for what may be left ('make' was to save it)"));
  CHECK_THAT(run("").of("tidy").reason, ContainsSubstring("look for what may be left"));
  // Once for all attempts, also where the last one passes.
  CHECK(run(undo + ", safe: true, retry: 2 after 1ms").verdicts() ==
        "make=fail undo: make=skipped tidy=skipped");
  bad = 2;
  const auto later = run(undo + ", safe: true, retry: 2 after 1ms");
  CHECK(later.verdicts() == "make=pass undo: make=pass undo: make=skipped tidy=pass");
}

TEST_CASE("false good: a command that is not there has printed nothing of which anything holds") {
  const auto verdict = [](double exit, const std::string& expect) {
    Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "{}"}; });
    fake.exit = exit;
    fake.err = "sh: pg_dumpx: not found";
    const Ran ran({head("steps:\n  - {name: dump, run: pg_dumpx, " + expect + "}\n")}, fake);
    return ran.of("dump").verdict;
  };
  for (const double exit : {126.0, 127.0}) {
    CHECK(verdict(exit, "expect: {err: not contains ERROR}") == Verdict::error);
    CHECK(verdict(exit, "sample: 2, safe: true, expect: {err: not contains ERROR}") == Verdict::error);
    CHECK(verdict(exit, "expect: {exit: 0, err: not contains ERROR}") == Verdict::fail);
  }
  CHECK(verdict(127, "expect: {exit: 127, err: not contains ERROR}") == Verdict::pass);
  CHECK(verdict(127, "expect: {exit: 127}, warn: {err: not contains ERROR}") == Verdict::pass);
  CHECK(verdict(126, "expect: {exit: 127, err: not contains ERROR}") == Verdict::fail);
  CHECK(verdict(1, "expect: {err: not contains ERROR}") == Verdict::pass);
}

TEST_CASE("false good: what a failed step may have left is said where it cannot be undone") {
  int status = 201;
  Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {status, R"({"name":"a"})"}; });
  const auto run = [&](const std::string& verb) {
    fake.asked.clear();
    return Ran({head("steps:\n  - name: make\n    " + verb + R"(: /a
    expect: {json.name: b}
    save: {href: json.href}
    undo: {delete: $(href), expect: 200}
cleanup:
  - {name: tidy, delete: $(href), expect: 200}
)")},
               fake);
  };
  for (const int answered : {201, 503}) {
    status = answered;
    const auto ran = run("post");
    CHECK(ran.of("make").verdict == Verdict::fail);
    CHECK(ran.of("undo: make").verdict == Verdict::skipped);
    CHECK(ran.of("undo: make").reason ==
          "may be left: 'make' answered " + std::to_string(answered) + " and was not undone");
    CHECK_THAT(ran.of("tidy").reason, ContainsSubstring("look for what may be left ('make' was to save it)"));
    CHECK(fake.asked == std::vector<std::string>{"POST http://h/a"});
  }
  // Somebody else's, or nothing at all.
  status = 409;
  CHECK(run("post").verdicts() == "make=fail");
  status = 200;
  CHECK(run("get").verdicts() == "make=fail");
}

TEST_CASE("false good: each attempt that has made something is undone, once where it is the same") {
  for (const bool is_new : {true, false}) {
    int number = 0;
    Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
      if (title != "POST http://h/a") return {200, "{}"};
      ++number;
      return {201, fmt::format(R"({{"id":{},"good":{}}})", is_new ? number : 7, number > 1)};
    });
    const Ran ran({head(R"(steps:
  - name: make
    post: /a
    safe: true
    retry: 1 after 1ms
    expect: {json.good: true}
    save: {id: json.id}
    undo: {delete: /a/$(id), expect: 200}
)")},
                  fake);
    CHECK(ran.of("make").verdict == Verdict::pass);
    std::vector<std::string> undone(fake.asked.begin() + 2, fake.asked.end());
    undone.erase(std::remove(undone.begin(), undone.end(), "POST http://h/a"), undone.end());
    // Five more are asked for to see whether one host of several is bad.
    std::vector<std::string> wanted{"DELETE http://h/a/7"};
    if (is_new) {
      wanted.clear();
      for (const int id : {2, 7, 6, 5, 4, 3, 1}) wanted.push_back(fmt::format("DELETE http://h/a/{}", id));
    }
    CHECK(undone == wanted);
  }
}

TEST_CASE("false good: each request of an until and of samples that has made something is undone") {
  const auto run = [](const std::string& keys, std::vector<int> statuses) {
    std::size_t number = 0;
    Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
      if (title != "POST http://h/a") return {200, "{}"};
      const int status = statuses.at(number++ % statuses.size());
      return {status, fmt::format(R"({{"id":{}}})", number)};
    });
    const Ran ran({head("steps:\n  - name: make\n    post: /a\n    save: {id: json.id}\n    " + keys +
                        "\n    undo: {delete: /a/$(id), expect: 200}\n")},
                  fake);
    std::string all;
    for (const auto& title : fake.asked)
      if (title.starts_with("DELETE")) all += title.substr(title.rfind('/') + 1) + " ";
    for (const auto& one : ran.result.suites.front().checks)
      if (!one.reason.empty() && one.check->part == checks::Part::undo) all += one.reason + "; ";
    return std::string(name_of(ran.of("make").verdict)) + " " + all;
  };
  CHECK(run("until: {json.id: 4}\n    every: 1ms\n    for: 9s", {201}) == "pass 4 3 2 1 ");
  CHECK(run("until: {json.id: 3}\n    every: 1ms\n    for: 9s\n    expect: {json.no: 1}", {201}) ==
        "fail 3 2 1 ");
  CHECK(run("until: {json.id: 3}\n    every: 1ms\n    for: 9s", {201, 200, 201}) ==
        "pass 3 1 may be left: 'make' answered 200 and was not undone: id=2; ");
  CHECK(run("until: {json.id: 4}\n    every: 1ms\n    for: 9s", {201, -1, -1, 201}) ==
        "pass 4 1 may be left: 'make' was not answered and was not undone; ");
  CHECK(run("until: {json.no: 1}\n    give_up_if: {json.id: 3}\n    every: 1ms\n    for: 9s", {201}) ==
        "fail 3 2 1 ");
  CHECK(run("safe: true\n    sample: 3\n    expect: 201", {201}) == "pass 3 2 1 ");
  // What held is its own whatever it was answered with, and so is what a 201 tells of.
  CHECK(run("safe: true\n    sample: 3\n    expect: {status: 200, success: at least 2}", {200}) ==
        "pass 3 2 1 ");
  CHECK(run("safe: true\n    sample: 3\n    expect: {json.id: 2}", {201}) == "fail 3 2 1 ");
  CHECK(run("safe: true\n    sample: 3\n    expect: 201", {201, -1, 201}) ==
        "fail 3 1 may be left: 'make' was not answered and was not undone; ");
}

TEST_CASE("false good: what is told of as left is told of each thing, and not only of the first like it") {
  for (const std::string name : {"id", "token"}) {
    CAPTURE(name);
    int number = 0;
    Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
      if (title != "POST http://h/a") return {200, "{}"};
      static constexpr int ids[] = {55, 5, 5};
      return {200, fmt::format(R"({{"{}":{}}})", name, ids[number++ % 3])};
    });
    const Ran ran(
        {head("steps:\n  - {name: make, post: /a, safe: true, retry: 2 after 1ms, expect: 201, save: {" +
              name + ": json." + name + "}, undo: {delete: /a/$(" + name + "), expect: 200}}\n")},
        fake);
    const auto& all = ran.result.suites.front().checks;
    CHECK(std::count_if(all.begin(), all.end(), [](const auto& one) { return !one.reason.empty(); }) == 2);
  }
}

TEST_CASE("false good: where nothing answers nothing is tolerated, however little is asked for") {
  for (const char* tolerance : {"{evidence: [probe], expect: {time: at most 5s}}",
                                "{evidence: [{header.x-geo: absent}], expect: {header.x-error: absent}}"})
    for (const char* sample : {"", "    sample: 3\n"}) {
      CAPTURE(tolerance, sample);
      Fake fake([](const std::string&) -> std::pair<int, std::string> { return {-1, "refused"}; });
      const Ran ran({head(R"(neighbours: {geo: {patience: 1h, probe: {get: "http://geo/health", expect: 200}}}
steps:
  - name: page
    get: /
    expect: 200
)" + std::string(sample) +
                          "    tolerate: {geo: " + std::string(tolerance) + "}\n")},
                    fake);
      CHECK(ran.of("page").verdict == Verdict::fail);
    }
}

TEST_CASE("false good: one good answer among many bad ones is no working system") {
  int number = 0;
  Fake fake([&](const std::string&) { return std::pair{++number == 2 ? 200 : 500, std::string("{}")}; });
  const Ran ran({head("steps: [{name: page, get: /, retry: 1 after 1ms, expect: 200}]\n")}, fake);
  CHECK(ran.of("page").verdict == Verdict::fail);
  CHECK(ran.of("page").flaky);
  REQUIRE_FALSE(ran.of("page").judged.empty());
  CHECK_THAT(ran.of("page").judged.back().got, ContainsSubstring("0 of 5 more requests good"));
}

TEST_CASE("false good: a probe whose command is not there is no evidence") {
  for (const auto& [exit, verdict] : {std::pair{127.0, Verdict::fail}, std::pair{126.0, Verdict::fail},
                                      std::pair{1.0, Verdict::tolerated}}) {
    CAPTURE(exit);
    Fake fake([](const std::string&) -> std::pair<int, std::string> { return {500, "{}"}; });
    fake.exit = exit;
    const Ran ran(
        {head(R"(neighbours: {geo: {patience: 1h, probe: {run: geo-says-it-is-well, expect: {exit: 0}}}}
steps:
  - name: page
    get: /
    expect: 200
    tolerate: {geo: {evidence: [probe], expect: {status: 500}}}
)")},
        fake);
    CHECK(ran.of("page").verdict == verdict);
  }
}

TEST_CASE("false good: a neighbour whose reply is too large to be read is not known to be down") {
  for (const bool cut : {true, false}) {
    Fake fake([](const std::string&) -> std::pair<int, std::string> { return {500, "{}"}; });
    fake.cut = cut;
    const Ran ran(
        {head(R"(neighbours: {geo: {patience: 1h, probe: {get: "http://geo/health", expect: {json.ok: true}}}}
steps:
  - name: page
    get: /
    expect: 200
    tolerate: {geo: {evidence: [probe], expect: {status: 500}}}
)")},
        fake);
    CHECK(ran.of("page").verdict == (cut ? Verdict::fail : Verdict::tolerated));
  }
}

TEST_CASE("false good: what did not answer while it was starting may be tolerated for what it answers then") {
  int number = 0;
  Fake fake([&](const std::string&) { return std::pair{++number == 1 ? -1 : 500, std::string("{}")}; });
  const Ran ran({head(R"(neighbours: {geo: {patience: 1h, probe: {get: "http://geo/health", expect: 200}}}
steps:
  - name: page
    get: /
    until: {status: 200}
    every: 1ms
    for: 50ms
    tolerate: {geo: {evidence: [probe], expect: {status: 500}}}
)")},
                fake);
  CHECK(ran.of("page").verdict == Verdict::tolerated);
}

TEST_CASE("false good: of thousands of samples each is undone, and kept only as far as that needs") {
  std::size_t made = 0, undone = 0;
  const std::string large(5'000, 'x');
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title.starts_with("DELETE")) return ++undone, std::pair{204, std::string()};
    ++made;
    return {201, fmt::format(R"({{"token":"s3cr3t-{}","id":{},"large":"{}"}})", made, made, large)};
  });
  const Ran ran(
      {head("steps:\n  - name: make\n    post: /c\n    safe: true\n    sample: 1000\n    expect: 201\n"
            "    save: {token: json.token, id: json.id, all: json}\n"
            "    undo: {delete: /c/$(id), headers: {X-Token: $(token)}, expect: 204}\n")},
      fake);
  CHECK(made == 1000);
  CHECK(undone == 1000);
  CHECK(ran.result.suites.front().checks.size() == 1001);
}

TEST_CASE("false good: of a sample that broke off is told what it may have left") {
  std::size_t made = 0;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title.starts_with("DELETE")) return {204, ""};
    if (++made == 2) throw base::Error(base::ErrorCode::io, "the line broke");
    return {201, fmt::format(R"({{"id":{}}})", made)};
  });
  const Ran ran({head("steps:\n  - name: make\n    post: /c\n    safe: true\n    sample: 3\n    expect: 201\n"
                      "    save: {id: json.id}\n    undo: {delete: /c/$(id), expect: 204}\n")},
                fake);
  std::string told;
  for (const auto& one : ran.result.suites.front().checks) told += one.reason + "; ";
  CHECK_THAT(told, ContainsSubstring("may be left: 'make' was not answered and was not undone"));
  CHECK(fake.asked.back() == "DELETE http://h/c/1");
}
