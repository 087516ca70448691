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
