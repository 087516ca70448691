#include "catch.hpp"
#include "loaded.hpp"

using namespace staithe::checks;
using namespace staithe::checks::test;

namespace {

/// What is said of a GET that takes a sample of 20 and expects that: "" where it is accepted.
std::string of_sample(const std::string& expect, const std::string& sample = "20") {
  const Loaded loaded(
      with_step("get: /\n    sample: " + sample + "\n    expect: {status: 200, " + expect + "}"));
  const auto said = loaded.first();
  return said.empty() ? said : said.substr(said.find(' ') + 1);
}

std::string of_step(const std::string& expect) {
  const Loaded loaded(with_step("get: /\n    expect: {" + expect + "}"));
  const auto said = loaded.first();
  return said.empty() ? said : said.substr(said.find(' ') + 1);
}

}  // namespace

TEST_CASE("slips: 'of 20' is said of the sample that is taken, and of nothing else") {
  CHECK(of_sample("success: at least 19 of 20").empty());
  CHECK(of_sample("success: at least 19").empty());
  CHECK(of_sample("success: not under 19 of 20").empty());
  CHECK(of_sample("success: at least 19 of 20", "40") ==
        "'at least 19 of 20' is said of 20, and the sample is 40 | write 'of 40', or 'sample: 20'");
  CHECK(of_sample("success: not under 19 of 20", "10").starts_with("'not under 19 of 20' is said of 20"));
  CHECK(of_sample("success: at least 21 of 20") ==
        "'at least 21 of 20' can never hold of a sample of 20 | write 'at least 19 of 20'");
  CHECK(of_sample("success: over 20").starts_with("'over 20' can never hold"));
  CHECK(of_sample("success: 4 of 8") ==
        "'4 of 8' can never be the success, which is a number | write "
        "'at least 19 of 20', or a number");
  CHECK(of_sample("success: all").starts_with("'all' can never be the success"));
  CHECK(of_sample("json.n: at least 3 of 20") ==
        "'of 20' counts the answers of a sample, and json.n is none of that | leave it out; or quote it when "
        "the text is meant");
  CHECK(of_step("json.n: count at most 3 of 4").starts_with("'of 4' counts"));
  CHECK(of_step("json.n: [1, over 3 of 4]").starts_with("'of 4' counts"));
  CHECK(of_step("body: over 3 of 4").starts_with("'of 4' counts"));
  CHECK(of_step("status: 200, success: at least 19 of 20") ==
        "success is of a sample, and this step takes none | say 'sample: 20' as well");
  CHECK(of_step("status: 200, p95: at most 2s").starts_with("p95 is of a sample"));
}

TEST_CASE("slips: what can never hold is a mistake of the file, and none of the system") {
  CHECK(of_step("time: 3s") == "time is never 3s exactly | write 'at most 3s'");
  CHECK(of_step("time: [1s, 2s]").starts_with("time is never 1s exactly"));
  CHECK(of_sample("p95: 2s").starts_with("p95 is never 2s exactly"));
  CHECK(of_step("json.k: exists 3").starts_with("'exists 3' is no phrase that is known"));
  CHECK(of_step("json.k: absent here").starts_with("'absent here' is no phrase"));
  CHECK(of_step("json.b: empty list").starts_with("'empty list' is no phrase"));
  CHECK(of_step("json.b: \"empty list\"").empty());
  CHECK(of_step("json.price: 1200 +- 1%") ==
        "'1200 +- 1%' is no phrase that is known, so it is this very text | write '2.90 within 0.01' or "
        "'2.90 within 1%'; or quote it when the text is meant");
  CHECK(of_step("json.price: 1200 ± 5").starts_with("'1200 ± 5' is no phrase"));
  CHECK(
      of_step("json.n: 1 to 2000 or 5") ==
      "'1 to 2000 or 5' is no phrase that is known, so it is this very text | write a list, [1 to 5, 7]; or "
      "quote it when the text is meant");
  CHECK(of_step("json.n: [1 to 2000, 5]").empty());
  CHECK(of_step("json.s: regex ^Z").starts_with("'regex ^Z' is no phrase"));
  CHECK(of_step("json.s: to be or not to be").empty());
}

TEST_CASE("slips: one of several that are not wanted is no word against any of them") {
  CHECK(of_step("json.k: [not a, not b]") ==
        "'one of not a, not b' always holds: one of them is enough | write 'not matches ^(a|b)$' for neither "
        "of two");
  CHECK(of_step("status: [not 500, not 502]").starts_with("'one of not 500, not 502' always holds"));
  CHECK(of_step("json.k: [not a, over 5]").empty());
  CHECK(of_step("json.k: [a, b]").empty());
}

TEST_CASE("slips: a word of a phrase may begin a text, and does in what a table holds") {
  for (const char* text : {"Empty basket", "Exists already", "Regex is wrong", "Absent without leave"})
    CHECK(of_step(std::string("json.error: ") + text).empty());
  const Loaded table(
      "suite: s\ntarget: http://h\ncases: texts.csv\nsteps:\n  - {name: $(case.name), get: /, expect: "
      "{json.error: $(case.error)}}\n");
  INFO(table.first());
  REQUIRE(table.suite);
  CHECK(table.suite->steps.size() == 4);
  CHECK(of_step("json.n: 2 or 3").starts_with("'2 or 3' is no phrase"));
}

TEST_CASE("slips: what is tolerated is said of the same sample") {
  const auto tolerating = [](const std::string& tolerated) {
    const Loaded loaded("neighbours: {geo: {about: x}}\n" +
                        with_step("get: /\n    sample: 40\n    expect: {status: 200}\n    tolerate: {geo: " +
                                  tolerated + "}"));
    return loaded.first();
  };
  CHECK(tolerating("{evidence: [probe], expect: {success: at least 10 of 40}}").empty());
  CHECK(tolerating("{evidence: [probe], expect: {success: at least 10 of 20}}") ==
        "8 'at least 10 of 20' is said of 20, and the sample is 40 | write 'of 40', or 'sample: 20'");
  CHECK(tolerating("{evidence: [success: under 10 of 20], expect: {status: 503}}")
            .starts_with("8 'under 10 of 20'"));
}

TEST_CASE("slips: a header that cannot be sent, and a day that does not exist") {
  CHECK(Loaded(with_step("get: /\n    headers: {X-A: \"a\\nb\"}\n    expect: 200")).first() ==
        "5 the header 'X-A' holds a control character | a header is one line of text");
  const auto until = [](const std::string& day) {
    return Loaded(with_step("get: /\n    expect: 200\n    quarantine: {owner: o, reason: r, until: " + day +
                            "}"))
        .first();
  };
  CHECK(until("2026-02-28").empty());
  CHECK(until("2028-02-29").empty());
  CHECK(until("2026-02-30") == "6 this is no date | write 2026-12-31");
  CHECK(until("2026-02-29") == "6 this is no date | write 2026-12-31");
  CHECK(parse_date("2016-12-31T23:59:60Z"));
}
