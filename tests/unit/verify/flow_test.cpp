#include "flow.hpp"

using namespace flow;
using namespace std::chrono_literals;

TEST_CASE("flow: saved values reach URLs, bodies and expectations; undo and cleanup run in their order") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "POST http://h/a") return {201, R"({"id":17,"path":"/x y","name":"a \"b\""})"};
    return {200, R"({"n":17,"s":"17"})"};
  });
  const Ran ran({head(R"(setup:
  - name: first
    get: /setup
    expect: 200
steps:
  - name: make
    post: /a
    json: {}
    expect: 201
    save: {id: json.id, path: json.path, name: json.name}
    undo: {delete: /a/$(id)}
  - name: use
    post: $(path)
    json: {n: $(id), s: "no. $(id).", t: $(name)}
    expect: {json.n: $(id), json.s: $(id)}
    undo: {delete: /b}
cleanup:
  - name: all gone
    get: /left
    expect: 200
)")},
                fake);
  CHECK(ran.result.verdict == Verdict::pass);
  CHECK(fake.asked == std::vector<std::string>{"GET http://h/setup", "POST http://h/a {}",
                                               R"(POST http://h/x%20y {"n":17,"s":"no. 17.","t":"a \"b\""})",
                                               "DELETE http://h/b", "DELETE http://h/a/17",
                                               "GET http://h/left"});
}

TEST_CASE(
    "flow: a failure blocks what comes after by name; what was made is undone, what was not is left alone") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "POST http://h/b") return {500, "{}"};
    return {201, R"({"id":1})"};
  });
  const Ran ran({head(R"(steps:
  - name: a
    post: /a
    expect: 201
    save: {a: json.id}
    undo: {delete: /a/$(a), expect: 201}
  - name: b
    post: /b
    expect: 201
    save: {b: json.id}
    undo: {delete: /b/$(b), expect: 201}
  - name: c
    get: /c/$(b)
    expect: 201
  - name: d
    get: /d
    expect: 201
cleanup:
  - name: b away
    delete: /b/$(b)
    expect: 201
  - name: all away
    delete: /all
    expect: 500
)")},
                fake);
  CHECK(ran.verdicts() ==
        "a=pass b=fail c=skipped d=skipped undo: b=skipped undo: a=pass b away=skipped all away=fail");
  CHECK(ran.of("undo: b").reason == "may be left: 'b' answered 500 and was not undone");
  CHECK(ran.of("c").reason == "blocked: needs 'b', which failed");
  CHECK(ran.of("d").reason == "blocked: 'b' failed before it");
  CHECK(ran.result.verdict == Verdict::fail);
}

TEST_CASE("flow: on_fail, severities and what colours only") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    return {title == "GET http://h/p" ? 500 : 200, "{}"};
  });
  const Ran ran({head(R"(steps:
  - name: preview
    severity: minor
    on_fail: continue
    get: /p
    expect: 200
  - name: rest
    get: /r
    expect: 200
)")},
                fake);
  CHECK(ran.verdicts() == "preview=fail rest=pass");
  CHECK(ran.result.verdict == Verdict::degraded);
  CHECK(ran.result.inconclusive.empty());
  // What failed is worth nothing, though it decides nothing either.
  const auto& lost = ran.result.confidence.lost.front();
  CHECK(lost.name == "preview");
  CHECK(lost.cause == "passed 0 of 1 attempts");
}

TEST_CASE("flow: what counts and was not run is no good news, whoever was in its way") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    return {title == "GET http://h/p" ? 500 : 200, "{}"};
  });
  const auto text = [](const std::string& more) {
    return head("steps:\n  - name: preview\n    get: /p\n    expect: 200\n    save: {id: json.id}\n" + more +
                "  - name: charge\n    get: /c/$(id)\n    expect: 200\n");
  };
  const std::string minor = "    severity: minor\n";
  const std::string apart = "    quarantine: {owner: ann, reason: known, until: 2999-01-01}\n";
  for (const auto& more : {minor, apart, minor + "    on_fail: continue\n"}) {
    CAPTURE(more);
    const std::string other =
        "suite: other\ntarget: http://h\ndepends_on: [s]\nsteps:\n  - get: /o\n    expect: 200\n";
    const Ran ran({text(more), other}, fake);
    CHECK(ran.of("charge").verdict == Verdict::skipped);
    const auto& suite = ran.result.suites[0];
    CHECK(suite.verdict == Verdict::error);
    CHECK_FALSE(suite.blocked);
    CHECK_THAT(suite.reason, ContainsSubstring("'charge' was not judged: blocked: "));
    CHECK_THAT(ran.result.inconclusive, ContainsSubstring("'charge' of s was not judged"));
    CHECK(ran.result.verdict == Verdict::error);
    // Of the one that needs it the first is the cause.
    CHECK(ran.result.suites[1].verdict == Verdict::skipped);
    CHECK(ran.result.suites[1].blocked);
  }
  // Only what counts: a minor one that was not run changes nothing.
  const Ran rest({head("steps:\n  - {name: preview, severity: minor, get: /p, expect: 200}\n"
                       "  - {name: next, severity: minor, get: /n, expect: 200}\n")},
                 fake);
  CHECK(rest.verdicts() == "preview=fail next=skipped");
  CHECK(rest.result.suites[0].verdict == Verdict::degraded);
}

TEST_CASE("flow: a pass after an attempt that could not be judged has not wavered") {
  const auto ran = [](const std::string& first) {
    int asked = 0;
    Fake fake([&](const std::string&) -> std::pair<int, std::string> {
      const bool begins = ++asked == 1;
      return {200, R"({"s":")" + (begins ? first : "ab") + R"("})"};
    });
    const Ran all({head("steps:\n  - name: one\n    get: /one\n    retry: 2 after 10ms\n"
                        "    expect:\n      json.s: matches ^(a+)+[bc]$\n")},
                  fake);
    CHECK(all.of("one").verdict == Verdict::pass);
    CHECK(all.of("one").attempts_made == 2);
    return all.of("one").flaky;
  };
  CHECK(ran("x"));
  CHECK_FALSE(ran(std::string(60, 'a')));  // too much for the pattern
}

TEST_CASE("flow: retries are recorded, polling is not a retry, giving up is early") {
  int flaky = 0, polls = 0;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/flaky") return {++flaky < 2 ? 500 : 200, "{}"};
    if (title == "GET http://h/poll") return {200, ++polls < 4 ? R"({"s":"pending"})" : R"({"s":"done"})"};
    if (title == "GET http://h/never") return {200, R"({"s":"failed"})"};
    return {500, "{}"};
  });
  const Ran ran({head(R"(defaults: {on_fail: continue}
steps:
  - name: flaky
    get: /flaky
    retry: 2 after 10ms
    expect: 200
  - name: poll
    get: /poll
    until: {json.s: done}
    every: 10ms
    for: 5s
    expect: {polls: 4}
  - name: gives up
    get: /never
    until: {json.s: done}
    give_up_if: {json.s: failed}
    every: 10ms
    for: 30s
  - name: too long
    get: /other
    until: {status: 200}
    every: 20ms
    for: 100ms
  - name: not repeated
    post: /other
    expect: 200
)")},
                fake);
  CHECK(ran.verdicts() == "flaky=pass poll=pass gives up=fail too long=fail not repeated=fail");
  CHECK(ran.of("flaky").flaky);
  CHECK(ran.of("flaky").attempts_made == 2);
  CHECK_FALSE(ran.of("poll").flaky);
  CHECK_THAT(ran.of("gives up").reason, ContainsSubstring("gave up after 1 poll:"));
  CHECK(ran.of("too long").reason == "not within 100ms");
  CHECK(ran.of("not repeated").attempts_made == 1);
}

TEST_CASE("flow: only what is safe is asked again, and each attempt stands in the record") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {500, "{}"}; });
  const Ran ran({head(R"(defaults: {on_fail: continue, retry: 2 after 1ms}
steps:
  - {name: reads, get: /r, expect: 200}
  - {name: pays, post: /p, expect: 200}
  - {name: puts, put: /p, expect: 200}
  - {name: removes, delete: /p, expect: 200}
  - {name: searches, post: /s, safe: true, expect: 200}
  - {name: pays once, post: /k, headers: {Idempotency-Key: $(run.id)}, expect: 200}
  - {name: never, get: /n, retry: 0, expect: 200}
)")},
                fake);
  const std::map<std::string, std::uint32_t> made{{"reads", 3},   {"pays", 1},     {"puts", 1},
                                                  {"removes", 1}, {"searches", 3}, {"pays once", 3},
                                                  {"never", 1}};
  std::size_t asked = 0;
  for (const auto& [name, attempts] : made) {
    CAPTURE(name);
    CHECK(ran.of(name).attempts_made == attempts);
    REQUIRE(ran.of(name).attempts.size() == attempts);
    for (const auto& one : ran.of(name).attempts) {
      CHECK_FALSE(one.held);
      REQUIRE(one.judged.size() == 1);
      CHECK(one.judged.front().got == "500");
    }
    asked += attempts;
  }
  CHECK(fake.asked.size() == asked);
}

TEST_CASE(
    "flow: a pass on a later attempt is looked at more closely: one bad host behind a balancer is named") {
  constexpr const char* text = R"(suite: s
target: http://shop
defaults: {retry: 2 after 1ms}
steps:
  - {name: page, get: /, expect: 200}
)";
  // Every third answer is web3's, which is broken.
  int number = 0;
  Fake fake([&](const std::string&) { return std::pair{++number % 3 == 1 ? 500 : 200, std::string("{}")}; });
  fake.header = [&] { return std::string(number % 3 == 1 ? "web3" : number % 3 == 2 ? "web1" : "web2"); };
  const Ran ran({text}, fake);
  const auto& one = ran.result.suites[0].checks[0];
  CHECK(number == 7);
  CHECK(one.attempts_made == 2);
  CHECK(one.flaky);
  CHECK(one.verdict == Verdict::degraded);
  CHECK(one.reason ==
        "again 3 of 5 more requests good; all that failed came from x-served-by web3, "
        "wanted as good as the last attempt");

  // Only once: a flaky pass. The answer of the host that was bad was good later, so it is not named.
  number = 0;
  Fake once([&](const std::string&) { return std::pair{++number == 1 ? 500 : 200, std::string("{}")}; });
  once.header = [&] { return std::string("web1"); };
  const Ran calm({text}, once);
  CHECK(number == 7);
  CHECK(calm.result.suites[0].checks[0].verdict == Verdict::pass);
  CHECK(calm.result.suites[0].checks[0].flaky);
  CHECK(calm.result.suites[0].checks[0].attempts.back().note == "200; 5 of 5 more requests good");
}

TEST_CASE("flow: a check has its timeout, a comparison what may lag besides, a pause as long as it says") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "{}"}; });
  const Ran ran({head(R"(defaults: {timeout: 3s, on_fail: continue}
steps:
  - name: page
    get: /h
    expect: 200
  - name: books
    compare:
      left: {sql: ledger, query: select 1}
      right: {sql: ledger, query: select 2}
      key: id
      ignore_newer_than: 40s
    expect: {missing: absent}
  - name: pause
    wait: 1m
)")},
                fake);
  REQUIRE(fake.had.size() == 3);
  for (const auto& [title, had] : fake.had) {
    CAPTURE(title);
    const bool pause = title.starts_with("wait"), page = title.starts_with("GET");
    const auto limit = page ? std::chrono::seconds(3) : std::chrono::seconds(43);
    if (pause)
      CHECK(had > std::chrono::minutes(1));
    else
      CHECK((had <= limit && had > limit - std::chrono::seconds(2)));
  }
}

TEST_CASE("flow: samples") {
  int asked = 0;
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {++asked % 10 == 0 ? 500 : 200, "{}"};
  });
  const Ran ran({head(R"(defaults: {on_fail: continue}
steps:
  - name: enough
    get: /h
    sample: 20
    expect: {status: 200, success: at least 18 of 20, p95: at most 5s}
  - name: too few
    get: /h
    sample: 20
    expect: {status: 200, success: at least 19 of 20}
  - name: every one
    get: /h
    sample: 20
    expect: 200
)")},
                fake);
  CHECK(ran.verdicts() == "enough=pass too few=fail every one=fail");
  CHECK(ran.of("enough").samples_good == 18);
  // Each sample was held to its status: nothing of it is missing from what was judged.
  CHECK(ran.of("enough").evaluated == 3);
  CHECK(ran.of("enough").declared == 3);
  // And of those that were not good one is shown, not their number alone.
  const auto& few = ran.of("too few").judged;
  REQUIRE(few.size() == 2);
  CHECK(few[0].got == "18");
  CHECK(few[1].got == "500");
}

TEST_CASE("flow: what could not be judged is an error and makes a run inconclusive, never a pass") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/dns") return {-2, "Could not resolve host"};
    return {-1, "connection refused"};
  });
  const Ran ours({head("steps:\n  - name: x\n    get: /dns\n    expect: 200\n")}, fake);
  CHECK(ours.verdicts() == "x=error");
  CHECK_THAT(ours.result.inconclusive, ContainsSubstring("Could not resolve host"));
  const Ran theirs({head("steps:\n  - name: x\n    get: /down\n    expect: 200\n")}, fake);
  CHECK(theirs.verdicts() == "x=fail");
  CHECK(theirs.result.inconclusive.empty());
}

TEST_CASE(
    "flow: what goes wrong in the program itself is an error of that check, and what was made is undone") {
  Fake fake([](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://h/odd") throw std::out_of_range("hunter22");
    return {title.starts_with("POST") ? 201 : 200, R"({"id":7})"};
  });
  const Ran ran({head(R"(steps:
  - {name: make, post: /a, expect: 201, save: {id: json.id}, undo: {delete: /a/$(id), expect: 200}}
  - {name: odd, get: /odd, expect: 200}
)")},
                fake);
  CHECK(ran.verdicts() == "make=pass odd=error undo: make=pass");
  CHECK(ran.of("odd").reason == "could not be judged: an error in staithe itself");
}

TEST_CASE("flow: tolerated only with evidence and a relaxed expectation that holds") {
  const auto verdict = [](const std::string& body, int geo) {
    Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
      if (title == "GET http://geo/health") return {geo, "{}"};
      return {200, body};
    });
    const Ran ran({tolerant}, fake);
    return std::string(name_of(ran.of("decide").verdict)) + ": " + ran.of("decide").reason;
  };
  CHECK_THAT(verdict(R"({"miles":500,"fallbacks":["geo"]})", 200),
             ContainsSubstring("tolerated: geo is down (json.fallbacks"));
  CHECK_THAT(verdict(R"({"miles":500,"fallbacks":[]})", -1),
             ContainsSubstring("tolerated: geo is down (probe"));
  CHECK_THAT(verdict(R"({"miles":500,"fallbacks":[]})", 200),
             ContainsSubstring("fail: not tolerated, geo is not known to be down"));
  CHECK_THAT(verdict(R"({"miles":500,"fallbacks":[]})", -2),
             ContainsSubstring("its probe could not be judged: {}"));
  CHECK_THAT(verdict(R"({"miles":500,"fallbacks":[]})", 503),
             ContainsSubstring("geo is down (probe: 503: status 503, wanted 200)"));
  CHECK_THAT(verdict(R"({"miles":5,"fallbacks":["geo"]})", 200), ContainsSubstring("fail: geo is down"));
}

TEST_CASE("flow: a probe that a stop has cut tells nothing of the neighbour") {
  base::Cancel stop;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title == "GET http://geo/health") stop.request();
    return {200, R"({"miles":500,"fallbacks":[]})"};
  });
  const Ran ran({tolerant}, fake, nullptr, &stop);
  CHECK(ran.of("decide").verdict == Verdict::aborted);
}

TEST_CASE("flow: what has failed for certain has failed, though a stop comes right behind it") {
  const auto verdict = [](const std::string& suite, const std::string& body) {
    base::Cancel stop;
    Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
    fake.header = [&] {
      stop.request();
      return "web1";
    };
    return Ran({suite}, fake, nullptr, &stop).of("decide").verdict;
  };
  auto needs_no_probe = tolerant;
  needs_no_probe.replace(needs_no_probe.find(", probe]"), 8, "]");
  CHECK(verdict(needs_no_probe, R"({"miles":500,"fallbacks":[]})") == Verdict::fail);
  // Evidence is there, and less does not hold either.
  CHECK(verdict(tolerant, R"({"miles":5,"fallbacks":["geo"]})") == Verdict::fail);
  CHECK(verdict(tolerant, R"({"miles":500,"fallbacks":["geo"]})") == Verdict::tolerated);
  // Nobody knows what the probe, or another attempt, would have said.
  CHECK(verdict(tolerant, R"({"miles":500,"fallbacks":[]})") == Verdict::aborted);
  const std::string retried = head("steps: [{name: decide, get: /d, retry: 1 after 1ms, expect: 201}]\n");
  CHECK(verdict(retried, "{}") == Verdict::aborted);
}

TEST_CASE("flow: what was made is undone, though a value of it could not be saved") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {201, R"({"id":7})"}; });
  const Ran ran({head(R"(steps:
  - name: make
    post: /a
    expect: 201
    save: {href: json.href, id: json.id}
    undo: {delete: /a/$(id), expect: 201}
)")},
                fake);
  CHECK(ran.of("make").verdict == Verdict::fail);
  CHECK_THAT(ran.of("make").reason, ContainsSubstring("'href' could not be saved"));
  CHECK(fake.asked == std::vector<std::string>{"POST http://h/a", "DELETE http://h/a/7"});
}

TEST_CASE(
    "flow: suites wait for those they need, blocked ones name the culprit, values are exported on purpose") {
  bool broken = false;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    return {broken && title == "POST http://h/user" ? 500 : 200, R"({"id":"u1"})"};
  });
  const std::string signup =
      "suite: signup\ntarget: http://h\nexport: [user]\nsteps:\n  - name: up\n    post: /user\n    expect: "
      "200\n    save: {user: json.id}\n";
  const std::string invoices =
      "suite: invoices\ntarget: http://h\ndepends_on: [signup]\nuse: {who: $(signup.user)}\nsteps:\n  - "
      "name: in\n    get: /i/$(who)\n    expect: 200\n";
  const Ran good({invoices, signup}, fake);
  CHECK(good.result.verdict == Verdict::pass);
  CHECK(fake.asked.back() == "GET http://h/i/u1");
  broken = true;
  const Ran bad({invoices, signup}, fake);
  CHECK(bad.of("in").verdict == Verdict::skipped);
  CHECK(bad.of("in").reason == "blocked: needs suite 'signup', which ended with fail");
}

TEST_CASE("flow: quarantine needs a day, and ends on it") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {500, "{}"}; });
  const auto text = [](const std::string& until) {
    return head(
        "steps:\n  - name: q\n    get: /q\n    expect: 200\n    quarantine: {owner: ann, reason: known, "
        "until: " +
        until + "}\n");
  };
  const Ran now({text("2999-01-01")}, fake);
  CHECK(now.of("q").verdict == Verdict::fail);
  CHECK(now.result.verdict == Verdict::pass);
  CHECK_THAT(now.result.inconclusive, ContainsSubstring("in quarantine"));
  const Ran over({text("2020-01-01")}, fake);
  CHECK(over.result.verdict == Verdict::fail);
}

TEST_CASE("flow: what holds of each element of an empty list is no pass by itself") {
  const auto verdict_of = [](const std::string& step, const std::string& body = R"({"e":[],"ok":true})") {
    Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
    const Ran ran({head("steps:\n  - name: step\n    get: /\n" + step)}, fake);
    const auto& one = ran.of("step");
    return std::string(name_of(one.verdict)) + (one.verdict == Verdict::error ? ": " + one.reason : "");
  };
  CHECK_THAT(verdict_of("    expect: {json.e.*.x: 5}\n"),
             ContainsSubstring("error: nothing was judged: json.e.*.x finds an empty list"));
  CHECK_THAT(verdict_of("    warn: {json.e.*.x: 5}\n"), ContainsSubstring("error: nothing was judged"));
  CHECK_THAT(verdict_of("    sample: 2\n    expect: {json.e.*.x: 5}\n"), ContainsSubstring("error: nothing"));
  CHECK_THAT(verdict_of("    until: {json.e.*.x: 5}\n    every: 10ms\n    for: 30ms\n"),
             ContainsSubstring("error: nothing was judged"));
  CHECK(verdict_of("    until: {json.ok: true}\n    give_up_if: {json.e.*.x: 5}\n    for: 30ms\n") == "pass");
  CHECK(verdict_of("    until: {json.ok: false}\n    give_up_if: {json.e.*.x: 5}\n    every: 10ms\n"
                   "    for: 30ms\n") == "fail");
  // Beside something that was judged an empty list is fine.
  CHECK(verdict_of("    expect: {json.e.*.x: 5, status: 200}\n") == "pass");
  CHECK(verdict_of("    expect: {json.e.*.x: 5, json.e: count at most 3}\n") == "pass");
  CHECK(verdict_of("    expect: {json.e.*.x: absent}\n") == "pass");
}
