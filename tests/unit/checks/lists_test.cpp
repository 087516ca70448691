#include "catch.hpp"
#include "says.hpp"

/// Phrases about lists, objects, and the rows of a column.
using namespace staithe::checks;
using namespace staithe::checks::test;
using staithe::plan::Text;

TEST_CASE("lists: what is said of one value is not so of a list or an object, nor is it not so") {
  const std::string body = R"({"l":["bad","ok"],"o":{"a":1},"n":[1,2],"none":[],"text":"503","null":null})";
  for (const char* phrase : {"not bad", "not ok", "not matches bad", "not matches ^nothing", "not 2xx",
                             "not date within 5m of now", "not [bad, ok]", "not true"})
    for (const char* subject : {"json.l", "json.o", "json.n", "json.none", "json", "names"}) {
      CAPTURE(phrase, subject);
      CHECK(says(subject, phrase, body) == "differs");
    }
  CHECK(says("json.l", "not contains worse", body) == "held");
  CHECK(says("json.l", "not contains bad", body) == "differs");
  CHECK(says("json.l", "not count 3", body) == "held");
  CHECK(says("json.l", "not empty", body) == "held");
  CHECK(says("json.l", "not null", body) == "held");
  CHECK(says("json.null", "not null", body) == "differs");
  CHECK(says("json.o", "not contains b", body) == "held");
  // A list may well be compared with a list.
  CHECK(says("json.n", "not [1, 3]", body) == "held");
  CHECK(says("json.n", "not [1, 2]", body) == "differs");
  CHECK(says("json.n", "not []", body) == "held");
  CHECK(says("json.none", "[]", body) == "held");
  CHECK(says("json.o", R"(not {"a": 1})", body) == "differs");
  // Nor is one value one of a list that "not" has before it, nor is it none.
  for (const char* phrase : {"not [bad, 503]", "not [500, 502]"}) {
    CHECK(says("json.text", phrase, body) == "differs");
    CHECK(says("json.null", phrase, body) == "differs");
    CHECK(says("status", phrase, body) == "differs");
  }
  CHECK(says("json.text", "not 5xx", body) == "differs");
  CHECK(says("json.null", "not 5xx", body) == "differs");
  CHECK(says("status", "not 5xx", body) == "held");
  CHECK(says("status", "not contains 5", body) == "differs");
  CHECK(says("json.null", "not date within 5m of now", body) == "differs");
  const auto got = [&](const std::string& subject) {
    Reply reply;
    reply.body = body;
    std::string why, help;
    const auto matcher = parse_matcher(Text(std::string("not bad")), Matcher::Form::plain, why, help);
    return Judge(reply, noon).judge({subject, *matcher, "not bad", {}}).got;
  };
  CHECK(got("json.l") ==
        "[\"bad\",\"ok\"] (this is a list: say contains or count, or in JSON '*' for each element)");
  CHECK(got("json.o") == R"({"a":1} (this is an object: name its members))");
}

TEST_CASE("lists: a column is what every row has") {
  const auto column = [](const std::string& phrase, const std::vector<const char*>& rows,
                         const char* rows_read = nullptr) {
    std::string why, help;
    const auto matcher = parse_matcher(Text(phrase), Matcher::Form::plain, why, help);
    REQUIRE(matcher);
    auto values = Value::list({rows.begin(), rows.end()});
    for (auto& one : values.items)
      if (one.text == "null") one.kind = Value::Kind::null;
    Reply reply;
    reply.facts["column.c"] = values;
    if (rows_read != nullptr) reply.cut["column.c"] = rows_read;
    const auto judged = Judge(reply, noon).judge({"column.c", *matcher, phrase, {}});
    if (judged.outcome == Judged::Outcome::unjudged) return "unjudged: " + judged.why;
    if (judged.outcome == Judged::Outcome::differs) return "differs: " + judged.got;
    return std::string(judged.nothing ? "nothing" : "held");
  };
  const auto held = [&](const std::string& phrase, const std::vector<const char*>& rows) {
    return column(phrase, rows) == "held";
  };
  for (const char* phrase :
       {"not bad", "not matches bad", "not matches ^bad$", "not contains bad", "ok", "matches ^ok$"}) {
    CAPTURE(phrase);
    CHECK(held(phrase, {"ok"}));
    CHECK(held(phrase, {"ok", "ok"}));
    CHECK_FALSE(held(phrase, {"ok", "bad", "ok"}));
    CHECK_FALSE(held(phrase, {"bad", "bad"}));
    CHECK_FALSE(held(phrase, {"bad"}));
  }
  CHECK(held("1 to 5", {"1", "5"}));
  CHECK(held("not 5xx", {"200", "404"}));
  CHECK_FALSE(held("not 5xx", {"200", "503"}));
  CHECK_FALSE(held("1 to 5", {"1", "6"}));
  CHECK_FALSE(held("at least 1", {"1", "null"}));
  CHECK_FALSE(held("not over 5", {"1", "null"}));
  CHECK(held("date within 1h of now", {"2026-11-21T12:30:00Z", "2026-11-21T11:30:00Z"}));
  CHECK_FALSE(held("date within 1h of now", {"2026-11-21T12:30:00Z", "2026-11-20T12:30:00Z"}));
  CHECK_FALSE(held("not date within 1h of now", {"2026-11-20T12:30:00Z", "null"}));
  CHECK(held("null", {"null", "null"}));
  CHECK_FALSE(held("null", {"null", "a"}));
  CHECK(held("not null", {"a", "b"}));
  CHECK_FALSE(held("not null", {"null", "null"}));
  CHECK_FALSE(held("not null", {"a", "null"}));
  CHECK(held("not empty", {"a", "b"}));
  for (const char* none : {"", "null"}) {
    CHECK_FALSE(held("not empty", {none, none}));
    CHECK_FALSE(held("not empty", {"a", none}));
    CHECK_FALSE(held("empty", {none, none}));
  }
  CHECK(held("contains b", {"a", "b"}));
  CHECK_FALSE(held("contains c", {"a", "b"}));
  CHECK(held("count 2", {"a", "b"}));
  CHECK(held("exists", {"a", "b"}));
  CHECK_FALSE(held("absent", {"a", "b"}));
  CHECK(column("not bad", {"ok", "bad"}) == R"(differs: 2 values: "ok", "bad" (not "bad"))");

  // Without a row nothing is judged, but how many there are.
  for (const char* phrase : {"ok", "not bad", "not null", "1 to 5", "not contains a"})
    CHECK(column(phrase, {}) == "nothing");
  for (const char* phrase : {"not empty", "exists", "contains a", "count 1", "not count 0"})
    CHECK_FALSE(held(phrase, {}));
  for (const char* phrase : {"empty", "absent", "count 0"}) CHECK(held(phrase, {}));

  // The rows that were not read may have what those that were read do not have.
  for (const char* phrase : {"not bad", "at least 1", "not empty", "not contains bad", "1 to 5"}) {
    CAPTURE(phrase);
    CHECK_THAT(column(phrase, {"1", "2"}, "2 rows"), ContainsSubstring("unjudged: there is more of it"));
  }
  for (const char* phrase : {"not 2", "at least 2", "2 to 5", "not contains 2"})
    CHECK_THAT(column(phrase, {"1", "2"}, "2 rows"), ContainsSubstring("differs"));
  CHECK(column("contains 2", {"1", "2"}, "2 rows") == "held");
  CHECK(column("count at least 2", {"1", "2"}, "2 rows") == "held");
  CHECK_THAT(column("count 2", {"1", "2"}, "2 rows"), ContainsSubstring("unjudged"));
}

TEST_CASE("lists: of several values none contains what is not contained") {
  const std::string body = R"({"e":[{"n":7,"s":"a"},{"n":70,"s":"bad luck"}],"none":[]})";
  CHECK(says("json.e.*.n", "contains 7", body) == "held");
  CHECK(says("json.e.*.n", "not contains 7", body) == "differs");
  CHECK(says("json.e.*.n", "not contains 8", body) == "held");
  CHECK(says("json.e.*.s", "not contains bad", body) == "differs");
  CHECK(says("json.e.*.s", "not contains worse", body) == "held");
  CHECK(says("json.e.*.x", "not contains worse", body) == "differs");
  CHECK(says("json.gone.*.x", "not contains worse", body) == "differs");
}
