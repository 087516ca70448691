#include "flow.hpp"

#include <tuple>

using namespace flow;

TEST_CASE("urls: what is put into a URL asks for what its author wrote, and for nothing else") {
  const std::vector<std::tuple<std::string, std::string, std::string>> table = {
      // the template, the value as JSON, what is asked for
      {"/runs/$(x)", R"("r1")", "http://h/runs/r1"},
      {"/runs/$(x)", "7", "http://h/runs/7"},
      {"/runs/$(x)", R"("a/b?c#d%20e f")", "http://h/runs/a%2Fb%3Fc%23d%2520e%20f"},
      {"/runs/$(x)/state", R"("a:b@c+d")", "http://h/runs/a:b@c+d/state"},
      {"/runs/run-$(x)", R"("/x")", "http://h/runs/run-/x"},
      {"/runs/$(x)", R"("/x")", "http://h/runs/%2Fx"},
      {"/v1$(x)", R"("/cards/CC1?all=1")", "http://h/v1/cards/CC1?all=1"},
      {"/v1$(x)", R"("/items?cursor=a/b&n=2")", "http://h/v1/items?cursor=a/b&n=2"},
      {"/v1$(x)", R"("/runs/a%20b c%zz")", "http://h/v1/runs/a%20b%20c%25zz"},
      {"/v1$(x)&all=1", R"("/items?n=2")", "http://h/v1/items?n=2&all=1"},
      {"/v1$(x)/state", R"("/runs/1")", "http://h/v1/runs/1/state"},
      {"$(x)", R"("/cards/CC1?full=1")", "http://h/cards/CC1?full=1"},
      {"$(x)/debits", R"("/cards/CC1")", "http://h/cards/CC1/debits"},
      {"$(x)/debits", R"("http://h:80/cards/CC1")", "http://h:80/cards/CC1/debits"},
      {"$(x)", R"("http://H/cards/CC1?full=1")", "http://H/cards/CC1?full=1"},
      {"http://web:5000$(x)", R"("/cards/CC1?full=1")", "http://web:5000/cards/CC1?full=1"},
      {"http://web:$(x)/version", R"("5001")", "http://web:5001/version"},
      {"/find?q=$(x)&all=1", R"("a&b=c d/e")", "http://h/find?q=a%26b%3Dc%20d/e&all=1"},
      {"/find?at=$(x)", R"("2026-11-21T12:00:00+01:00")", "http://h/find?at=2026-11-21T12:00:00%2B01:00"},
      // and what is not asked at all
      {"/runs/$(x)", R"("../../customers/7")", "is \"../../customers/7\""},
      {"/runs/$(x)", R"("..")", "is \"..\""},
      {"/runs/$(x)", R"(".")", "is \".\""},
      {"/runs/$(x)", R"("%2e%2e/customers")", "cannot stand in /runs/<x: known at run time>"},
      {"/runs/$(x)", R"("..\\customers")", "is "},
      {"/runs/$(x)", R"("..;/customers")", "is "},
      {"/runs/.$(x)", R"(".")", "is \".\""},
      {"/runs/.$(x)./y", R"("%2e")", "is "},
      {"$(x)/debits", R"("/runs/../customers")", "is "},
      {"http://web:5000$(x)", R"("/../customers")", "is "},
      {"/runs/$(x)", R"("")", "is empty"},
      {"/runs/$(x)", R"(" ")", "is empty"},
      {"/runs/$(x)", "null", "is null"},
      {"/runs/$(x)", R"({"id":7})", "is an object"},
      {"/runs/$(x)", "[7]", "is a list"},
      {"/runs?owner=$(x)", R"("")", "is empty"},
      {"/runs?owner=$(x)", "null", "is null"},
      {"$(x)/debits", R"("")", "is empty"},
      {"$(x)/debits", R"("cards")", "is neither a URL nor a path"},
      {"/v1$(x)", R"("/runs/%2e%2e/customers")", "is "},
      {"/v1$(x)/state", R"("/runs/1?force=1")", "and /state would be part of that"},
      {"$(x)/debits", R"("/cards/CC1#a")", "and /debits would be part of that"},
      {"$(x)$(x)", R"("/cards?a=1")", "would be part of that"},
      // nor another host, with what is for this one only
      {"$(x)/debits", R"("https://other/cards/CC1")", "names another host than http://h: https://other"},
      {"$(x)/debits", R"("https://h/cards/CC1")", "names another host than http://h: https://h"},
      {"$(x)/debits", R"("http://h:8080/cards/CC1")", "names another host than http://h: http://h:8080"},
      {"$(x)/debits", R"("http://h@other/cards/CC1")", "names another host than http://h: http://other"},
      {"$(x)/debits", R"("http://h\\@other/cards/CC1")", "names another host than http://h: http://other"},
      {"$(x)/debits", R"("http:///cards/CC1")", "names another host than http://h: none that can be read"},
      {"http://$(x)/y", R"("/evil")", "may say no part of a host's name"},
      {"http://$(x)/y", R"("evil")", "may say no part of a host's name"},
      {"http://web$(x)/y", R"("7@evil")", "may say no part of a host's name"},
      {"http://web$(x)", R"(".evil.example")", "may say no part of a host's name"},
      {"http://web:$(x)/y", R"("80@evil")", "may say no part of a host's name"},
      {"http://web:$(x)", R"("/y")", "may say no part of a host's name"},
  };
  for (const auto& [url, value, wanted] : table) {
    CAPTURE(url, value);
    Fake fake([&, v = value](const std::string&) -> std::pair<int, std::string> {
      return {200, "{\"x\":" + v + "}"};
    });
    const Ran ran({head("steps:\n  - {name: make, post: /make, expect: 200, save: {x: json.x}}\n"
                        "  - {name: remove, delete: \"" +
                        url + "\", expect: 200}\n")},
                  fake);
    if (wanted.starts_with("http")) {
      REQUIRE(fake.asked.size() == 2);
      CHECK(fake.asked[1] == "DELETE " + wanted);
    } else {
      CHECK(fake.asked.size() == 1);
      CHECK(ran.of("remove").verdict == Verdict::error);
      CHECK_THAT(ran.of("remove").reason, ContainsSubstring("nothing was asked: 'x' cannot stand in "));
      CHECK_THAT(ran.of("remove").reason, ContainsSubstring(wanted));
    }
  }
}

TEST_CASE("urls: behind a saved value that ends with a slash a query could be part of the path") {
  for (const auto& [base, path, wanted] :
       {std::tuple{"/api/", "items", "DELETE http://h/api/items"},
        std::tuple{"/api/", "items?all=1", "is \"items?all=1\" right after a value that ends with '/'"},
        std::tuple{"/api/", "items#all", "it is unclear whether that is a query"},
        std::tuple{"/api", "/items?all=1", "DELETE http://h/api/items?all=1"},
        std::tuple{"/api/", "../items", "is \"../items\""},
        std::tuple{"/api/", "/other.example", "DELETE http://h/api/%2Fother.example"}}) {
    CAPTURE(base, path);
    Fake fake(
        [b = std::string(base), p = std::string(path)](const std::string&) -> std::pair<int, std::string> {
          return {200, R"({"b":")" + b + R"(","p":")" + p + R"("})"};
        });
    const Ran ran({head("steps:\n  - {name: make, post: /make, expect: 200, save: {b: json.b, p: json.p}}\n"
                        "  - {name: remove, delete: \"$(b)$(p)\", expect: 200}\n")},
                  fake);
    if (std::string_view(wanted).starts_with("DELETE"))
      CHECK(fake.asked.back() == wanted);
    else
      CHECK_THAT(ran.of("remove").reason, ContainsSubstring(wanted));
  }
}

TEST_CASE("urls: without a target a saved URL may name any host") {
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"x":"https://other/cards/CC1"})"};
  });
  const Ran ran({R"(suite: s
steps:
  - {name: make, post: "http://h/make", expect: 200, save: {x: json.x}}
  - {name: ask, get: $(x), expect: 200}
  - {name: of the run, get: "http://smoke-$(run.id).h/", expect: 200}
)"},
                fake);
  REQUIRE(fake.asked.size() == 3);
  CHECK(fake.asked[1] == "GET https://other/cards/CC1");
  CHECK(fake.asked[2].starts_with("GET http://smoke-2"));
}

TEST_CASE("urls: what another suite has saved stays null, a list or an object under its new name") {
  for (const auto& [value, wanted] : {std::pair{"null", "is null"}, std::pair{R"({"id":7})", "is an object"},
                                      std::pair{"[7]", "is a list"}, std::pair{"7", ""}}) {
    CAPTURE(value);
    Fake fake([v = std::string(value)](const std::string&) -> std::pair<int, std::string> {
      return {200, "{\"x\":" + v + "}"};
    });
    const Ran ran({"suite: one\ntarget: http://h\nexport: [x]\nsteps:\n"
                   "  - {name: make, post: /make, expect: 200, save: {x: json.x}}\n",
                   "suite: two\ntarget: http://h\ndepends_on: [one]\nuse: {mine: $(one.x)}\nsteps:\n"
                   "  - {name: remove, delete: /runs/$(mine), json: {x: $(mine)}, expect: 200}\n"},
                  fake);
    if (*wanted == '\0') {
      CHECK(fake.asked.back() == "DELETE http://h/runs/7 {\"x\":7}");
      continue;
    }
    CHECK(fake.asked.size() == 1);
    CHECK(ran.of("remove").verdict == Verdict::error);
    CHECK_THAT(ran.of("remove").reason, ContainsSubstring(wanted));
  }
}
