/// What is wrong with a suite, and what is not.
#include "catch.hpp"
#include "loaded.hpp"

using namespace staithe::checks;
using namespace staithe::checks::test;
namespace diag = staithe::diag;

TEST_CASE("suites: a slip of the pen is one finding, without what follows from it") {
  const std::pair<std::string, const char*> files[] = {
      {with_step("get: /x\n    untl: {status: 200}\n    for: 3s\n    every: 1s"), "unknown key 'untl'"},
      {with_step("get: /x\n    until: {status: 200}\n    fo: 3s"), "unknown key 'fo'"},
      {with_step("get: /x\n    expct: 200"), "unknown key 'expct'"},
      {with_step("get: /x\n    wran: {time: at most 1s}"), "unknown key 'wran'"},
      {with_step("sql: ledger\n    qurey: select 1\n    expect: {rows: 1}"), "unknown key 'qurey'"},
      {"suite: s\ntarget: http://h\nstesp:\n  - get: /x\n    expect: 200\n", "unknown key 'stesp'"},
      {"siute: s\ntarget: http://h\nsteps:\n  - get: /x\n    expect: 200\n", "unknown key 'siute'"},
  };
  for (const auto& [text, wanted] : files) {
    const Loaded loaded(text);
    CAPTURE(text);
    CHECK_FALSE(loaded.suite);
    CHECK(loaded.first().find(wanted) != std::string::npos);
    CHECK(loaded.first().find("did you mean") != std::string::npos);
    CHECK(loaded.diagnostics.count(diag::Severity::error) == 1);
    CHECK(loaded.diagnostics.sorted().size() == 1);
  }
  // What nobody can have meant explains nothing.
  const Loaded other(with_step("get: /x\n    banana: 200"));
  CHECK(other.diagnostics.count(diag::Severity::error) == 2);
}

TEST_CASE("suites: a number and words are an ordinary text") {
  for (const char* text :
       {"2 with 3 beds", "100 width 3", "5 widgets within", "3 Wishes 4", "within reason"}) {
    INFO(text);
    const Loaded loaded(with_step("get: /x\n    expect: {json.title: " + std::string(text) + "}"));
    INFO(loaded.first());
    REQUIRE(loaded.suite);
    CHECK(loaded.suite->steps[0].expect[0].matcher.word == Matcher::Word::equals);
  }
}

TEST_CASE("suites: a value put in for a name is no phrase that somebody got wrong") {
  using Word = Matcher::Word;
  const std::pair<const char*, Word> values[] = {
      {"Present", Word::equals},
      {"Match day", Word::equals},
      {"One of a kind", Word::equals},
      {"Between two worlds", Word::equals},
      {"under construction", Word::equals},
      {"over 5", Word::over},
      {"at least 3", Word::at_least},
  };
  for (const auto& [value, word] : values) {
    INFO(value);
    const Loaded loaded("suite: s\ntarget: http://api\nvars: {wanted: " + std::string(value) +
                        "}\nsteps:\n  - get: /x\n    expect: {json.title: $(wanted)}\n");
    INFO(loaded.first());
    REQUIRE(loaded.suite);
    CHECK(loaded.suite->steps[0].expect[0].matcher.word == word);
  }
  // Written by the author, only what must be a slip is one.
  for (const std::string text : {"present", "Between two worlds", "More than words"}) {
    const Loaded loaded(with_step("get: /x\n    expect: {json.state: " + text + "}"));
    INFO(loaded.first());
    CHECK(loaded.suite);
  }
  CHECK_FALSE(Loaded(with_step("get: /x\n    expect: {json.n: between 1 and 5}")).suite);
  // What a step is called is no value.
  CHECK(Loaded(with_step("get: /x\n    name: env staging\n    expect: 200")).suite);
}

TEST_CASE("suites: mistakes are found before anything is asked, with the next action") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {with_step("get: /x"), "expects nothing"},
      {with_step("gte: /x\n    expect: 200"), "did you mean 'get'?"},
      {with_step("get: /x\n    expct: 200\n    expect: 200"), "unknown key 'expct'"},
      {with_step("get: /x\n    get: /y\n    expect: 200"),
       "duplicate key 'get' | it stands on line 4 already"},
      {with_step("get: /x\n    expect: {status: 200, status: 201}"), "duplicate key 'status'"},
      {"suite: s\nsuite: t\ntarget: http://h\nsteps:\n  - get: /\n    expect: 200\n",
       "duplicate key 'suite'"},
      {with_step("get: /x\n    expect: {stats: 200}"), "did you mean 'status'?"},
      {with_step("get: /x\n    expect: {time: at most 3}"), "no unit of time"},
      {with_step("get: /x\n    expect: {json.a: '> 5', json.b: \"x\"}\n    warn: {json.c: at least lots}"),
       "not a number, time or size"},
      {with_step("get: /x\n    expect: {json..a: 1}"), "is no path"},
      {with_step("get: /x\n    expect: {\"json $[\": 1}"), "is no path"},
      {with_step("get: /x\n    expect: {status: []}"), "can never hold"},
      {with_step("get: $(card)/x\n    expect: 200\n  - post: /c\n    name: later\n    expect: 200\n    save: "
                 "{card: json.id}"),
       "used before it is saved | 'later' saves it"},
      {with_step("get: /$(enviroment)\n    expect: 200"), "did you mean 'environment'?"},
      {with_step("get: /$(deploy.sha)\n    expect: 200"), "known in a deploy only"},
      {with_step("get: /$(x\n    expect: 200"), "has no ')'"},
      {with_step("get: x\n    expect: 200"), "neither a URL nor a path"},
      {"suite: s\nsteps:\n  - get: /x\n    expect: 200\n", "a path needs a target"},
      {"suite: s\nsteps:\n  - {get: \"http://h/\", proxy: \"https://h:1\", expect: 200}\n",
       "is not the URL of a proxy"},
      {"suite: s\nsteps:\n  - {get: \"http://h/\", proxy: \"http://h\", expect: 200}\n",
       "is not the URL of a proxy"},
      {"suite: s\nsteps:\n  - {get: \"http://h/\", proxy_auth: \"a:b\", expect: 200}\n", "there is none"},
      {"suite: s\ntarget: http://h\ndefaults: {proxy_auth: \"a:b\"}\nsteps:\n  - {get: /, expect: 200}\n",
       "is for a 'proxy', and neither"},
      {"suite: s\ntarget: http://h\ndefaults: {proxy: none, proxy_auth: \"a:b\"}\nsteps:\n  - {get: /, "
       "expect: 200}\n",
       "is for a 'proxy', and neither"},
      {"suite: s\nsteps:\n  - {get: \"http://h/\", proxy: \"http://h:1\", proxy_auth: nocolon, expect: "
       "200}\n",
       "is not USER:PASSWORD"},
      {"suite: s\ntarget: http://h\ndefaults: {proxy: \"http://h:1\", proxy_auth: nocolon}\nsteps:\n"
       "  - {get: /, expect: 200}\n",
       "is not USER:PASSWORD"},
      {with_step("post: /x\n    retry: 1\n    expect: 200"), "not repeated"},
      {with_step("post: /x\n    sample: 5\n    expect: 200"), "only what is safe"},
      {with_step("get: /x\n    sample: 5\n    expect: {success: at least 4 of 5}"), "what a good answer is"},
      {with_step("get: /x\n    sample: 5\n    expect: {p95: at most 2s}"), "what a good answer is"},
      {with_step("get: /x\n    until: {status: 200}"), "for how long"},
      {with_step("get: /x\n    expect: 200\n    for: 3s"), "belong to 'until'"},
      {with_step("get: /x\n    until: 200\n    for: 6m"), "the suite's budget of 5m is over before that"},
      {"budget: 1m\n" + with_step("get: /x\n    until: 200\n    for: 61s"), "'budget: 1m1s' or more"},
      {with_step("post: /x\n    expect: 201\n    undo: {delete: /x, until: 204, for: 21s}"),
       "the suite's cleanup_budget of 20s is over before that"},
      {with_step("get: /x\n    json: {a: 1}\n    body: b\n    expect: 200"), "one of json, form and body"},
      {with_step("sql: ledgr\n    query: select 1\n    expect: {rows: 1}"), "did you mean 'ledger'?"},
      {with_step("sql: ledger\n    query: select $(environment)\n    expect: {rows: 1}"),
       "takes its values from 'args'"},
      {with_step("run: echo $(run.id)\n    expect: 0"), "cannot stand in a command"},
      {with_step("each: host in $(hosts.ap)\n    get: http://$(host.address)/\n    expect: 200"),
       "did you mean 'app'?"},
      {with_step("each: host in $(hosts.nobody)\n    get: http://$(host.address)/\n    expect: 200"),
       "has no hosts"},
      {with_step("name: a\n    get: /x\n    expect: 200\n  - name: a\n    get: /y\n    expect: 200"),
       "two checks are called 'a'"},
      {"suite: s\ntarget: http://h\nsecrets: {k: hunter2}\nsteps:\n  - get: /\n    expect: 200\n",
       "a secret is named, never written"},
      {"suite: s\ntarget: http://h\nuse: {token: env TOKEN}\nsteps:\n  - get: /\n    expect: 200\n",
       "'env TOKEN' is literal text here, not a secret"},
      {"suite: s\ntarget: http://h\nsecrets: {k: env KEY}\nuse: {token: $(k)}\nsteps:\n"
       "  - get: /\n    headers: {x-api-key: $(token)}\n    expect: 200\n",
       "'token' holds a secret, and 'use' is for values of other suites"},
      {"suite: s\ntarget: http://h\nvars: {token: file ./key}\nsteps:\n  - get: /\n    expect: 200\n",
       "say secrets: {NAME: file ./key} and write $(NAME)"},
      {with_step("get: /x\n    headers: {a: b, A: c}\n    expect: 200"), "'a' and 'A' are the same header"},
      {with_step("get: /x\n    expect:\n      json.a: #x\n    name: n"), "nothing is written here"},
      {with_step("get: /x\n    expect: {json.a: [1, ]}\n    warn:\n      json.b:\n    name: null"),
       "nothing is written here"},
      {with_step("get: /x\n    expect: {json.a: 5 to 1}"), "can never hold"},
      {with_step("get: /x\n    expect: {json.a: greater than 3}"), "write 'over 3'"},
      {with_step("get: /x\n    expect: {json.a: At least 3}"), "write 'at least 3'"},
      {with_step("get: /x\n    expect: {json.a: not one of a b}"), "write a list, [a, b]"},
      {with_step("get: /x\n    expect: 2XX"), "in small letters"},
      {with_step("get: /x\n    expect: {json.a: at leest 3}"), "write 'at least 3'"},
      {with_step("get: /x\n    expect: {json.a: contians x}"), "write 'contains TEXT'"},
      {with_step("get: /x\n    expect: {json.a: 100.00 wihin 0.005}"), "write '2.90 within 0.01'"},
      {with_step("get: /x\n    expect: {json.a: 100 withn 1%}"), "write '2.90 within 0.01'"},
      {with_step("get: /x\n    expect: {json.a: not 100 Within 1%}"), "write '2.90 within 0.01'"},
      {with_step("get: /x\n    expect: {json.a: 100 within 1 ro 2%}"), "'2.90 within 0.01 or 1%'"},
      {with_step("get: /x\n    expect: {status: 20x}"),
       "can never be the status, which is a number of three digits"},
      {with_step("get: /x\n    expect: 20x"), "write 200, 2xx"},
      {with_step("get: /x\n    expect: [200, 20]"), "'20' can never be the status"},
      {with_step("get: /x\n    expect: {status: \"200\"}"), "leave the quotes out"},
      {with_step("get: /x\n    expect: {status: not ok}"), "can never be the status"},
      {with_step("get: /x\n    expect: {json.a: not wihtin 5}"),
       "5 'wihtin 5' is half a phrase | write '2.90 within"},
      {with_step("get: /x\n    expect: {json.a: date 60d to 1d from now}"), "can never hold"},
      {with_step("get: /x\n    expect: {json.a: at most}"), "write 'at most 3'; or quote it"},
      {with_step("get: /x\n    expect: {json.a: atleast 3}"), "write 'at least 3'; or quote it"},
      {with_step("get: /x\n    expect: {json.a: 5 within}"), "is half a phrase"},
      {with_step("get: /x\n    expect: {json.a: not >= 5}"), "write 'at least 5'"},
      {with_step("get: /x\n    expect:\n      json.a: matches ([\""), "'\\' before one of these"},
      {with_step("post: /x\n    headers: {idempotency-key: \"\"}\n    retry: 1\n    expect: 200"),
       "not repeated"},
      {"suite: s\ntarget: http://h\ncases: semicolons.csv\nsteps:\n  - get: /$(case.a)\n    expect: 200\n",
       "separated by ';'"},
      {"suite: s\ntarget: http://h\ncases: semicolons_and_quotes.csv\nsteps:\n  - get: /$(case.a)\n    "
       "expect: "
       "200\n",
       "separated by ';'"},
      {with_step("get: /x\n    expect: {}"), "this says nothing: it could never fail"},
      {with_step("get: /x\n    expect: 200\n    warn: {}"), "this says nothing: it could never fail"},
      {with_step("get: /x\n    timeout: 0s\n    expect: 200"), "nothing can be asked in no time"},
      {"suite: s\nbudget: 0s\ntarget: http://h\nsteps:\n  - get: /\n    expect: 200\n",
       "nothing can be asked in no time"},
      {with_step("get: /x\n    headers: {authorization: env TOKEN}\n    expect: 200"),
       "is literal text here"},
      {with_step("post: /x\n    json: {a: [{password: env PASSWORD}]}\n    expect: 200"),
       "is literal text here"},
      {"suite: s\ntarget: http://h\nsecrets: {k: env K}\nsteps:\n  - get: /\n    expect: {body: contains "
       "$(k)}\n",
       "cannot be compared"},
      {with_step("get: /x\n    expect: {json.a: [[1], 2]}"), "a phrase or a list of values"},
      {"suite: s\ntarget: http://h\ncases: none.csv\nsteps:\n  - get: /$(case.x)\n    expect: 200\n",
       "no such file"},
      {"suite: s\ntarget: http://h\ncases: cases.csv\nsetup:\n  - get: /$(case.miles)\n    expect: "
       "200\nsteps:\n"
       "  - get: /\n    expect: 200\n",
       "setup is done once for all cases"},
      {with_step("get: /$(case.x)\n    expect: 200"), "the suite has no cases"},
      {"suite: s\ntarget: http://h\nexport: [x]\nsteps:\n  - get: /\n    expect: 200\n", "no step saves 'x'"},
      {with_step("get: /x\n    expect: 200\n    tolerate: {geo: {evidence: [probe], expect: 200}}"),
       "no neighbour"},
      {with_step("get: /x\n    expect: 200\n    quarantine: {owner: a, reason: b}"), "until"}};
  for (const auto& [text, expected] : table) {
    const Loaded loaded(text);
    CAPTURE(text);
    CHECK_FALSE(loaded.suite.has_value());
    CHECK_THAT(loaded.first(), ContainsSubstring(expected));
  }
}

TEST_CASE("suites: what is common to all steps is asked of each, however short it is said") {
  for (const char* common : {"200", "{status: 200}"}) {
    const Loaded loaded(
        "suite: s\ntarget: http://h\ndefaults: {expect: " + std::string(common) +
        "}\nsteps:\n  - get: /a\n    expect: {json.ok: true}\n  - get: /b\n    expect: 204\n");
    INFO(loaded.first());
    REQUIRE(loaded.suite);
    REQUIRE(loaded.suite->steps.at(0).expect.size() == 2);
    CHECK(loaded.suite->steps[0].expect[1].subject == "status");
    // What a step says itself wins.
    REQUIRE(loaded.suite->steps.at(1).expect.size() == 1);
    CHECK(loaded.suite->steps[1].expect[0].wanted == "204");
  }
}

TEST_CASE("suites: what takes something away again is not held to what is common to all steps") {
  const Loaded loaded(R"(suite: s
target: http://h
defaults: {expect: 200}
steps:
  - post: /a
    expect: {json.ok: true}
    undo: {delete: /a/1}
  - post: /b
    expect: {json.ok: true}
    undo: {delete: /b/1, expect: {json.gone: true}}
)");
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  const auto& steps = loaded.suite->steps;
  REQUIRE(steps.at(0).undo.at(0).expect.size() == 1);
  CHECK(steps[0].undo[0].expect[0].wanted == "2xx");
  // One that expects something itself is a step as any other.
  REQUIRE(steps.at(1).undo.at(0).expect.size() == 2);
  CHECK(steps[1].undo[0].expect[1].wanted == "200");
}

TEST_CASE("suites: an idempotency-key makes a request safe to ask twice, however it is written") {
  for (const char* name : {"idempotency-key", "Idempotency-Key", "IDEMPOTENCY-KEY"}) {
    const Loaded loaded(
        with_step("post: /x\n    headers: {" + std::string(name) + ": k}\n    retry: 1\n    expect: 200"));
    INFO(loaded.first());
    CHECK(loaded.suite.has_value());
  }
}

TEST_CASE("suites: a file of cases that is not there is one mistake, not one of each step besides") {
  const Loaded loaded(
      "suite: s\ntarget: http://h\ncases: none.csv\nsteps:\n  - get: /$(case.x)\n    expect: 200\n");
  REQUIRE(loaded.diagnostics.sorted().size() == 1);
  CHECK(loaded.first() == "3 none.csv: no such file | ");
}

TEST_CASE("suites: a slip of the pen is one mistake, and what follows from it is none") {
  const std::string rest = "  - {name: b, get: /$(id), expect: 200}\n";
  CHECK(Loaded("suite: s\ntarget: http://h\nsteps:\n"
               "  - {name: a, get: /x, expect: 200, svae: {id: json.id}}\n" +
               rest)
            .all() == "s.yml:4:37 unknown key 'svae'\n");
  CHECK(Loaded("suite: s\ntarget: http://h\nsteps:\n" + rest +
               "  - {name: a, get: /x, expect: 200, save: {id: json.id}}\n")
            .first() == "4 'id' is used before it is saved | 'a' saves it, which comes later");
  CHECK(Loaded("suite: s\ntraget: http://h\nsteps:\n  - {name: a, get: /x, expect: 200}\n").all() ==
        "s.yml:2:1 unknown key 'traget'\n");
  for (const char* key : {"secrts: {id: env ID}", "vras: {id: 1}", "ues: {id: $(other.id)}"})
    CHECK(Loaded("suite: s\ntarget: http://h\ndepends_on: [other]\n" + std::string(key) + "\nsteps:\n" + rest)
              .all()
              .starts_with("s.yml:4:1 unknown key"));
  CHECK(Loaded("suite: s\ntarget: http://h\nvras: {id: 1}\nsteps:\n" + rest).diagnostics.sorted().size() ==
        1);
  CHECK(Loaded("suite: s\ntarget: http://h\nsteps:\n  - {get: /x, exepct: 200}\n").first() ==
        "4 unknown key 'exepct' | did you mean 'expect'?");
}

TEST_CASE("suites: a number that is none here is told, and a text that looks like it is one") {
  const auto first = [](const std::string& phrase) {
    return Loaded(with_step("{get: /x, expect: {json.a: " + phrase + "}}")).first();
  };
  const std::string told =
      "4 '1e400' is beyond what a number can be here, which ends at 1.8e308 | quote it when the text is "
      "meant";
  for (const char* phrase : {"1e400", "at most 1e400", "not 1e400", "over 1e400", "not at least 1e400"})
    CHECK(first(phrase) == told);
  for (const char* phrase : {"\"1e400\"", "contains 1e400", "matches 1e400", "1e300", "batch 1e400"})
    CHECK(first(phrase).empty());
}

TEST_CASE("suites: mistakes between suites") {
  const auto text = [](const std::string& name, const std::string& more) {
    return "suite: " + name + "\ntarget: http://h\n" + more +
           "steps:\n  - get: /\n    expect: 200\n    save: {id: json.id}\n";
  };
  const auto together = [](const std::vector<std::string>& texts) {
    diag::Diagnostics diagnostics;
    std::vector<Suite> suites;
    for (const auto& one : texts)
      if (auto suite = load_suite("s.yml", one, context(), diagnostics)) suites.push_back(*suite);
    check_together(suites, diagnostics);
    std::string all;
    for (const auto& finding : diagnostics.sorted()) all += finding.message + "\n";
    return all;
  };
  CHECK(together({text("a", ""), text("b", "depends_on: [a]\n")}).empty());
  CHECK_THAT(together({text("a", ""), text("a", "")}), ContainsSubstring("called 'a' too"));
  CHECK_THAT(together({text("a", "depends_on: [b]\n"), text("b", "depends_on: [a]\n")}),
             ContainsSubstring("depends on itself"));
  CHECK_THAT(together({text("b", "depends_on: [a]\n")}), ContainsSubstring("not among those that run"));
  CHECK_THAT(together({text("a", ""), text("b", "depends_on: [a]\nuse: {x: $(a.id)}\n")}),
             ContainsSubstring("does not export 'id'"));
}

TEST_CASE(
    "suites: a step that is called like another one's undo is refused, for their histories would be one") {
  const Loaded loaded(
      "suite: s\ntarget: http://h\nsteps:\n  - {name: same, post: /x, expect: 200, undo: {delete: /x, "
      "expect: 200}}\n"
      "  - {name: 'undo: same', get: /x, expect: 200}\n");
  CHECK_FALSE(loaded.suite);
  CHECK(loaded.first().find("two checks are called 'undo: same'") != std::string::npos);
}

TEST_CASE("suites: one that can never fail is told of") {
  const auto text = [](const char* severity) {
    return std::string(
               "suite: s\nseverity: critical\ntarget: http://h\nsteps:\n"
               "  - {name: a, get: /, expect: 200, severity: ") +
           severity + "}\n  - {name: b, get: /b, expect: 200, severity: major}\n";
  };
  const Loaded never(text("major"));
  REQUIRE(never.suite);
  CHECK(never.diagnostics.count(diag::Severity::warning) == 1);
  CHECK(never.first().find("it can never fail") != std::string::npos);
  CHECK(Loaded(text("critical")).diagnostics.sorted().empty());
}

TEST_CASE("suites: a slip beside the key that was meant names it") {
  const Loaded loaded(with_step("get: /x\n    expect: 200") + "stepz: []\n");
  CHECK(loaded.first().find("'steps' stands here already") != std::string::npos);
}
