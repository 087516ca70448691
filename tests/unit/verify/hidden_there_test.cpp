#include "flow.hpp"

#include "staithe/checks/own_words.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>

using namespace flow;

namespace {

/// What the report of two steps says of one that answers so; the second shows where nothing has a name what
/// it echoes.
std::string reported_of(const std::string& body, const std::string& expect, const std::string& more = "") {
  Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
  const Ran ran({head("steps:\n  - {name: ask, get: /, on_fail: continue, expect: {" + expect +
                      "}}\n  - {name: again, get: /, expect: {json.echo: nothing}}\n" + more)},
                fake);
  std::string text;
  for (const char* name : {"ask", "again"})
    for (const auto& one : ran.of(name).judged) text += one.subject + " " + one.wanted + " " + one.got + "\n";
  return text;
}

}  // namespace

TEST_CASE("hidden: a short number is hidden with the name of a secret, and not wherever else it stands") {
  for (const char* inner :
       {"pass=1200", "pass: 1200", R"("pass":"1200")", "<pass>1200</pass>",
        "<input name='pass' value='1200'>", R"([{"name":"pass","value":"1200"}])", "db://u:1200@h"}) {
    CAPTURE(inner);
    const auto body = nlohmann::json({{"log", inner}, {"echo", "is 1200 or so"}}).dump();
    const auto text = reported_of(body, "json.log: nothing");
    CHECK_THAT(text, ContainsSubstring("***"));
    CHECK_THAT(text, ContainsSubstring("is 1200 or so"));
    CHECK(text.find("1200") == text.find("1200 or so"));
  }
  const std::string body = R"({"otp":"1200","tokens":["1200","7"],"echo":"is 1200 or so"})";
  for (const char* subject : {"json.otp", "json.tokens.*", "json.tokens.0"}) {
    CAPTURE(subject);
    CHECK_THAT(
        reported_of(body, std::string(subject) + ": nothing"),
        ContainsSubstring(std::string(subject) + " nothing ***\n") && ContainsSubstring("is 1200 or so"));
  }
  CHECK_THAT(reported_of(body, "json.otp: \"1201\""), ContainsSubstring("\"1201\" ***\n"));
  // A one-time password is one wherever it stands.
  CHECK(reported_of(R"({"log":"otp=123456","echo":"is 123456"})", "json.log: nothing").find("123456") ==
        std::string::npos);
}

TEST_CASE("hidden: what the suite itself says in clear is no secret that a reply lets out") {
  const std::string page = R"({"html":"<td id=\"token\">Products</td>","echo":"the Products page"})";
  CHECK(reported_of(page, "json.html: nothing").find("Products") == std::string::npos);
  for (const char* more : {"  - {name: Products are there, get: /p, expect: 200}\n",
                           "  - {name: other, get: /p, expect: {body: contains Products}}\n",
                           "  - {name: other, get: /p, expect: {json.echo: [x, the Products page]}}\n"}) {
    CAPTURE(more);
    CHECK_THAT(reported_of(page, "json.html: nothing", more), ContainsSubstring("the Products page"));
  }
  // A part of another word is not that word, and what is sent is no name.
  for (const char* more : {"  - {name: AllProducts2, get: /p, expect: 200}\n",
                           "  - {name: other, post: /p, json: {password: Products}, expect: 200}\n"}) {
    CAPTURE(more);
    CHECK(reported_of(page, "json.html: nothing", more).find("Products page") == std::string::npos);
  }
}

TEST_CASE(
    "hidden: what only a reply has let out is looked for until its step is reported, and a little longer",
    "[one-thread][volume]") {
  int step = 0;
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    if (title.find("/first") != std::string::npos)
      return {200, R"({"user":{"password":"opensesame"},"saved":"sesame-saved"})"};
    if (title.find("/last") != std::string::npos)
      return {200, R"({"echo":"opensesame, sesame-saved, fresh-token-099-189"})"};
    std::string body = "{\"list\":[";
    for (int i = 0; i < 190; ++i)
      body += fmt::format("{}{{\"token\":\"fresh-token-{:03}-{}\"}}", i > 0 ? "," : "", step, i);
    ++step;
    return {200, body + "]}"};
  });
  std::string steps =
      "steps:\n  - {name: first, get: /first, expect: {json.user: exists}, save: {token: json.saved}}\n";
  for (int i = 0; i < 100; ++i)
    steps += fmt::format("  - {{name: s{}, get: /, expect: {{json.list: exists}}}}\n", i);
  const std::clock_t before = std::clock();
  const Ran ran({head(steps + "  - {name: last, get: /last, expect: {json.echo: nothing}}\n")}, fake);
  const auto seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  CHECK_THAT(ran.of("s99").judged.front().got, ContainsSubstring(R"([{"token":"***"},{"token":"***"})"));
  CHECK(ran.of("last").judged.front().got == "\"opensesame, ***, ***\"");
  WARN("100 steps with 190 fresh tokens each: " << seconds << " s");
  CHECK(seconds < 8);
}

TEST_CASE("hidden: the suite's own words are found wherever they begin and end") {
  checks::Suite suite;
  suite.name = "pay-eu";
  checks::Check check;
  check.name = "the \"key\": a-b c, p\xC3\xA4ss";
  suite.steps = {check};
  const checks::OwnWords own(suite);
  for (const char* there : {"pay-eu", "pay", "eu", "key", "\"key\"", "a-b", "b c,", "p\xC3\xA4ss"}) {
    CAPTURE(there);
    CHECK(own.have(there));
  }
  for (const char* not_there :
       {"-eu", "-b c", "pa", "ay-eu", "pay-e", "ke", "a-c", "b-c", "p\xC3\xA4", "ss", "", "%%", "pay-us"}) {
    CAPTURE(not_there);
    CHECK_FALSE(own.have(not_there));
  }
}
