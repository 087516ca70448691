#include "catch.hpp"
#include "says.hpp"

using namespace staithe::checks;
using namespace staithe::checks::test;
using staithe::plan::Text;

TEST_CASE("words: a value is shown on one line, and not past 200 bytes") {
  CHECK(Value::of(std::string("1398502\n\tof main\r\n")).shown() == R"("1398502\n\tof main\n")");
  CHECK(Value::of(std::string(300, 'x')).shown() == '"' + std::string(200, 'x') + "… (300 bytes)\"");
}

TEST_CASE("words: exact values, and what quotes mean") {
  CHECK(in_json("201", "201") == "held");
  CHECK(in_json("201", "201.0") == "held");
  CHECK(in_json("201", "\"201\"") == "differs");
  CHECK(in_json("201", "\"201\"", Matcher::Form::quoted) == "held");
  CHECK(in_json("201", "201", Matcher::Form::quoted) == "differs");
  CHECK(in_json("201", "\"201\"", Matcher::Form::substituted) == "held");
  CHECK(in_json("true", "true") == "held");
  CHECK(in_json("true", "\"true\"") == "differs");
  CHECK(in_json("null", "null") == "held");
  CHECK(in_json("null", "0") == "differs");
  CHECK(in_json("issued", "\"issued\"") == "held");
  CHECK(in_json("at least 5", "\"at least 5\"", Matcher::Form::quoted) == "held");
  CHECK(says("header.length", "12", "") == "held");
  CHECK(in_json("9007199254740993", "9007199254740993") == "held");
  CHECK(in_json("[1, 2]", "[1,2]") == "held");
}

TEST_CASE("words: of whole numbers every digit counts, however many there are") {
  const std::string id = "1234567890123456789", balance = "9007199254740993";
  CHECK(in_json(id, id) == "held");
  CHECK(in_json("0" + id, id) == "held");
  CHECK(in_json("1234567890123456790", id) == "differs");
  CHECK(in_json("-" + id, id) == "differs");
  CHECK(in_json("[1, 1234567890123456700]", id) == "differs");
  CHECK(in_json("not 1234567890123456790", id) == "held");
  CHECK(in_json("1234567890123456790", id, Matcher::Form::substituted) == "differs");
  CHECK(in_json("1234567890123456700 within 0", id) == "differs");
  CHECK(in_json("1234567890123456700 within 88", id) == "differs");
  CHECK(in_json("1234567890123456700 within 89", id) == "held");
  CHECK(in_json("1234567890123456700 within 1%", id) == "held");
  CHECK(in_json("-1 within 3", "2") == "held");
  CHECK(in_json("-1 within 2", "2") == "differs");
  CHECK(in_json("at most 9007199254740992", balance) == "differs");
  CHECK(in_json("under 9007199254740993", balance) == "differs");
  CHECK(in_json("at least 9007199254740994", balance) == "differs");
  CHECK(in_json("over 9007199254740992", balance) == "held");
  CHECK(in_json("over -9007199254740994", "-" + balance) == "held");
  CHECK(in_json("9007199254740994 to 9007199254740999", balance) == "differs");
  CHECK(in_json("18446744073709551617", "18446744073709551616") == "differs");
  CHECK(in_json("100000000000000000000000000000000", "100000000000000000000000000000001") == "differs");
  CHECK(in_json("100000000000000000000000000000001", "100000000000000000000000000000001") == "held");
  CHECK(in_json("contains 1234567890123456790", "[" + id + "]") == "differs");
  CHECK(in_json("contains 2.5", "[2.50]") == "held");
  CHECK(says("json.v.*", "contains 2.5", R"({"v":[2.50]})") == "held");
  CHECK(in_json("{\"a\": 2.5}", R"({"a":2.50})") == "held");
  CHECK(in_json("{\"a\": 1234567890123456789012}", R"({"a":1234567890123456789013})") == "differs");
  CHECK(says("header.length", "12.0", "") == "held");
  Reply reply;
  reply.facts["row.0.id"] = Value::of(std::string("1234567890123456789"));
  std::string why, help;
  CHECK(says(reply, "row.0.id",
             *parse_matcher(Text(std::string("1234567890123456790")), Matcher::Form::plain, why, help)) ==
        "differs");
}

TEST_CASE("words: what is beyond doubles is JSON, and larger than any number that can be written") {
  CHECK(in_json("at least 5", "1e400") == "held");
  CHECK(in_json("at most 5", "1e400") == "differs");
  CHECK(in_json("5 within 1%", "-1e400") == "differs");
  CHECK(says("json.other", "7", R"({"v":1e400,"t":"\"1e400","w":[0e7,1e999],"other":7})") == "held");
  CHECK(says("json.w.0", "0", R"({"v":1e400,"w":[0e7,1e999]})") == "held");
  CHECK(says("json.t", "has", R"({"v":1e400,"t":"has"})") == "held");
  CHECK_THAT(says("json.v", "exists", R"({"v":01e400})"), ContainsSubstring("differs"));
  // What is no number may begin as the stand-in for one does.
  for (const char* no_json : {"[1e400,0e5-3]", "[1e400,0e0-3]", "[1e400,0e99999999999999999999-3]"})
    CHECK(says("json", "exists", no_json) == "differs");
  Reply reply;
  reply.body =
      R"({"vast":-1E+400,"long":1234567890123456789012345,"money":2.50,"t":"a\\","in":{"b":1e400,"a":2.50}})";
  const auto text = [&](const char* subject) { return Judge(reply, noon).select(subject).values.at(0).text; };
  CHECK(text("json.vast") == "-1E+400");
  CHECK(text("json.long") == "1234567890123456789012345");
  CHECK(text("json.money") == "2.50");
  CHECK(text("json.t") == "a\\");
  CHECK(text("json.in") == R"({"a":2.50,"b":1e400})");
  CHECK(text("json $[?@ == 1234567890123456789012345]") == "1234567890123456789012345");
  CHECK(Judge(reply, noon).select("json $[?@ == 1234567890123456789012346]").values.empty());
  CHECK(Judge(reply, noon).select("json $[?@ > 1234567890123456789012345]").values.empty());
  CHECK(text("json $[?@ >= 1234567890123456789012345]") == "1234567890123456789012345");
  CHECK(text("json $[?@ == 2.5]") == "2.50");
}

TEST_CASE("words: that the command is not there is no status that a suite means without saying it") {
  Reply reply;
  reply.facts["exit"] = Value::count(127);
  const auto matcher = [](const std::string& phrase) {
    std::string why, help;
    return *parse_matcher(Text(phrase), Matcher::Form::plain, why, help);
  };
  const auto says_of = [&](const std::string& phrase) { return says(reply, "exit", matcher(phrase)); };
  for (const char* phrase : {"not 1", "not 0", "at least 1", "over 0", "exists"}) {
    INFO(phrase);
    CHECK_THAT(says_of(phrase), ContainsSubstring("unjudged: 127 says that the command is not there"));
  }
  CHECK(says_of("127") == "held");
  Matcher any;
  any.word = Matcher::Word::one_of;
  any.inner = {matcher("0"), matcher("127")};
  CHECK(says(reply, "exit", any) == "held");
  any.inner = {matcher("0"), matcher("not 1")};
  CHECK_THAT(says(reply, "exit", any), ContainsSubstring("unjudged"));
  CHECK(says_of("0") == "differs");
  reply.facts["exit"] = Value::count(2);
  CHECK(says_of("not 1") == "held");
}

TEST_CASE("words: comparisons have units, and do not guess them") {
  CHECK(says("status", "2xx", "") == "held");
  CHECK(says("status", "3xx", "") == "differs");
  CHECK(says("status", "at least 200", "") == "held");
  CHECK(says("status", "200 to 299", "") == "held");
  CHECK(says("time", "at most 1s", "") == "held");
  CHECK(says("time", "under 812ms", "") == "differs");
  CHECK(says("time", "over 812ms", "") == "held");
  CHECK_THAT(says("time", "at most 1", ""), ContainsSubstring("unjudged"));
  CHECK(says("size", "5kB to 2MB", "") == "held");
  CHECK(says("size", "at most 5KiB", "") == "differs");
  CHECK_THAT(says("size", "at most 5s", ""), ContainsSubstring("unjudged"));
  CHECK_THAT(in_json("at least 19 of 20.5", "19"), ContainsSubstring("refused"));
  CHECK(in_json("at least 3", "\"3.5\"") == "held");
  CHECK(in_json("at least 3", "\"many\"") == "differs");
}

TEST_CASE("words: the wider of two tolerances") {
  CHECK(in_json("2.90 within 0.01 or 1%", "2.92") == "held");
  CHECK(in_json("2.90 within 0.01 or 1%", "2.93") == "differs");
  CHECK(in_json("144.00 within 0.005", "144.005") == "held");
  CHECK(in_json("144.00 within 0.005", "144.0051") == "differs");
  CHECK(in_json("-144.00 within 0.005", "-144") == "held");
  CHECK(in_json("2 within 1 or 1%", "3") == "held");
  CHECK(in_json("3800 within 1 or 1%", "3838") == "held");
  CHECK(in_json("3800 within 1 or 1%", "3839") == "differs");
  CHECK(in_json("100 within 5%", "105") == "held");
  CHECK_THAT(in_json("2 within some", "2"), ContainsSubstring("refused"));
}

TEST_CASE("words: text, lists, dates") {
  CHECK(in_json("matches ^/cards/CC", "\"/cards/CC1\"") == "held");
  CHECK(in_json("not matches ^/cards/CC", "\"/cards/BB\"") == "held");
  CHECK_THAT(in_json("matches (", "\"x\""), ContainsSubstring("refused"));
  CHECK(in_json("contains ell", "\"hello\"") == "held");
  CHECK(in_json("contains b", R"(["a","b"])") == "held");
  CHECK(in_json("contains c", R"(["a","b"])") == "differs");
  CHECK(says("names", "contains example.com", "") == "held");
  CHECK(says("names", "contains other.com", "") == "differs");
  CHECK(in_json("count at most 2", "[1,2]") == "held");
  CHECK(in_json("count 3", "[1,2]") == "differs");
  CHECK(in_json("empty", "[]") == "held");
  CHECK(in_json("not empty", "[0]") == "held");
  CHECK(in_json("exists", "null") == "held");
  CHECK(says("json.w", "absent", "{}") == "held");
  CHECK(says("json.w", "exists", "{}") == "differs");
  CHECK(in_json("date 25d to 35d from now", "\"2026-12-21\"") == "held");
  CHECK(in_json("date 25d to 35d from now", "\"2027-12-21\"") == "differs");
  CHECK(in_json("date 1d to 398d from now", "\"2027-12-21\"") == "held");
  CHECK(in_json("date 1d to 390d from now", "\"2027-12-21\"") == "differs");
  CHECK(in_json("date within 5m of now", "\"2026-11-21T13:00:01+01:00\"") == "held");
  CHECK(in_json("date 1h to 2h ago", "\"Sat, 21 Nov 2026 10:30:00 GMT\"") == "held");
  CHECK(in_json("date 1h to 2h ago", "\"yesterday\"") == "differs");
}

TEST_CASE("words: every value that a path finds, and lists that are not there") {
  const std::string body = R"({"e":[{"s":"geocoder"},{"s":"geocoder"}],"none":[]})";
  CHECK(says("json.e.*.s", "geocoder", body) == "held");
  CHECK(says("json.e.*.s", "other", body) == "differs");
  CHECK(says("json.e.*.s", "count 2", body) == "held");
  CHECK(says("json.none.*.s", "geocoder", body) == "held");
  CHECK(says("json.missing.*.s", "geocoder", body) == "differs");
  // What has another name by now is not there either: nothing was judged, and that is no pass.
  CHECK(says("json.e.*.renamed", "geocoder", body) == "differs");
  CHECK(says("json.e.*.renamed", "not geocoder", body) == "differs");
  CHECK(says("json.e.*.renamed", "absent", body) == "held");
  CHECK(says("json.e.*.s.*", "geocoder", body) == "differs");
  CHECK(says("json.a.*.b.*.c", "1", R"({"a":[{"b":[]},{"b":[]}]})") == "held");
  CHECK(says("json.a.*.b.*.c", "1", R"({"a":[{"b":[]},{"x":[]}]})") == "differs");
  CHECK(says("json $.none[*].s", "geocoder", body) == "held");
  CHECK(says("json $['none'][*]['s']", "geocoder", body) == "held");
  CHECK(says("json $['missing'][*].s", "geocoder", body) == "differs");
  CHECK(says("json $.missing[*].s", "geocoder", body) == "differs");
  CHECK(says("json $.e[*].renamed", "geocoder", body) == "differs");
  CHECK(says("json $.e[?@.s == 'nobody'].s", "geocoder", body) == "differs");
  CHECK(says("json $.e[?@.s == 'nobody'].s", "count 0", body) == "held");
  CHECK(says("json $.e[?@.s == 'nobody'].s", "not exists", body) == "held");
  CHECK(says("xml //gone", "7", "<r><a id='7'/></r>") == "differs");
  CHECK(says("xml /r/gone", "not 7", "<r><a id='7'/></r>") == "differs");
  CHECK(says("xml //gone", "absent", "<r><a id='7'/></r>") == "held");
  CHECK(says("xml //gone", "count 0", "<r><a id='7'/></r>") == "held");
  // It is not there, and no list that is there and empty.
  CHECK(says("xml //gone", "empty", "<r><a id='7'/></r>") == "differs");
  CHECK(says("json $.e[?@.s == 'nobody'].s", "empty", body) == "differs");
  CHECK(says("json $..nobody", "empty", body) == "differs");
  CHECK(says("json.none.*.s", "empty", body) == "held");
  CHECK(says("json.e.*.renamed", "empty", body) == "held");
  CHECK(says("json $.e[?@.s == 'geocoder']", "count 2", body) == "held");
  CHECK(says("xml //a/@id", "7", "<r><a id='7'/></r>") == "held");
  CHECK(says("xml count(//a)", "2", "<r><a/><a/></r>") == "held");
}

TEST_CASE("words: what is not so is not so of something") {
  const std::string body = R"({"n":"lots","none":null,"list":[9],"three":3,"text":"a"})";
  // It is not there, whatever it is called by now.
  for (const char* phrase : {"not failed", "not over 5", "not matches ^a", "not contains a"})
    CHECK(says("json.renamed", phrase, body) == "differs");
  for (const char* phrase : {"not empty", "not count 0"})
    CHECK(says("json.renamed", phrase, body) == "differs");
  CHECK(says("json.none", "not empty", body) == "differs");
  CHECK(says("json.text", "not empty", body) == "held");
  CHECK(says("json.renamed", "not exists", body) == "held");
  CHECK(says("json.text", "not failed", body) == "held");
  CHECK(says("json.three", "not over 5", body) == "held");
  // No text is over 5, nor is it not.
  for (const char* subject : {"json.n", "json.none", "json.list"})
    CHECK(says(subject, "not over 5", body) == "differs");
  CHECK(says("json.n", "not date within 5m of now", body) == "differs");
}

TEST_CASE("words: what was not read may decide otherwise, and then nobody knows") {
  Reply reply;
  reply.body = "xy";
  reply.facts["size"] = Value::bytes(4 << 20);
  reply.cut = {{"body", "4.0 MiB"}, {"size", "4.0 MiB"}};
  const auto phrase_of = [](const std::string& phrase) {
    std::string why, help;
    return parse_matcher(Text(phrase), Matcher::Form::plain, why, help).value();
  };
  const auto outcome = [&](const std::string& subject, const std::string& phrase) {
    return says(reply, subject, phrase_of(phrase)).substr(0, 8);
  };
  CHECK(outcome("size", "at least 3MB") == "held");
  CHECK(outcome("size", "at most 3MB") == "differs");
  CHECK(outcome("size", "at most 10MB") == "unjudged");
  CHECK(outcome("size", "at least 5MB") == "unjudged");
  CHECK(outcome("body", "contains x") == "held");
  CHECK(says(reply, "body",
             {Matcher::Word::one_of, {}, {phrase_of("contains z"), phrase_of("contains x")}}) == "held");
  CHECK(outcome("body", "contains z") == "unjudged");
  CHECK(outcome("body", "not contains z") == "unjudged");
  CHECK(outcome("body", "not contains x") == "differs");
  CHECK(outcome("json.a", "exists") == "differs");  // a body that nobody can want; no evidence either
}

TEST_CASE("words: '*' is every element, also the one that lacks what is asked for") {
  const std::string body =
      R"({"e":[{"s":"a","t":["x"]},{"s":"a"},{"s":null}],"o":{"k":{"v":1},"l":{}},"blank":["","b"],"full":["b"]})";
  CHECK(says("json.e.*.s", "exists", body) == "held");
  CHECK(says("json.e.*.t", "exists", body) == "differs");
  CHECK(says("json.e.*.t", "not absent", body) == "differs");
  CHECK(says("json.e.*.t", "not empty", body) == "differs");
  CHECK(says("json.e.*.t.*", "x", body) == "differs");
  CHECK(says("json.e.*.t.*", "not y", body) == "differs");
  CHECK(says("json.o.*.v", "1", body) == "differs");
  CHECK(says("json.o.*.v", "at least 1", body) == "differs");
  // How many there are, whether there is one, and whether there is none are other questions.
  CHECK(says("json.o.*.v", "count 1", body) == "held");
  CHECK(says("json.e.*.t", "absent", body) == "differs");
  CHECK(says("json.e.*.u", "absent", body) == "held");
  CHECK(says("json.e.*.u", "not exists", body) == "held");
  CHECK(says("json.e.*.t.*", "contains x", body) == "held");
  // What a query finds is what it asks for.
  CHECK(says("json $.o[*].v", "1", body) == "held");
  CHECK(says("json $.e[*].t", "exists", body) == "held");
  CHECK(says("json.blank.*", "not empty", body) == "differs");
  CHECK(says("json.full.*", "not empty", body) == "held");
  CHECK(says("json.full.*", "empty", body) == "differs");

  const auto got = [&](const std::string& subject) {
    Reply reply;
    reply.body = body;
    std::string why, help;
    const auto matcher = parse_matcher(Text("1"), Matcher::Form::plain, why, help);
    REQUIRE(matcher);
    return Judge(reply, noon).judge({subject, *matcher, "1", {}}).got;
  };
  const auto count_of = [&](const std::string& phrase, const std::string& list) {
    Reply reply;
    reply.body = list;
    std::string why, help;
    const auto matcher = parse_matcher(Text(phrase), Matcher::Form::plain, why, help);
    REQUIRE(matcher);
    return Judge(reply, noon).judge({"json", *matcher, phrase, {}}).got;
  };
  CHECK(count_of("count 3", "[1,2]") == "2 in [1,2]");
  CHECK(count_of("not count 2", "{\"a\":1}") == "1 in {\"a\":1}");
  CHECK(count_of("empty", "[1,2]") == "[1,2]");
  CHECK(count_of("count 3", "7") == "7 (there is nothing to count in it)");
  CHECK(got("json.o.*.v") == "1 values: 1; o.l.v is not there");
  CHECK(got("json.e.*.u") == "nothing; e.0.u is not there");
  CHECK(got("json.gone.*.u") == "nothing; gone is not there");
  CHECK(got("json $.e[?@.s == 'z']") == "nothing");
}

TEST_CASE("words: a path that comes from the system is cleaned and cut like a value") {
  Reply reply;
  reply.body = R"({"o":{"hunter2)" + std::string(1'000'000, 'k') + R"(":{}}})";
  std::string why, help;
  const auto matcher = parse_matcher(Text("1"), Matcher::Form::plain, why, help);
  REQUIRE(matcher);
  const auto clean = [](std::string_view text) {
    std::string out(text);
    if (const auto at = out.find("hunter2"); at != std::string::npos) out.replace(at, 7, "***");
    return out;
  };
  const auto got = Judge(reply, noon, clean).judge({"json.o.*.v", *matcher, "1", {}}).got;
  CHECK(got.starts_with("nothing; o.***kkk"));
  CHECK(got.ends_with("… (1000011 bytes) is not there"));
  CHECK(got.size() < 300);
}

TEST_CASE("words: operators and half phrases are refused with help") {
  for (const char* phrase : {"> 5",
                             ">= 5",
                             "!x",
                             "at least",
                             "at most",
                             "contains",
                             "matches",
                             "at least lots",
                             "count many",
                             "date soon",
                             "under review",
                             "atleast 3",
                             "at-most 3",

                             "5 within",
                             "5 wihtin",
                             "within 5",
                             "not wihtin 5",
                             "not within 5",
                             "date 60d to 1d from now",
                             "date 2h to 1h ago"}) {
    CAPTURE(phrase);
    CHECK_THAT(in_json(phrase, "5"), ContainsSubstring("refused"));
  }
}

TEST_CASE("words: what is refused as a phrase is still a text in quotes, and others are none of them") {
  for (const char* text : {"at least", "contains", "5 within", "atleast 3", "date 60d to 1d from now"}) {
    CAPTURE(text);
    CHECK(in_json(text, '"' + std::string(text) + '"', Matcher::Form::quoted) == "held");
  }
  for (const char* text :
       {"over", "date", "count", "within", "within reason", "matches_all", "at last", "5 with"}) {
    CAPTURE(text);
    CHECK(in_json(text, '"' + std::string(text) + '"') == "held");
  }
}

TEST_CASE("words: what holds of each element of an empty list holds of nothing") {
  const auto nothing = [](const std::string& subject, const std::string& phrase, const std::string& body) {
    std::string why, help;
    const auto matcher = parse_matcher(Text(phrase), Matcher::Form::plain, why, help);
    REQUIRE(matcher);
    Reply reply;
    reply.body = body;
    const auto judged = Judge(reply, noon).judge({subject, *matcher, phrase, {}});
    CHECK(judged.outcome == Judged::Outcome::held);
    return judged.nothing;
  };
  CHECK(nothing("json.e.*.x", "5", R"({"e":[]})"));
  CHECK(nothing("json.e.*.x", "not 5", R"({"e":[]})"));
  CHECK(nothing("json $.e[*].x", "at least 5", R"({"e":[]})"));
  CHECK_FALSE(nothing("json.e.*.x", "5", R"({"e":[{"x":5}]})"));
  CHECK_FALSE(nothing("json.e.*.x", "count 0", R"({"e":[]})"));
  CHECK_FALSE(nothing("json.e.*.x", "absent", R"({"e":[]})"));
  CHECK_FALSE(nothing("json.e", "empty", R"({"e":[]})"));
}

TEST_CASE("words: a body that is not what was promised fails, and a pattern without end is no answer") {
  CHECK(says("json.v", "1", "<html>") == "differs");
  CHECK(says("json.v", "1", "") == "differs");
  CHECK(says("json.v", "1", std::string(100'000, '[')) == "differs");
  CHECK(says("json.v", "absent", "<html>") == "differs");
  CHECK(says("xml //a", "1", "{}") == "differs");
  const std::string evil = "\"" + std::string(40, 'a') + "\"";
  CHECK_THAT(in_json("matches ^(a+)+[bc]$", evil), ContainsSubstring("too expensive"));
}

TEST_CASE("words: what finds more than can be looked at is not judged, and kept within bounds") {
  const auto nested = [](int levels, std::size_t bytes) {
    std::string body;
    for (int i = 0; i < levels; ++i) body += "{\"a\":";
    return body + "\"" + std::string(bytes, 'x') + "\"" + std::string(static_cast<std::size_t>(levels), '}');
  };
  const auto body = nested(190, 2'000'000);
  for (const char* subject : {"json $..a", "json $..a..a", "json $..*"}) {
    CAPTURE(subject);
    CHECK(says(subject, "contains nope", body) ==
          "unjudged: it finds more than the 100000 values and 16.0 MiB that are looked at");
    CHECK(says(subject, "not contains nope", body).starts_with("unjudged"));
    Reply reply;
    reply.body = body;
    CHECK(Judge(reply, noon).select(subject).values.empty());
  }
  std::string many = "[0", items = "<r>";
  for (int i = 0; i < 100'001; ++i) many += ",0", items += "<i/>";
  for (const auto& [subject, text] : {std::pair{"json.*", many + "]"}, {"xml //i", items + "</r>"}}) {
    CAPTURE(subject);
    CHECK_THAT(says(subject, "count at least 1", text), ContainsSubstring("unjudged: "));
  }
  CHECK(says("json $..a", "count 190", nested(190, 20)) == "held");
}
