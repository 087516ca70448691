#include "jsonpath.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"

#include <nlohmann/json.hpp>

/// The cases are those of RFC 9535's own tables and of its prose; each names its section.
using nlohmann::json;
using staithe::checks::JsonPath;

namespace {

std::string found(const char* document, const std::string& query) {
  const auto parsed = json::parse(document);
  auto list = json::array();
  for (const auto* node : JsonPath(query).find(parsed)) list.push_back(*node);
  return list.dump();
}

std::string same(const char* text) {
  return json::parse(text).dump();
}

bool refused(const std::string& query) {
  try {
    JsonPath{query};
    return false;
  } catch (const staithe::base::Error& error) {
    return error.code() == staithe::base::ErrorCode::invalid;
  }
}

constexpr const char* bookstore = R"({"store":{"book":[
  {"category":"reference","author":"Nigel Rees","title":"Sayings of the Century","price":8.95},
  {"category":"fiction","author":"Evelyn Waugh","title":"Sword of Honour","price":12.99},
  {"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99},
  {"category":"fiction","author":"J. R. R. Tolkien","title":"The Lord of the Rings","isbn":"0-395-19395-8","price":22.99}],
  "bicycle":{"color":"red","price":399}}})";

struct Case {
  const char* query;
  const char* result;
};

void check_all(const char* document, const std::vector<Case>& cases) {
  for (const auto& [query, result] : cases) {
    CAPTURE(query);
    CHECK(found(document, query) == same(result));
  }
}

}  // namespace

TEST_CASE("jsonpath: the bookstore (1.5)") {
  check_all(
      bookstore,
      {{"$.store.book[*].author", R"(["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"])"},
       {"$..author", R"(["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"])"},
       {"$..book[2].author", R"(["Herman Melville"])"},
       {"$..book[2].publisher", "[]"},
       {"$..book[-1].title", R"(["The Lord of the Rings"])"},
       {"$..book[0,1].price", "[8.95,12.99]"},
       {"$..book[:2].price", "[8.95,12.99]"},
       {"$..book[?@.isbn].title", R"(["Moby Dick","The Lord of the Rings"])"},
       {"$..book[?@.price<10].title", R"(["Sayings of the Century","Moby Dick"])"}});
  const auto document = json::parse(bookstore);
  CHECK(JsonPath("$.store.*").find(document).size() == 2);
  CHECK(JsonPath("$.store..price").find(document).size() == 5);
  CHECK(JsonPath("$..*").find(document).size() == 27);
}

TEST_CASE("jsonpath: names (2.3.1)") {
  check_all(R"({"o":{"j j":{"k.k":3}},"'":{"@":2}})", {{"$.o['j j']", R"([{"k.k":3}])"},
                                                       {"$.o['j j']['k.k']", "[3]"},
                                                       {R"($.o["j j"]["k.k"])", "[3]"},
                                                       {R"($["'"]["@"])", "[2]"}});
  check_all(R"({"☺":1,"a":2,"\u0000":3})",
            {{"$.☺", "[1]"}, {R"($["\u263A"])", "[1]"}, {R"($["\u0061"])", "[2]"}});
  CHECK(found(R"({"😀":1})", R"($["\uD83D\uDE00"])") == "[1]");
}

TEST_CASE("jsonpath: wildcards (2.3.2), indexes (2.3.3), slices (2.3.4)") {
  check_all(R"({"o":{"j":1,"k":2},"a":[5,3]})", {{"$[*]", R"([[5,3],{"j":1,"k":2}])"},
                                                 {"$.o[*]", "[1,2]"},
                                                 {"$.o[*,*]", "[1,2,1,2]"},
                                                 {"$.a[*]", "[5,3]"}});
  check_all(R"(["a","b"])", {{"$[1]", R"(["b"])"}, {"$[-2]", R"(["a"])"}, {"$[2]", "[]"}, {"$[-3]", "[]"}});
  check_all(R"(["a","b","c","d","e","f","g"])", {{"$[1:3]", R"(["b","c"])"},
                                                 {"$[5:]", R"(["f","g"])"},
                                                 {"$[1:5:2]", R"(["b","d"])"},
                                                 {"$[5:1:-2]", R"(["f","d"])"},
                                                 {"$[::-1]", R"(["g","f","e","d","c","b","a"])"},
                                                 {"$[::0]", "[]"},
                                                 {"$[ 1 : 3 : 1 ]", R"(["b","c"])"},
                                                 {"$[-2:]", R"(["f","g"])"},
                                                 {"$[:-5]", R"(["a","b"])"},
                                                 {"$[0:100:9007199254740991]", R"(["a"])"},
                                                 {"$[100::-1]", R"(["g","f","e","d","c","b","a"])"},
                                                 {"$[::-9007199254740991]", R"(["g"])"},
                                                 {"$[-100:-50]", "[]"}});
}

TEST_CASE("jsonpath: comparisons (2.3.5.3, table 11)") {
  constexpr const char* document = R"({"obj":{"x":"y"},"arr":[2,3]})";
  // Each condition is asked of the root: it selects both members, or none.
  const std::vector<std::pair<const char*, bool>> conditions = {{"$.absent1 == $.absent2", true},
                                                                {"$.absent1 <= $.absent2", true},
                                                                {"$.absent == 'g'", false},
                                                                {"$.absent1 != $.absent2", false},
                                                                {"$.absent != 'g'", true},
                                                                {"1 <= 2", true},
                                                                {"1 > 2", false},
                                                                {"13 == '13'", false},
                                                                {"'a' <= 'b'", true},
                                                                {"'a' > 'b'", false},
                                                                {"$.obj == $.arr", false},
                                                                {"$.obj != $.arr", true},
                                                                {"$.obj == $.obj", true},
                                                                {"$.obj != $.obj", false},
                                                                {"$.arr == $.arr", true},
                                                                {"$.arr != $.arr", false},
                                                                {"$.obj == 17", false},
                                                                {"$.obj != 17", true},
                                                                {"$.obj <= $.arr", false},
                                                                {"$.obj < $.arr", false},
                                                                {"$.obj <= $.obj", true},
                                                                {"$.arr <= $.arr", true},
                                                                {"1 <= $.arr", false},
                                                                {"1 >= $.arr", false},
                                                                {"1 > $.arr", false},
                                                                {"1 < $.arr", false},
                                                                {"true <= true", true},
                                                                {"true > true", false},
                                                                {"1.0 == 1", true},
                                                                {"-0 == 0", true}};
  for (const auto& [condition, holds] : conditions) {
    CAPTURE(condition);
    CHECK((found(document, std::string("$[?") + condition + "]") != "[]") == holds);
  }
}

TEST_CASE("jsonpath: filters (2.3.5.3, table 12)") {
  constexpr const char* document =
      R"({"a":[3,5,1,2,4,6,{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}],"o":{"p":1,"q":2,"r":3,"s":5,"t":{"u":6}},"e":"f"})";
  check_all(
      document,
      {{"$.a[?@.b == 'kilo']", R"([{"b":"kilo"}])"},
       {"$.a[?(@.b == 'kilo')]", R"([{"b":"kilo"}])"},
       {"$.a[?@>3.5]", "[5,4,6]"},
       {"$.a[?@.b]", R"([{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}])"},
       {"$[?@.*]",
        R"([[3,5,1,2,4,6,{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}],{"p":1,"q":2,"r":3,"s":5,"t":{"u":6}}])"},
       {"$[?@[?@.b]]", R"([[3,5,1,2,4,6,{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}]])"},
       {"$.o[?@<3, ?@<3]", "[1,2,1,2]"},
       {"$.a[?@<2 || @.b == \"k\"]", R"([1,{"b":"k"}])"},
       {"$.a[?match(@.b, \"[jk]\")]", R"([{"b":"j"},{"b":"k"}])"},
       {"$.a[?search(@.b, \"[jk]\")]", R"([{"b":"j"},{"b":"k"},{"b":"kilo"}])"},
       {"$.o[?@>1 && @<4]", "[2,3]"},
       {"$.o[?@.u || @.x]", R"([{"u":6}])"},
       {"$.a[?@.b == $.x]", "[3,5,1,2,4,6]"},
       {"$.a[?@ == @]", R"([3,5,1,2,4,6,{"b":"j"},{"b":"k"},{"b":{}},{"b":"kilo"}])"},
       {"$.a[?!@.b]", "[3,5,1,2,4,6]"},
       {"$.a[?!(@.b == 'j') && @.b]", R"([{"b":"k"},{"b":{}},{"b":"kilo"}])"}});
}

TEST_CASE("jsonpath: functions (2.4) and their types (table 14)") {
  constexpr const char* document = R"([{"a":"☺☺","n":[1,2]},{"a":"b","n":[]},{"t":"1974-05-01"}])";
  check_all(document, {{"$[?length(@.a) == 2].a", R"(["☺☺"])"},
                       {"$[?count(@.n[*]) > 1].a", R"(["☺☺"])"},
                       {"$[?value(@..a) == 'b'].a", R"(["b"])"},
                       {"$[?match(@.t, '1974-05-..')].t", R"(["1974-05-01"])"},
                       {"$[?match(@.a, '.')].a", R"(["b"])"},
                       {"$[?match(@.a, '(')]", "[]"},
                       {"$[?length(@.n) < 1].a", R"(["b"])"}});
  for (const char* query : {"$[?length(@)<3]", "$[?count(@.*)==1]", "$[?match(@.timezone, 'Europe/.*')]",
                            "$[?value(@..color)==\"red\"]", "$[?length(value(@.*)) == 1]"})
    CHECK_FALSE(refused(query));
  for (const char* query :
       {"$[?length(@.*)<3]", "$[?count(1)==1]", "$[?match(@.timezone, 'Europe/.*') == true]",
        "$[?value(@..color)]", "$[?length(@)]", "$[?count()==1]", "$[?foo(@)]", "$[?match(@.a)]"}) {
    CAPTURE(query);
    CHECK(refused(query));
  }
}

TEST_CASE("jsonpath: descendants (2.5.2) and null (2.6)") {
  check_all(R"({"o":{"j":1,"k":2},"a":[5,3,[{"j":4},{"k":6}]]})",
            {{"$..j", "[4,1]"},
             {"$..[0]", R"([5,{"j":4}])"},
             {"$.o..[*, *]", "[1,2,1,2]"},
             {"$.a..[0, 1]", R"([5,3,{"j":4},{"k":6}])"}});
  check_all(R"({"a":null,"b":[null],"c":[{}],"null":1})", {{"$.a", "[null]"},
                                                           {"$.a[0]", "[]"},
                                                           {"$.a.d", "[]"},
                                                           {"$.b[0]", "[null]"},
                                                           {"$.b[*]", "[null]"},
                                                           {"$.b[?@]", "[null]"},
                                                           {"$.b[?@==null]", "[null]"},
                                                           {"$.c[?@.d==null]", "[]"},
                                                           {"$.null", "[1]"}});
}

TEST_CASE("jsonpath: what is not well formed or not valid") {
  for (const char* query : {"",
                            "a",
                            "$.",
                            "$..",
                            "$[",
                            "$[]",
                            "$['a]",
                            "$[01]",
                            "$[-0]",
                            "$[1.0]",
                            "$[9007199254740992]",
                            "$[1:2:3:4]",
                            "$.1a",
                            "$ ",
                            " $",
                            "$[?]",
                            "$[?@.a == ]",
                            "$[?1]",
                            "$[?'a']",
                            "$[?true]",
                            "$[?@.a = 1]",
                            "$[?@[*] == 1]",
                            "$[?@..a == 1]",
                            "$[?@.a == 01]",
                            "$[?@.a == 1.]",
                            "$[?@.a == .5]",
                            "$['\\x']",
                            "$[\"\\'\"]",
                            "$['\\uD800']",
                            "$[?(@.a]",
                            "$[?@.a &&]",
                            "$[0,]",
                            "$.a b",
                            "$['\x01']"}) {
    CAPTURE(query);
    CHECK(refused(query));
  }
  CHECK_FALSE(refused("$[?@.a == -0]"));
  CHECK_FALSE(refused("$ .a\t[ 'b' , 0 ]"));
  CHECK(refused(std::string("$") + std::string(200, '[') + "0"));
}

TEST_CASE("jsonpath: singular queries, and a limit on what is found") {
  CHECK(JsonPath("$.a[0]['b']").singular());
  CHECK_FALSE(JsonPath("$.a[*]").singular());
  CHECK_FALSE(JsonPath("$..a").singular());
  CHECK_FALSE(JsonPath("$[0,1]").singular());
  auto deep = json::array();
  for (int i = 0; i < 400; ++i) deep.push_back(json::array({1, 2, 3}));
  CHECK_THROWS_AS(JsonPath("$[?count($..*) > 0]").find(deep), staithe::base::Error);
}

TEST_CASE("jsonpath: the dotted form") {
  const auto document = json::parse(R"({"items":[{"id":1},{"id":2}],"0":"zero","a-b":3})");
  const auto find = [&](const char* path) {
    auto list = json::array();
    for (const auto* node : JsonPath::dotted(path).find(document)) list.push_back(*node);
    return list.dump();
  };
  CHECK(find("items.*.id") == "[1,2]");
  CHECK(find("items.1.id") == "[2]");
  CHECK(find("0") == "[\"zero\"]");
  CHECK(find("a-b") == "[3]");
  CHECK(find("items.-1.id") == "[2]");
  CHECK_THROWS_AS(JsonPath::dotted("a..b"), staithe::base::Error);
}
