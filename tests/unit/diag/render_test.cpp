#include "staithe/diag/render.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace staithe::diag;

namespace {

std::string one(const Diagnostic& diagnostic, const std::string& source, const Style& style = {}) {
  SourceMap sources;
  sources.add("f.yml", source);
  return render(diagnostic, sources, style);
}

}  // namespace

TEST_CASE("a finding is printed in a compiler's shape") {
  const Diagnostic finding{Severity::error,       {"f.yml", 2, 5}, 5,
                           "unknown key 'drian'", "each[0]",       "did you mean 'drain'?"};
  CHECK(one(finding, "each:\n  - drian: {within: 60s}\n") == R"(f.yml:2:5: error: unknown key 'drian'
  2 |   - drian: {within: 60s}
    |     ^~~~~
    = at each[0]
    = help: did you mean 'drain'?
)");
}

TEST_CASE("a password in a URL stands in no finding") {
  Diagnostics found;
  found.sources().add("f.yml", "target: http://jo:hunter22@h, x\n");
  found.error({"f.yml", 1, 9}, "'http://jo:hunter22@h' is no URL", "target", "write http://jo:hunter22@h/");
  for (const auto& text : {render(found), to_json_lines(found)}) {
    CAPTURE(text);
    CHECK(text.find("hunter22") == text.npos);
    CHECK(text.find("http://jo:********@h") != text.npos);
  }
}

TEST_CASE("what is written under a secret's name stands in no excerpt and no path, and columns stay true") {
  Diagnostics found;
  found.sources().add(
      "f.yml", "h: {Authorization: \"Bearer hunter77\"}\n- {post: /, json: {password: hunter88, a: b}}\n");
  found.error({"f.yml", 1, 40}, "odd", "steps[0].http://jo:hunter99@h", "");
  found.error({"f.yml", 2, 46}, "odd", "", "");
  for (const auto& text : {render(found), to_json_lines(found)}) {
    CAPTURE(text);
    CHECK(text.find("hunter") == text.npos);
  }
  CHECK(render(found).find("h: {Authorization: \"Bearer ********\"}") != std::string::npos);
  CHECK(render(found).find("- {post: /, json: {password: ********, a: b}}") != std::string::npos);
}

TEST_CASE("tabs of the line are kept under it, and columns are code points") {
  const Diagnostic finding{Severity::warning, {"f.yml", 10, 6}, 2, "odd", "", ""};
  CHECK(one(finding, std::string(9, '\n') + "\t\xC3\xA9\t\xE2\x82\xACxyz\r\n") ==
        "f.yml:10:6: warning: odd\n  10 | \t\xC3\xA9\t\xE2\x82\xACxyz\n     | \t \t  ^~\n");
}

TEST_CASE("places without a line to show") {
  CHECK(one({Severity::error, {"f.yml", 0, 0}, 1, "too large", "", "split it"}, "x") ==
        "f.yml: error: too large\n   = help: split it\n");
  CHECK(one({Severity::error, {"other.yml", 3, 1}, 1, "bad", "", ""}, "x") == "other.yml:3:1: error: bad\n");
  CHECK(one({Severity::error, {"f.yml", 9, 1}, 1, "bad", "", ""}, "x\n") == "f.yml:9:1: error: bad\n");
  CHECK(one({Severity::error, {}, 1, "bad --var", "", ""}, "x") == "error: bad --var\n");
}

TEST_CASE("the caret stays on the line whatever position and length say") {
  CHECK(one({Severity::error, {"f.yml", 1, 3}, 99, "m", "", ""}, "abcd\n") ==
        "f.yml:1:3: error: m\n  1 | abcd\n    |   ^~\n");
  CHECK(one({Severity::error, {"f.yml", 1, 99}, 7, "m", "", ""}, "abcd\n") ==
        "f.yml:1:99: error: m\n  1 | abcd\n    |     ^\n");
  CHECK(one({Severity::error, {"f.yml", 1, 0}, 0, "m", "", ""}, "\n") ==
        "f.yml:1: error: m\n  1 | \n    | ^\n");
}

TEST_CASE("a very long line is shown around the caret") {
  const std::string line = std::string(500, 'a') + "X" + std::string(500, 'b');
  const std::string text = one({Severity::error, {"f.yml", 1, 501}, 1, "m", "", ""}, line);
  CHECK(text == "f.yml:1:501: error: m\n  1 | ..." + std::string(60, 'a') + "X" + std::string(59, 'b') +
                    "...\n    | " + std::string(63, ' ') + "^\n");
  // At its very end, too.
  const std::string end = one({Severity::error, {"f.yml", 1, 1002}, 1, "m", "", ""}, line);
  CHECK_THAT(end, ContainsSubstring("  1 | ..." + std::string(60, 'b') + "\n"));
}

TEST_CASE("nothing from a file can act on the terminal or break the shape") {
  const Diagnostic finding{Severity::error, {"f.yml", 1, 3}, 1, "key '\x1b[2J\nforged.yml:1:1: error: x'",
                           "a\nb",          "h\x07"};
  CHECK(one(finding,
            "a\x1b"
            "b\xFF\n") ==
        "f.yml:1:3: error: key ' forged.yml:1:1: error: x'\n  1 | a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD\n    |   ^\n"
        "    = at a b\n    = help: h\n");
}

TEST_CASE("colours are the caller's") {
  const Style style{"<l>", "<e>", "<w>", "<c>", "<n>", "</>"};
  CHECK(one({Severity::error, {"f.yml", 1, 1}, 2, "m", "p", ""}, "ab", style) ==
        "<l>f.yml:1:1: </><e>error:</> m\n  1 | ab\n    | <c>^~</>\n    <n>= at </>p\n");
}

TEST_CASE("all findings are sorted and counted") {
  Diagnostics all;
  CHECK(render(all).empty());
  all.error({"b.yml", 1, 1}, "b1");
  all.warning({"a.yml", 10, 1}, "a10");
  all.error({"a.yml", 9, 2}, "a9");
  all.error({"a.yml", 9, 2}, "a9 again");
  CHECK(render(all) ==
        "a.yml:9:2: error: a9\na.yml:9:2: error: a9 again\na.yml:10:1: warning: a10\nb.yml:1:1: error: b1\n"
        "3 errors, 1 warning; nothing was run.\n");
}

TEST_CASE("warnings alone stop nothing") {
  Diagnostics all;
  all.warning({"a.yml", 1, 1}, "hm");
  CHECK_FALSE(all.has_errors());
  CHECK(render(all) == "a.yml:1:1: warning: hm\n1 warning.\n");
  all.error({"a.yml", 2, 1}, "no");
  CHECK(all.has_errors());
  CHECK_THAT(render(all), ContainsSubstring("1 error, 1 warning; nothing was run.\n"));
}

TEST_CASE("at most twenty are printed, errors before warnings, and the rest is counted") {
  Diagnostics all;
  for (std::uint32_t line = 1; line <= 30; ++line) all.warning({"a.yml", line, 1}, "w");
  for (std::uint32_t line = 31; line <= 33; ++line) all.error({"a.yml", line, 1}, "e");
  const std::string text = render(all);
  CHECK_THAT(text, ContainsSubstring("a.yml:17:1: warning: w\na.yml:31:1: error: e\n"));
  CHECK_THAT(text, !ContainsSubstring("a.yml:18:1:"));
  CHECK_THAT(text, ContainsSubstring(
                       "a.yml:33:1: error: e\n... and 13 more\n3 errors, 30 warnings; nothing was run.\n"));
}

TEST_CASE("a repeated finding counts once, and a flood is bounded but counted") {
  Diagnostics all;
  all.error({"a.yml", 1, 1}, "same", "p");
  all.error({"a.yml", 1, 1}, "same", "p");
  CHECK(all.count(Severity::error) == 1);
  all.error({"a.yml", 1, 1}, "same", "q");
  CHECK(all.count(Severity::error) == 2);
  for (std::uint32_t line = 2; line < 5000; ++line) all.error({"a.yml", line, 1}, "e");
  CHECK(all.sorted().size() == 1000);
  CHECK(all.count(Severity::error) == 5000);
  CHECK_THAT(render(all), ContainsSubstring("... and 4980 more\n5000 errors; nothing was run.\n"));
}

TEST_CASE("sources are split into lines") {
  SourceMap sources;
  sources.add("f", "a\r\n\nb");
  CHECK(sources.line("f", 1) == "a");
  CHECK(sources.line("f", 2) == "");
  CHECK(sources.line("f", 3) == "b");
  CHECK_FALSE(sources.line("f", 4));
  CHECK_FALSE(sources.line("f", 0));
  CHECK_FALSE(sources.line("g", 1));
  sources.add("f", "new");
  CHECK(sources.line("f", 1) == "new");
}

TEST_CASE("findings as JSON Lines") {
  Diagnostics all;
  all.add({Severity::error, {"f.yml", 2, 3}, 5, "bad \"\xFF\"\n", "steps[2]", "help"});
  all.warning({"f.yml", 1, 1}, "first");
  const std::string lines = to_json_lines(all);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
  const size_t end = lines.find('\n');
  CHECK(lines.substr(0, end) ==
        R"({"type":"diagnostic","severity":"warning","file":"f.yml","line":1,"column":1,)"
        R"("length":1,"message":"first","path":"","help":""})");
  const auto second = nlohmann::json::parse(lines.substr(end + 1));
  CHECK(second["message"] == "bad \"\xEF\xBF\xBD\"\n");
  CHECK(second["severity"] == "error");
  CHECK(second["length"] == 5);
  CHECK(second["path"] == "steps[2]");
}

TEST_CASE("one mistake of a text for many hosts is told once, with the others behind it") {
  Diagnostics found;
  const auto of_host = [&](const std::string& host, const std::string& message, const std::string& common) {
    found.add({Severity::error, {"f.yml", 1, 1}, 1, message, "p", "", host, common});
  };
  of_host("web1", "'web1.in' is missing", "'<host>.in' is missing");
  of_host("web1", "'web1' is odd", "'<host>' is odd");
  for (const std::string host : {"web2", "web3", "web2"})
    of_host(host, "'" + host + ".in' is missing", "'<host>.in' is missing");
  of_host("web4", "'web4.in' is empty", "'<host>.in' is empty");
  CHECK(found.count(Severity::error) == 3);
  const auto text = render(found);
  CHECK_THAT(text, ContainsSubstring("error: 'web1.in' is missing (and so on web[2-3])\n"));
  CHECK_THAT(text, ContainsSubstring("error: 'web1' is odd\n"));
  CHECK_THAT(text, ContainsSubstring("error: 'web4.in' is empty\n"));
  // What is withdrawn takes no other's hosts along.
  found.withdraw({Severity::error, {"f.yml", 1, 1}, 1, "'web1' is odd", "p", ""});
  of_host("web5", "'web5.in' is empty", "'<host>.in' is empty");
  const auto rest = render(found);
  CHECK_THAT(rest, ContainsSubstring("'web1.in' is missing (and so on web[2-3])\n"));
  CHECK_THAT(rest, ContainsSubstring("'web4.in' is empty (and so on web5)\n"));
  CHECK_THAT(rest, ContainsSubstring("2 errors"));
}
