#include "catch.hpp"
#include "kinds.hpp"
#include "loaded.hpp"

#include "staithe/base/text.hpp"
#include "staithe/checks/filter.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>

using namespace staithe::checks;
using namespace staithe::checks::test;
namespace diag = staithe::diag;

TEST_CASE("suites: every kind has help, a manual and an example that loads") {
  for (const auto& kind : kinds()) {
    CAPTURE(kind.name);
    CHECK_FALSE(kind.summary.empty());
    CHECK_FALSE(kind.manual.empty());
    std::string text = "suite: s\ntarget: http://127.0.0.1\nsteps:\n";
    const char* lead = "  - ";
    std::string example(kind.example);
    for (std::size_t at = 0; (at = example.find("ledger_readonly", at)) != std::string::npos;)
      example.replace(at, 15, "ledger");
    for (std::size_t at = 0; (at = example.find("analytics_readonly", at)) != std::string::npos;)
      example.replace(at, 18, "ledger");
    std::size_t begin = 0;
    while (begin < example.size()) {
      const auto end = std::min(example.find('\n', begin), example.size());
      text += lead + example.substr(begin, end - begin) + "\n";
      lead = "    ";
      begin = end + 1;
    }
    const Loaded loaded(text);
    CAPTURE(text, loaded.first());
    CHECK(loaded.suite.has_value());
  }
}

TEST_CASE("suites: hosts and cases make checks of their own, with keys that stay") {
  const Loaded loaded(R"(suite: s
target: http://api
cases: cases.csv
steps:
  - name: $(case.name)
    get: /v?m=$(case.miles)
    expect: {json.d: $(case.decision)}
  - name: version
    each: host in $(hosts.app)
    get: http://$(host.address):5000/version
    expect: {json.release: $(deploy.release)}
  - get: /count
    expect: {json.n: $(hosts.app.count)}
)");
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  std::vector<std::string> keys;
  for (const auto& check : loaded.suite->steps) keys.push_back(check.key);
  CHECK(keys == std::vector<std::string>{"s/near", "s/far, away", "s/version [web1]", "s/version [web2]",
                                         "s/GET http://api/count"});
  // A cell may be a phrase: analysts own the expectations.
  CHECK(loaded.suite->steps[1].expect[0].matcher.word == Matcher::Word::at_least);
  CHECK(title_of(loaded.suite->steps[2].request) == "GET http://10.0.0.1:5000/version");
  CHECK(loaded.suite->steps[4].expect[0].wanted == "2");
}

TEST_CASE("suites: the plan prints every request without a secret, and its id is that of its text") {
  const Loaded loaded(R"(suite: s
target: http://api
secrets: {key: env API_KEY}
defaults: {auth: basic $(key), headers: {x-mark: staithe}}
steps:
  - post: /cards
    json: {number: "4111", note: "run \"$(run.id)\".", token: $(key), umlaut: "\t\u00fc"}
    expect: 201
)");
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  SuitePlan plan{"r1", "production", {*loaded.suite}};
  const auto text = render(plan);
  CHECK_THAT(text, ContainsSubstring("basic <secret env API_KEY>"));
  CHECK_THAT(text, ContainsSubstring("\"number\":\"4111\""));
  CHECK_THAT(text, ContainsSubstring("x-mark: staithe"));
  CHECK_THAT(text, ContainsSubstring("Plan id " + id_of(plan)));
  CHECK(is_canonical(to_json(plan)));
  const auto id = id_of(plan);
  plan.release = "r2";
  CHECK(id_of(plan) != id);
}

TEST_CASE("suites: a part of a suite takes along what it needs") {
  const Loaded loaded(R"(suite: s
severity: minor
target: http://api
steps:
  - name: make
    post: /a
    expect: 201
    save: {id: json.id}
  - name: other
    get: /b
    expect: 200
  - name: look
    severity: critical
    tags: [smoke]
    get: /a/$(id)
    expect: 200
)");
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  const auto names = [&](const Filter& filter) {
    SuitePlan plan{"", "", {*loaded.suite}};
    select(plan, filter);
    std::string text;
    for (const auto& suite : plan.suites)
      for (const auto& check : suite.steps) text += check.name + " ";
    return text;
  };
  CHECK(names({true, {}, {}}) == "make look ");
  CHECK(names({false, {"smoke"}, {}}) == "make look ");
  CHECK(names({false, {}, {"other"}}) == "other ");
  CHECK(names({false, {"none"}, {}}).empty());
  SuitePlan plan{"", "", {*loaded.suite}};
  CHECK(select(plan, {false, {}, {"no such"}}) == std::vector<std::string>{"no such"});
}

TEST_CASE("suites: a part of a suite takes along what it needs of others") {
  const auto load = [](const std::string& text) {
    const Loaded loaded(text);
    INFO(loaded.first());
    REQUIRE(loaded.suite);
    return *loaded.suite;
  };
  const auto first = load(R"yml(suite: first
target: http://h
setup:
  - {name: enrol, post: /e, expect: 201, save: {account: json.id}}
steps:
  - {name: make, post: /a, expect: 201, save: {id: json.id}}
  - {name: token, post: "/t/$(id)", expect: 201, save: {token: json.token}}
  - {name: other, get: /b, expect: 200}
export: [token, account]
)yml");
  const auto second = load(R"yml(suite: second
target: http://h
depends_on: [first]
use: {token: $(first.token)}
steps:
  - {name: use it, get: /s, auth: bearer $(token), expect: 200}
  - {name: straight, get: "/s/$(first.account)", expect: 200}
  - {name: alone, get: /c, expect: 200}
)yml");
  const auto names = [&](const std::string& only) {
    SuitePlan plan{"", "", {first, second}};
    select(plan, {false, {}, {only}});
    std::string text;
    for (const auto& suite : plan.suites) {
      text += suite.name + (suite.depends_on.empty() ? ": " : " behind " + suite.depends_on.front() + ": ");
      for (const auto* part : {&suite.setup, &suite.steps})
        for (const auto& check : *part) text += check.name + " ";
    }
    return text;
  };
  CHECK(names("use it") == "first: enrol make token second behind first: use it ");
  CHECK(names("straight") == "first: enrol second behind first: straight ");
  CHECK(names("alone") == "second: alone ");
}

TEST_CASE("suites: the examples load as they stand") {
  namespace fs = std::filesystem;
  const fs::path root = STAITHE_SOURCE_DIR;
  std::size_t count = 0;
  for (const auto& directory : {root / "tests/unit/checks/data", root / "playbooks/checks"})
    for (const auto& entry : fs::directory_iterator(directory)) {
      if (entry.path().extension() != ".yml") continue;
      CAPTURE(entry.path().string());
      const auto read = [](const fs::path& path) {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return std::move(text).str();
      };
      auto made = context();
      for (auto& host : made.groups["app"]) host.values["port"] = "5000";
      for (const char* name : {"ledger_readonly", "decisions_readonly", "analytics_readonly"})
        made.databases[name] = {staithe::plan::SecretRef::Source::env, "URL"};
      made.values["public_host"] = "payments.example.com";
      made.read_file = [&](const std::string& path, std::string&) {
        return std::optional(read(directory / path));
      };
      diag::Diagnostics diagnostics;
      const auto suite = load_suite(entry.path().string(), read(entry.path()), made, diagnostics);
      for (const auto& finding : diagnostics.sorted())
        UNSCOPED_INFO(finding.position.line << " " << finding.message);
      REQUIRE(suite.has_value());
      CHECK(suite->steps.size() > 3);
      const SuitePlan plan{"", "", {*suite}};
      CHECK_FALSE(render(plan).empty());
      CHECK(is_canonical(to_json(plan)));
      ++count;
    }
  CHECK(count == 4);
}

TEST_CASE("suites: a plan's id covers all that is asked, and its listing has a line for each request") {
  const auto plan_of = [](const std::string& step) {
    diag::Diagnostics diagnostics;
    auto suite = load_suite(
        "s.yml", "suite: s\ntarget: http://h\nsecrets: {key: env KEY}\nsteps:\n  - {name: a, " + step + "}\n",
        {}, diagnostics);
    for (const auto& finding : diagnostics.sorted()) UNSCOPED_INFO(finding.message);
    REQUIRE(suite);
    return SuitePlan{"r1", "production", {std::move(*suite)}};
  };
  std::set<std::string> ids;
  const std::vector<std::string> steps{
      "get: /, expect: 200",
      "get: /x, expect: 200",
      "head: /, expect: 200",
      "get: /, expect: 201",
      "get: /, follow: 2, expect: 200",
      "get: /, auth: basic $(key), expect: 200",
      "get: /, auth: bearer $(key), expect: 200",
      "get: /, headers: {x-a: 1}, expect: 200",
      "get: /, headers: {x-a: 2}, expect: 200",
      "get: /, ca: other.pem, expect: 200",
      "get: /, certificate: {file: a, key: b}, expect: 200",
      "get: /, certificate: {file: a, key: c}, expect: 200",
      "get: /, connect_to: \"127.0.0.1:1\", expect: 200",
      "get: /, proxy: \"http://127.0.0.1:1\", expect: 200",
      "get: /, proxy: \"http://127.0.0.1:1\", proxy_auth: a:$(key), expect: 200",
      "get: /, timeout: 1s, expect: 200",
      "get: /, retry: 1, expect: 200",
      "get: /, warn: {time: at most 1s}, expect: 200",
      "tls: h, expect: {trusted: true}",
      "tls: h, server_name: other, expect: {trusted: true}",
      "run: \"true\", expect: {exit: 0}",
      "run: \"true\", env: {A: b}, expect: {exit: 0}",
      "run: \"true\", env: {A: $(key)}, expect: {exit: 0}"};
  for (const auto& step : steps) {
    CAPTURE(step);
    CHECK(ids.insert(id_of(plan_of(step))).second);
    CHECK(listing(plan_of(step)).size() == 1);
    CHECK(is_canonical(to_json(plan_of(step))));
  }
  const auto lines =
      listing(plan_of("post: /a, json: {k: $(key)}, expect: {status: 201}, undo: {delete: /a, expect: 204}"));
  CHECK(lines ==
        std::vector<std::string>{"a: POST http://h/a   send {\"k\":\"<secret env KEY>\"}   expect status 201",
                                 "undo: a: DELETE http://h/a   expect status 204"});
  // A body of several lines is one line of the listing.
  CHECK(listing(plan_of("post: /a, body: \"x\\ny\", expect: 200")).front() ==
        "a: POST http://h/a   send x y   expect status 200");
}

TEST_CASE("suites: a name in quotes may hold what separates columns elsewhere") {
  const Loaded loaded(
      "suite: s\ntarget: http://h\ncases: quoted.csv\nsteps:\n  - {name: a, get: /$(case.a;b), expect: "
      "200}\n");
  CAPTURE(loaded.first());
  REQUIRE(loaded.suite);
  REQUIRE(loaded.suite->steps.size() == 2);
  CHECK(title_of(loaded.suite->steps[1].request) == "GET http://h/2");
}

TEST_CASE("suites: a plan prints what takes back, neighbours, and what is tolerated with what evidence") {
  const Loaded loaded(R"(suite: s
target: http://h
neighbours:
  geocoder: {about: coordinates, probe: {get: http://geo/health, expect: 200}, patience: 6h}
steps:
  - name: decide
    post: /d
    safe: true
    expect: {json.miles: 12}
    tolerate:
      geocoder: {evidence: [{json.fallbacks: contains geocoder}, probe], expect: {json.miles: at least 100}}
  - name: make
    post: /a
    expect: 201
    undo: {delete: /a, expect: [201, 409]}
)");
  INFO(loaded.first());
  REQUIRE(loaded.suite);
  const auto text = render({"r1", "production", {*loaded.suite}});
  CHECK_THAT(text, ContainsSubstring("undo       DELETE http://h/a   expect status one of 201, 409"));
  CHECK_THAT(text, ContainsSubstring("geocoder: coordinates, tolerated for 6h at most\n"
                                     "       ask        GET http://geo/health   expect status 200"));
  CHECK_THAT(text, ContainsSubstring("evidence   its probe fails\n"
                                     "       evidence   json.fallbacks: contains geocoder\n"
                                     "       then       json.miles: at least 100"));
}

TEST_CASE("suites: which is not declared is found where he is named") {
  const auto told = [](std::optional<Context::Receivers> receivers) {
    auto known = context();
    known.receivers = std::move(receivers);
    diag::Diagnostics found;
    const auto suite = load_suite(
        "s.yml",
        "suite: s\ntarget: http://h\nalert: {to: [caht]}\nsteps:\n  - {name: a, get: /, expect: 200}\n",
        known, found);
    if (found.empty()) return std::string(suite ? "fine" : "lost");
    const auto one = found.sorted().front();
    return fmt::format("{} {}:{} {}; {}", name_of(one.severity), one.position.line, one.position.column,
                       one.message, one.help);
  };
  CHECK(told(std::nullopt) == "fine");
  CHECK(told(Context::Receivers{{"caht"}}) == "fine");
  CHECK(told(Context::Receivers{{"chat"}}) ==
        "error 3:14 the suite alerts 'caht', which is not declared; did you mean 'chat'?");
  CHECK(told(Context::Receivers{{}, diag::Severity::warning}) ==
        "warning 3:14 the suite alerts 'caht', which is not declared; add 'watch: {alerts: {caht: slack env "
        "NAME}}' to the environment in staithe.yml");
}

TEST_CASE("suites: a secret is looked for as long as the longest budget of those that need it") {
  const auto suite = [](const std::string& name, const std::string& budget, const std::string& secret) {
    diag::Diagnostics diagnostics;
    auto made =
        load_suite("s.yml",
                   "suite: " + name + "\ntarget: http://h\nsecrets: {a: env A, b: env B}\nbudget: " + budget +
                       "\nsteps: [{name: n, get: /, auth: bearer " + secret + ", expect: 200}]\n",
                   context(), diagnostics);
    REQUIRE(made);
    return *made;
  };
  SuitePlan plan;
  plan.suites = {suite("one", "2s", "$(a)"), suite("two", "1m", "$(a)"), suite("three", "3s", "$(b)"),
                 suite("four", "5m", "none")};
  const auto of = [&](const char* name) {
    return longest_budget(plan, {staithe::plan::SecretRef::Source::env, name});
  };
  CHECK(of("A") == std::chrono::minutes(1));
  CHECK(of("B") == std::chrono::seconds(3));
  CHECK(of("C") == staithe::base::Duration{0});
}

TEST_CASE("suites: the curl line asks for the path that was asked for") {
  HttpRequest request;
  request.target = "http://h";
  for (const char* url : {"/a/../b", "/..", "http://h/./x", "/a/%2e%2e/b"}) {
    request.url = Text(url);
    CAPTURE(url);
    CHECK(curl_line(request) ==
          "curl -sS -i --path-as-is " + std::string(*url == '/' ? "http://h" : "") + url);
  }
  for (const char* url : {"/a..b/...", "/a?b=.c", "http://h.x/"}) {
    request.url = Text(url);
    CAPTURE(url);
    CHECK(curl_line(request).find("path-as-is") == std::string::npos);
  }
}

TEST_CASE("suites: what stands in one though it is a secret is known, but for what the suite says in clear") {
  const auto written = [](const std::string& steps) {
    SuitePlan plan;
    diag::Diagnostics diagnostics;
    auto suite = load_suite("s.yml", "suite: s\ntarget: http://h\n" + steps, test::context(), diagnostics);
    REQUIRE(suite);
    plan.suites.push_back(std::move(*suite));
    return staithe::base::join(written_secrets(plan), " ");
  };
  const auto step = [&](const std::string& keys) {
    return written("steps: [{name: a, expect: 200, " + keys + "}]\n");
  };
  CHECK(step("get: /, headers: {X-Auth-Provider: google}") == "google");
  CHECK(step("get: /, headers: {X-Auth-Provider: google}, warn: {json.by: google}").empty());
  CHECK(step("get: /, auth: basic jo:google, warn: {json.by: google}").empty());
  CHECK(step("get: /, auth: basic staging:staging").empty());
  CHECK(step("get: /, auth: basic staging:staging2") == "staging2");
  CHECK(written("vars: {password: admin}\nsteps: [{name: admin logs in, get: /, expect: 200}]\n").empty());
  CHECK(written("vars: {user: admin, password: admin}\nsteps: [{get: /admin/users, expect: 200}]\n").empty());
  // What another one has copied is no clearer by that.
  CHECK(
      written("vars: {api_token: s3cr3tvalue77, t: $(api_token)}\nsteps: [{get: /y/$(t), expect: 200}]\n") ==
      "s3cr3tvalue77");
  CHECK(step("post: /, json: {password: hunter22, a: {token: 123456, pin: 1200}}") == "123456 hunter22");
  CHECK(step("get: '/?api_key=hunter22&page_token=second'") == "hunter22");
  CHECK(written("vars: {token_header: Bearer s3cr3tvalue99}\nsteps: [{get: /y, expect: 200}]\n") ==
        "Bearer s3cr3tvalue99");
  CHECK(step("post: /, form: {password: required}").empty());
  CHECK(
      written(
          "vars: {token: opensesame, max_tokens: '4096', user: joanna}\nsteps: [{get: /, expect: 200}]\n") ==
      "opensesame");
  CHECK(written("steps: [{run: 'curl --user \"jo:hunter22\" -u $USER:$PASS -u nobody h; su -u 1:hunter33', "
                "env: {PGPASSWORD: hunter44, HOME_KEY: $(environment)}, expect: {exit: 0}}]\n")
            .starts_with("hunter22"));
  // A step without a name of its own is called by what it asks: that says nothing in clear.
  CHECK(written("steps: [{get: '/?token=hunter22', expect: 200}]\n") == "hunter22");
}

TEST_CASE("suites: steps that differ in their secrets alone are told apart, and ordinary words stay") {
  const auto read = [](const std::string& text) {
    diag::Diagnostics diagnostics;
    auto suite = load_suite("s.yml", "suite: s\ntarget: http://h\n" + text, test::context(), diagnostics);
    REQUIRE(suite);
    return *suite;
  };
  const auto two = read(R"(steps:
  - {get: /me?token=good12345, expect: 200, undo: {delete: /me, expect: 200}}
  - {get: /me?token=expired999, expect: 401, undo: {delete: /me, expect: 200}}
)");
  const auto& [first, second] = std::tie(two.steps[0], two.steps[1]);
  CHECK(first.name.ends_with("/me?token=***"));
  CHECK(second.name == first.name + " (2)");
  CHECK(second.key == first.key + " (2)");
  CHECK(second.step == second.name);
  CHECK(second.undo.front().key == first.undo.front().key + " (2)");
  CHECK(first.undo.front().unnamed);
  CHECK(read("vars: {user: admin, password: admin}\nsteps: [{get: /admin/users, expect: 200}]\n")
            .steps.front()
            .key.ends_with("/admin/users"));
}
