// What stands in tables of cases, and what URLs ask for.
#include "catch.hpp"
#include "loaded.hpp"

using namespace staithe::checks;
using namespace staithe::checks::test;
namespace diag = staithe::diag;

TEST_CASE("suites: a mistake in a table is told where it stands there") {
  const auto with_cases = [](const std::string& file, const std::string& expect) {
    return Loaded("suite: s\ntarget: http://h\ncases: " + file +
                  "\nsteps:\n  - {name: n, get: /x, expect: " + expect + "}\n");
  };
  const auto cells = with_cases("bad.csv", "{json.a: $(case.want), status: $(case.code)}");
  CHECK(cells.all() ==
        "bad.csv:4:3 'at least' is followed by 'x', which is not a number, time or size\n"
        "bad.csv:4:14 '20x' can never be the status, which is a number of three digits\n"
        "bad.csv:5:11 '$' can never be the status, which is a number of three digits\n");
  CHECK(cells.diagnostics.sources().line("bad.csv", 4) == "é,at least x,20x");
  CHECK(cells.diagnostics.sorted().front().path == "steps[0].expect[\"json.a\"]");
  CHECK(with_cases("short.csv", "{json.a: $(case.a)}").all() ==
        "short.csv:3:1 row 3 has 1 fields, the first row has 2\n");
  CHECK(with_cases("open.csv", "{json.a: $(case.a)}").all() == "open.csv:2:3 a quote is not closed\n");
  CHECK(with_cases("alike.csv", "{json.a: $(case.a)}").all() ==
        "alike.csv:3:1 two rows are called 'x': their histories would be one\n");
}

TEST_CASE("suites: a name is one line and gives nothing to a terminal or to who reads the lines") {
  const std::string why = " a name is one line, without tabs and control characters\n";
  const auto forged = [](const std::string& name) {
    return Loaded("suite: s\ntarget: http://h\ncases: forged.csv\nsteps:\n  - {name: " + name +
                  ", get: /$(case.a), expect: 200}\n")
        .all();
  };
  for (const char* name : {"n", "\"n $(case.name)\""})
    CHECK(forged(name) == "forged.csv:2:3" + why + "forged.csv:4:3" + why + "forged.csv:5:3" + why);
  const auto named = [](const std::string& step) {
    return Loaded("suite: s\ntarget: http://h\nvars: {v: \"a\\n::b\"}\nsteps:\n  - {get: /, expect: 200, " +
                  step + "}\n")
        .all();
  };
  CHECK(named("name: \"a\\n::add-mask::z\"") == "s.yml:5:33" + why);
  CHECK(named("name: \"a $(v)\"") == "s.yml:5:33" + why);
  CHECK(named("name: \"\\e[31mred\"") == "s.yml:5:33" + why);
  CHECK(named("name: \"café → ok\"").empty());
  CHECK(Loaded("suite: s\ntarget: http://h\nneighbours: {\"a\\nb\": {about: x}}\nsteps:\n"
               "  - {get: /, expect: 200}\n")
            .all()
            .find(why) != std::string::npos);
}

TEST_CASE("suites: a cell is read as what stands in a suite, and told of in its table") {
  const auto with_cells = [](const std::string& step) {
    return Loaded("suite: s\ntarget: http://h\ncases: slips.csv\nsteps:\n  - {name: n, " + step + "}\n");
  };
  const auto slips = with_cells("get: /x, expect: {json.a: $(case.want)}");
  CHECK(slips.all() ==
        "slips.csv:2:3 'at lest 3' is no phrase that is known, so it is this very text\n"
        "slips.csv:4:3 '[a' is not a list of values\n");
  CHECK(
      slips.first().ends_with("write 'at least 3'; or quote the column's name in the suite, "
                              "\"$(case.NAME)\", when its cells are texts"));
  const auto texts = with_cells("get: /x, expect: {json.a: \"$(case.want)\"}");
  INFO(texts.all());
  REQUIRE(texts.suite);
  CHECK(texts.suite->steps.at(2).expect.at(0).wanted == "\"[a\"");
  // What the suite says around a value is told there, once.
  CHECK(with_cells("get: /x, expect: {json.a: at lest $(case.name)}").all() ==
        "s.yml:5:41 'at lest ?' is no phrase that is known, so it is this very text\n");
  // Elsewhere as well.
  CHECK(with_cells("tcp: $(case.address), expect: true").all() == "slips.csv:3:19 'db' is not HOST:PORT\n");
  CHECK(with_cells("get: /x, timeout: $(case.time), expect: 200").all() ==
        "slips.csv:3:22 the duration '4' has no unit\nslips.csv:4:13 '$(x)' is not a duration\n");
  CHECK(with_cells("wait: $(case.time)").all() ==
        "slips.csv:3:22 the duration '4' has no unit\nslips.csv:4:13 '$(x)' is not a duration\n");
}

TEST_CASE("suites: a cell that would ask for another place is told of in its table") {
  const auto with_cells = [](const std::string& url) {
    return Loaded("suite: s\ntarget: http://h/base\ncases: places.csv\nsteps:\n  - {name: n, delete: \"" +
                  url + "\", expect: 204}\n")
        .all();
  };
  const auto cannot = [](int row, const std::string& url, const std::string& why) {
    return "places.csv:" + std::to_string(row) + ":3 'case.id' cannot stand in " + url + ": it " + why + "\n";
  };
  for (const std::string url : {"/users/$(case.id)", "/users/$(case.id)/state", "/users/$(case.id)?force=1",
                                "/$(case.id)", "http://h/users/$(case.id)#a"}) {
    CAPTURE(url);
    CHECK(with_cells(url) == cannot(3, url, "is empty") + cannot(4, url, "makes \"..\" of it") +
                                 cannot(5, url, "makes \"..%2Fx\" of it") +
                                 cannot(6, url, "makes \"%252e%252e\" of it") +
                                 cannot(7, url, "makes \".\" of it"));
  }
  // Beside other text an empty one says nothing wrong, and a dot may make two.
  CHECK(with_cells("/users/u$(case.id)").empty());
  CHECK(with_cells("/users/.$(case.id)").find("places.csv:7:3") != std::string::npos);
  for (const std::string url : {"/users?id=$(case.id)", "/users?$(case.id)", "/u?a=/$(case.id)/b"}) {
    CAPTURE(url);
    CHECK(with_cells(url).empty());
  }
}

TEST_CASE("suites: a variable that would ask for another place is told of where it is used") {
  const auto with = [](const std::string& value, const std::string& url) {
    return Loaded("suite: s\ntarget: http://h/base\nvars: {v: \"" + value + "\"}\nsecrets: {key: env KEY}\n" +
                  "steps:\n  - {name: n, delete: \"" + url + "\", expect: 204}\n")
        .all();
  };
  CHECK(with("", "/users/$(v)") == "s.yml:6:23 'v' cannot stand in /users/$(v): it is empty\n");
  CHECK(with("", "/users/$(v)$(v)/x") == "s.yml:6:23 'v' cannot stand in /users/$(v)$(v)/x: it is empty\n");
  CHECK(with("../x", "/users/$(v)") == "s.yml:6:23 'v' cannot stand in /users/$(v): it makes \"..\" of it\n");
  CHECK(with("a/../../x", "/users/$(v)") ==
        "s.yml:6:23 'v' cannot stand in /users/$(v): it makes \"..\" of it\n");
  CHECK(with("/../x", "/users$(v)") == "s.yml:6:23 'v' cannot stand in /users$(v): it makes \"..\" of it\n");
  CHECK(with("/a/..", "$(v)/x") == "s.yml:6:23 'v' cannot stand in $(v)/x: it makes \"..\" of it\n");
  CHECK(with("http://h/a/%2e%2e/b", "$(v)").find("makes \"%2e%2e\"") != std::string::npos);
  CHECK(with(".", "/users/$(v)$(v)").find("makes \"..\"") != std::string::npos);
  const std::pair<const char*, const char*> good[] = {
      {"", "$(v)/users"},          {"", "http://h$(v)/users"}, {"/api/", "$(v)/users"},
      {"a//b", "/users/$(v)"},     {"", "/users/$(v)$(key)"},  {"", "/files/a$(v)"},
      {"/a?b=/../", "$(v)"},       {"..", "/?x=$(v)"},         {"10.0.0.1", "http://$(v)"},
      {"..", "/users/$(v)$(key)"}, {"a..b", "/$(v)"},          {"7", "/users/../$(v)"}};
  for (const auto& [value, url] : good) {
    CAPTURE(value, url);
    CHECK(with(value, url).empty());
  }
}

TEST_CASE(
    "suites: an address, a time and a name in a cell are told of in the table, whatever the step asks") {
  const auto with_hosts = [](const std::string& step) {
    return Loaded("suite: s\ntarget: http://h\ncases: hosts.csv\nsteps:\n  - {name: n, " + step + "}\n")
        .all();
  };
  CHECK(with_hosts("tls: $(case.host), expect: true") == "hosts.csv:3:5 'h:x' is not HOST or HOST:PORT\n");
  CHECK(with_hosts("tls: h, connect_to: $(case.to), expect: true") ==
        "hosts.csv:3:11 'h' is not HOST:PORT\n");
  CHECK(with_hosts("get: /, connect_to: $(case.to), expect: 200") == "hosts.csv:3:11 'h' is not HOST:PORT\n");
  CHECK(with_hosts("get: /, timeout: $(case.time), expect: 200") ==
        "hosts.csv:4:12 nothing can be asked in no time\n");
  CHECK(with_hosts("get: /, until: 200, for: $(case.for)") ==
        "hosts.csv:4:15 the suite's budget of 5m is over before that\n");
  CHECK(with_hosts("sql: $(case.name), query: select 1, expect: 1") ==
        "hosts.csv:2:1 no database is called 'ok'\nhosts.csv:3:1 no database is called 'bad'\n"
        "hosts.csv:4:1 no database is called 'late'\n");
}

TEST_CASE("suites: a list in a cell is one of its values") {
  Context lists = context();
  lists.read_file = [](const std::string& /*path*/, std::string& /*why*/) {
    return std::optional<std::string>("a,b\n\"[issued, \"\"07\"\", at least 3, 007]\",[200]\n[x y],2xx\n");
  };
  diag::Diagnostics diagnostics;
  const auto suite = load_suite("s.yml",
                                "suite: s\ntarget: http://h\ncases: c.csv\nsteps:\n"
                                "  - {name: n, get: /x, expect: {json.a: $(case.a), status: $(case.b)}}\n",
                                lists, diagnostics);
  REQUIRE(suite);
  const auto& one = suite->steps.at(0).expect.at(0);
  CHECK(one.wanted == "one of issued, \"07\", at least 3, 007");
  REQUIRE(one.matcher.inner.size() == 4);
  CHECK(one.matcher.inner[1].form == Matcher::Form::quoted);
  CHECK(one.matcher.inner[2].word == Matcher::Word::at_least);
  CHECK(suite->steps[0].expect.at(1).wanted == "one of 200");
  CHECK(suite->steps.at(1).expect.at(0).wanted == "one of x y");
}

TEST_CASE("suites: a variable in a target asks for no other place than is written") {
  const auto asked = [](const std::string& value, const std::string& target) {
    const Loaded loaded("suite: s\nvars: {v: \"" + value + "\"}\ntarget: \"" + target +
                        "\"\nsteps:\n  - {name: n, delete: /users/5, expect: 204}\n");
    return loaded.suite ? title_of(loaded.suite->steps.at(0).request) : loaded.all();
  };
  CHECK(asked("", "http://h/$(v)") == "s.yml:3:9 'v' cannot stand in http://h/$(v): it is empty\n");
  CHECK(asked("..", "http://h/$(v)/x") ==
        "s.yml:3:9 'v' cannot stand in http://h/$(v)/x: it makes \"..\" of it\n");
  CHECK(asked("a?b", "http://h/$(v)") == "DELETE http://h/a%3Fb/users/5");
  CHECK(asked("a/b", "http://h/$(v)/") == "DELETE http://h/a/b/users/5");
  CHECK(asked("", "http://h$(v)") == "DELETE http://h/users/5");
  CHECK(asked("http://h:1/a", "$(v)") == "DELETE http://h:1/a/users/5");
  const std::string query =
      "s.yml:3:1 a target holds no '?' and no '#': the paths of the steps come after it\n";
  CHECK(asked("http://h?a=b", "$(v)") == query);
  CHECK(asked("/a#b", "http://h$(v)") == query);
  CHECK(asked("b", "http://h/?a=$(v)") == query);
  CHECK(asked("b", "http://h/$(run.id)") ==
        "s.yml:3:9 'http://h/$(run.id)' is known at run time only and cannot stand here\n");
}

TEST_CASE("suites: a URL names a host") {
  for (const char* target : {"http://", "https:///shop", "https://:8080"})
    CHECK(Loaded("suite: s\ntarget: \"" + std::string(target) + "\"\nsteps:\n  - {get: /x, expect: 200}\n")
              .first() == "2 this target names no host | write https://HOST or https://HOST:PORT");
  CHECK(Loaded(with_step("{get: \"http:///x\", expect: 200}")).first() == "4 this URL names no host | ");
  CHECK(Loaded(with_step("{get: \"https://:80/$(run.id)\", expect: 200}")).first() ==
        "4 this URL names no host | ");
  CHECK(Loaded(with_step("{get: 'http://127.0.0.1\\@other/x', expect: 200}")).first() ==
        "4 this URL names no host | ");
  CHECK(Loaded(with_step("{get: 'http://127.0.0.1\\$(run.id)', expect: 200}")).first() ==
        "4 this URL names no host | ");
  CHECK(Loaded("suite: s\ntarget: http://h\\@other\nsteps:\n  - {get: /x, expect: 200}\n")
            .first()
            .starts_with("2 this target names no host"));
  CHECK(Loaded("suite: s\ntarget: http://h\ncases: tricks.csv\nsecrets: {k: env K}\ndefaults: {auth: bearer "
               "$(k)}\nsteps:\n  - {name: $(case.name), get: \"http://$(case.host)/\", expect: 200}\n")
            .all() == "tricks.csv:2:3 this URL names no host\ntricks.csv:3:3 this URL names no host\n");
  CHECK(Loaded(with_step("{get: \"http://$(environment).example/x\", expect: 200}")).suite.has_value());
  CHECK(Loaded(with_step("{get: \"http://$(run.id)/x\", expect: 200}")).suite.has_value());
  CHECK(Loaded(with_step("{get: \"https://[::1]:8080/x\", expect: 200}")).suite.has_value());
}

TEST_CASE("suites: a variable goes on where another one ends with its '/', and of a cell nobody could tell") {
  const auto asked = [](const std::string& vars, const std::string& url, const std::string& cases = "") {
    const Loaded loaded("suite: s\ntarget: http://h\n" + cases + "vars: {" + vars +
                        "}\nsteps:\n  - {name: n, get: \"" + url + "\", expect: 200}\n");
    return loaded.suite ? title_of(loaded.suite->steps.at(0).request) : loaded.all();
  };
  const std::string base = "base: \"https://h.example/api/\", ";
  for (const auto& [vars, url, wanted] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"path: \"items?all=1&q=a b\"", "$(base)$(path)", "GET https://h.example/api/items?all=1&q=a%20b"},
           {"path: \"items?all=\", word: \"a&b\"", "$(base)$(path)$(word)",
            "GET https://h.example/api/items?all=a%26b"},
           {"path: \"items#a%20b\"", "$(base)$(path)", "GET https://h.example/api/items#a%20b"},
           {"none: \"\", path: \"items?a=1\"", "$(base)$(none)$(path)",
            "GET https://h.example/api/items?a=1"},
           // where the author wrote the '/', and behind a piece, it is a piece
           {"path: \"items?all=1\"", "https://h.example/$(path)", "GET https://h.example/items%3Fall=1"},
           {"path: \"items?all=1\"", "$(base)v1/$(path)", "GET https://h.example/api/v1/items%3Fall=1"},
           {"id: \"7\", path: \"items?all=1\"", "$(base)$(id)$(path)",
            "GET https://h.example/api/7items%3Fall=1"},
           // and no host of its own
           {"path: \"//other.example/x?y\"", "$(base)$(path)",
            "GET https://h.example/api///other.example/x?y"}}) {
    CAPTURE(vars, url);
    CHECK(asked(base + vars, url) == wanted);
  }
  const auto cells = asked(base + "a: b", "$(base)$(case.path)", "cases: paths.csv\n");
  CHECK(
      cells ==
      "paths.csv:3:3 'what?' comes right after a value that ends with '/', so it is unclear whether its '?' "
      "begins a query\n"
      "paths.csv:4:3 'a#b' comes right after a value that ends with '/', so it is unclear whether its '#' "
      "begins a query\n");
  CHECK(asked(base + "a: b", "$(base)v1/$(case.path)", "cases: paths.csv\n") ==
        "GET https://h.example/api/v1/ok%2Fx");
  CHECK(asked("base: \"https://h.example/api\"", "$(base)/$(case.path)", "cases: paths.csv\n") ==
        "GET https://h.example/api/ok%2Fx");
}

TEST_CASE("suites: what the defaults say of who we are is not told to whom a cell names") {
  const auto all = [](const std::string& defaults, const std::string& step,
                      const std::string& target = "http://h") {
    return Loaded("suite: s\n" + (target.empty() ? "" : "target: " + target + "\n") +
                  "secrets: {k: env K}\nvars: {base: \"http://other\"}\ncases: urls.csv\ndefaults: {" +
                  defaults + "}\nsteps:\n  - {name: \"a $(case.name)\", expect: 200, " + step + "}\n")
        .all();
  };
  const auto told = [](const std::string& where, const std::string& what) {
    return "urls.csv:" + where + " this URL is not of the target's origin, and '" + what +
           "' of the defaults is for the target only\n";
  };
  for (const char* auth : {"auth: bearer $(k)", "auth: basic a:b", "headers: {x: y}, auth: bearer $(k)"})
    CHECK(all(auth, "get: $(case.url)") == told("2:3", "auth"));
  CHECK(all("auth: bearer $(k)", "get: \"http://h$(case.path)\"") == told("4:6", "auth"));
  CHECK(all("auth: bearer $(k)", "get: \"http://$(case.host)/z\"") ==
        told("2:21", "auth") + told("4:15", "auth"));
  for (const char* header : {"x-key: $(k)", "x-key: \"pre $(k)\"", "authorization: abc", "Cookie: abc"})
    CHECK_THAT(all("headers: {" + std::string(header) + "}", "get: $(case.url)"),
               ContainsSubstring("urls.csv:2:3 this URL is not of the target's origin"));
  // Neither what says nothing of us, nor what the step says itself, nor whom the suite names.
  CHECK(all("headers: {x-run: $(run.id), accept: text/html}", "get: $(case.url)").empty());
  CHECK(all("auth: none", "get: $(case.url)").empty());
  CHECK(all("auth: bearer $(k)", "get: $(case.url), auth: bearer $(k)").empty());
  CHECK(all("auth: bearer $(k)", "get: $(case.url), auth: none").empty());
  CHECK(all("headers: {x-key: $(k)}", "get: $(case.url), headers: {X-Key: $(k)}").empty());
  CHECK(all("auth: bearer $(k)", "get: $(base)/$(case.name)").empty());
  CHECK(all("auth: bearer $(k)", "get: \"http://other/$(case.host)?u=$(case.url)\"").empty());
  CHECK(all("auth: bearer $(k)", "get: \"/go?u=$(case.url)\"").empty());
  // Also a cell that is like the word which would be put in its place.
  const auto ways = [](const std::string& defaults, const std::string& step,
                       const std::string& target = "http://h") {
    return Loaded("suite: s\ntarget: " + target + "\nsecrets: {k: env K}\ncases: ways.csv\ndefaults: {" +
                  defaults + "}\nsteps:\n  - {name: \"a $(case.name)\", expect: 200, " + step + "}\n")
        .all();
  };
  CHECK_THAT(ways("auth: bearer $(k)", "get: \"http://$(case.host)/z\""),
             ContainsSubstring("ways.csv:2:3 this URL") && ContainsSubstring("ways.csv:3:3 this URL") &&
                 ContainsSubstring("ways.csv:4:3 this URL"));
  // Nor may a cell lead there by another way, where no certificate says who it is.
  const auto led = [](const std::string& where, const std::string& what) {
    return "ways.csv:" + where + " it is a cell that says whom to connect to, and '" + what +
           "' of the defaults is for the target only\n";
  };
  CHECK(ways("auth: bearer $(k)", "get: /, connect_to: $(case.to)") ==
        led("2:5", "auth") + led("3:5", "auth") + led("4:7", "auth"));
  CHECK(ways("headers: {x-key: $(k)}, proxy: $(case.proxy)", "get: /") == led("2:9", "x-key"));
  CHECK(ways("auth: bearer $(k)", "get: \"http://other/\", connect_to: $(case.to)", "https://h") ==
        led("2:5", "auth") + led("3:5", "auth") + led("4:7", "auth"));
  CHECK(ways("auth: bearer $(k)", "get: /, connect_to: $(case.to)", "https://h").empty());
  CHECK(ways("auth: bearer $(k)", "get: /, connect_to: $(case.to), auth: bearer $(k)").empty());
  CHECK(ways("auth: bearer $(k)", "get: \"/$(case.to)\", connect_to: \"h:1\"").empty());
  CHECK(ways("auth: none", "get: /, connect_to: $(case.to)").empty());
  // A proxy hears its password whatever it is asked for.
  const std::string proxied =
      "ways.csv:2:9 it is a cell that says which proxy, and 'proxy_auth' of the "
      "defaults is not for any proxy\n";
  for (const char* target : {"http://h", "https://h"}) {
    CHECK(ways("proxy_auth: $(k)", "get: /, proxy: $(case.proxy)", target) == proxied);
    CHECK(ways("proxy_auth: \"a:b\", proxy: $(case.proxy)", "get: /", target) == proxied);
    CHECK(ways("proxy_auth: $(k)", "get: /, proxy: $(case.proxy), proxy_auth: $(k)", target) != proxied);
    CHECK(ways("proxy_auth: $(k)", "get: /, proxy: \"http://p:1\"", target).empty());
  }
  CHECK(ways("proxy_auth: $(k)", "get: \"https://other/\", proxy: $(case.proxy)") == proxied);
  // Without a target there is nobody that it would be for alone.
  CHECK(Loaded("suite: s\nsecrets: {k: env K}\ncases: cases.csv\ndefaults: {auth: bearer $(k)}\nsteps:\n"
               "  - {name: $(case.name), get: \"http://$(case.decision)/\", expect: 200}\n")
            .all()
            .find("origin") == std::string::npos);
}
