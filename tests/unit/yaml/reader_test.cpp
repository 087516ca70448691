#include "staithe/yaml/reader.hpp"

#include "catch.hpp"
#include "support.hpp"

using namespace staithe;
using namespace std::chrono_literals;
using yaml::Amount;
using yaml::Mapping;
using yaml::Need;
using Findings = std::vector<std::string>;

namespace {

Mapping mapping_of(Parsed& parsed) {
  REQUIRE(parsed.root);
  return Mapping(*parsed.root, parsed.diagnostics);
}

/// What is said about `value` when `read` reads it under the key k.
template <class Read>
std::string complaint(const std::string& value, Read read) {
  Parsed parsed("k: " + value + "\n");
  Mapping mapping = mapping_of(parsed);
  CHECK_FALSE(read(mapping));
  for (const auto& one : parsed.diagnostics.sorted()) {
    CHECK(at(one.position) == "1:4");
    CHECK(one.path == "k");
  }
  return parsed.finding() + (parsed.help().empty() ? "" : " (" + parsed.help() + ")");
}

}  // namespace

TEST_CASE("paths are written as a person would") {
  CHECK(yaml::path_of("", "steps") == "steps");
  CHECK(yaml::path_of("steps", 2) == "steps[2]");
  CHECK(yaml::path_of(yaml::path_of("steps", 2), "drain") == "steps[2].drain");
  CHECK(yaml::path_of("hosts", "web1.example") == "hosts[\"web1.example\"]");
  CHECK(yaml::path_of("hosts", "web[1-3]") == "hosts[\"web[1-3]\"]");
  CHECK(yaml::path_of("", "\xC3\xA9t\xC3\xA9") == "\xC3\xA9t\xC3\xA9");
}

TEST_CASE("a mapping reads values with their place and path") {
  Parsed parsed("user: deploy\nport: 22\nwait: 1m30s\nquiet: true\nmode: stop\nshare: 25%\ncount: 3\n");
  Mapping mapping(*parsed.root, parsed.diagnostics, "hosts.web1");
  const auto user = mapping.text("user", Need::required);
  REQUIRE(user);
  CHECK(user->value == "deploy");
  CHECK(at(user->position) == "1:7");
  CHECK(user->length == 6);
  CHECK(user->path == "hosts.web1.user");
  CHECK(mapping.integer("port", 1, 65535)->value == 22);
  CHECK(mapping.duration("wait")->value == 90s);
  CHECK(mapping.boolean("quiet")->value);
  CHECK(mapping.choice("mode", {"stop", "go"})->value == "stop");
  CHECK(mapping.choice_of<int>("mode", {{"go", 1}, {"stop", 2}})->value == 2);
  CHECK(mapping.percent_or_count("share")->value.unit == Amount::Unit::percent);
  CHECK(mapping.percent_or_count("share")->value.value == 25);
  CHECK(mapping.percent_or_count("count")->value.unit == Amount::Unit::count);
  CHECK_FALSE(mapping.text("absent"));
  mapping.finish();
  CHECK(parsed.findings().empty());
}

TEST_CASE("whole numbers are decimal and in range") {
  const auto port = [](Mapping& mapping) { return mapping.integer("k", 1, 65535); };
  CHECK(complaint("010", port) ==
        "1:4 '010' has leading zeros (some programs would read it as octal: write the number without them)");
  CHECK(complaint("0x10", port) == "1:4 '0x10' is not a whole number (write a number from 1 to 65535)");
  CHECK(complaint("70000", port) == "1:4 '70000' is out of range (write a number from 1 to 65535)");
  CHECK(complaint("99999999999999999999", port) ==
        "1:4 '99999999999999999999' is out of range (write a number from 1 to 65535)");
  CHECK(complaint("-1", port) == "1:4 '-1' is out of range (write a number from 1 to 65535)");
  CHECK(complaint("\"80\"", port) == "1:4 expected a whole number, found text (remove the quotes)");
  for (const char* wrong : {"1.5", "1e3", "+1", "1_000", "ten", "'x'", "1 2"})
    CHECK_THAT(complaint(wrong, port), ContainsSubstring("is not a whole number"));
  CHECK(complaint("[80]", port) == "1:4 expected a whole number, found a list");
  Parsed negative("k: -5\nz: 0\n");
  CHECK(mapping_of(negative).integer("k", -10, 10)->value == -5);
  CHECK(mapping_of(negative).integer("z", 0, 10)->value == 0);
}

TEST_CASE("booleans are true and false") {
  const auto flag = [](Mapping& mapping) { return mapping.boolean("k"); };
  CHECK(complaint("yes", flag) == "1:4 'yes' is neither true nor false (write true)");
  CHECK(complaint("off", flag) == "1:4 'off' is neither true nor false (write false)");
  CHECK(complaint("True", flag) == "1:4 'True' is neither true nor false (write true)");
  CHECK(complaint("'true'", flag) == "1:4 expected true or false, found text (remove the quotes)");
  CHECK(complaint("maybe", flag) == "1:4 'maybe' is neither true nor false (write true or false)");
}

TEST_CASE("durations need a unit") {
  const auto span = [](Mapping& mapping) { return mapping.duration("k"); };
  CHECK(complaint("30", span) ==
        "1:4 the duration '30' has no unit (write '30s' for seconds or '30m' for minutes)");
  CHECK_THAT(complaint("soon", span), ContainsSubstring("'soon' is not a duration (write it like"));
  CHECK_THAT(complaint("-5s", span), ContainsSubstring("is not a duration"));
}

TEST_CASE("choices suggest") {
  const auto choice = [](Mapping& mapping) {
    return mapping.choice("k", {"stop", "revert_batch", "revert_all"});
  };
  CHECK(complaint("revert_batsh", choice) ==
        "1:4 'revert_batsh' is not one of stop, revert_batch, revert_all (did you mean 'revert_batch'?)");
  CHECK(complaint("x", choice) == "1:4 'x' is not one of stop, revert_batch, revert_all");
}

TEST_CASE("numbers or percentages") {
  const auto amount = [](Mapping& mapping) { return mapping.percent_or_count("k", Need::optional, 1); };
  for (const char* wrong : {"0", "101%", "-1%", "4294967296"})
    CHECK_THAT(complaint(wrong, amount), ContainsSubstring("is out of range"));
  for (const char* wrong : {"2.5%", "'%'", "x", "1 %", "010"})
    CHECK_THAT(complaint(wrong, amount), ContainsSubstring("is neither a number nor a percentage"));
  for (const char* right : {"1", "0%", "100%", "'25%'"}) {
    Parsed parsed(std::string("k: ") + right + "\n");
    CHECK(mapping_of(parsed).percent_or_count("k", Need::optional, 1));
  }
}

TEST_CASE("text is any scalar and nothing else") {
  const auto text = [](Mapping& mapping) { return mapping.text("k"); };
  CHECK(complaint("[a]", text) == "1:4 expected text, found a list");
  CHECK(complaint("{a: b}", text) ==
        "1:4 expected text, found a mapping (a text that starts with '{' needs quotes)");
  Parsed nothing("k:\n");
  CHECK_FALSE(mapping_of(nothing).text("k"));
  CHECK(nothing.finding() == "1:1 expected text, found nothing");
  Parsed empty("k: \"\"\n");
  CHECK(mapping_of(empty).text("k")->value.empty());
}

TEST_CASE("unknown keys are reported with what was meant, and never a key that stands there") {
  Parsed parsed("drian: 1\ntimeuot: 2\ntimeout: 3\nbanana: 4\n");
  Mapping mapping(*parsed.root, parsed.diagnostics, "each[0]");
  mapping.text("drain");
  mapping.text("timeout");
  mapping.finish();
  const auto found = parsed.diagnostics.sorted();
  REQUIRE(found.size() == 3);
  CHECK(parsed.findings() ==
        Findings{"1:1 unknown key 'drian'", "2:1 unknown key 'timeuot'", "4:1 unknown key 'banana'"});
  CHECK(found[0].help == "did you mean 'drain'?");
  CHECK(found[0].length == 5);
  CHECK(found[0].path == "each[0]");
  CHECK(found[1].help == "'timeout' stands here already; is this a part of it?");
  CHECK(found[2].help == "known keys: drain, timeout");
}

TEST_CASE("a missing required key is reported at its mapping") {
  Parsed parsed("a:\n  b: 1\n");
  Mapping outer = mapping_of(parsed);
  auto inner = outer.mapping("a", Need::required);
  REQUIRE(inner);
  CHECK_FALSE(inner->text("user", Need::required));
  CHECK(parsed.finding() == "2:3 missing key 'user'");
  CHECK(parsed.path() == "a");
}

TEST_CASE("a value that is no mapping is reported once, and nothing follows from it") {
  Parsed parsed("a: text\n");
  Mapping inner(parsed.root->entries[0].value, parsed.diagnostics, "a");
  CHECK_FALSE(inner.valid());
  CHECK_FALSE(inner.text("user", Need::required));
  CHECK_FALSE(inner.one_of({"x", "y"}));
  CHECK_FALSE(inner.has("user"));
  inner.finish();
  CHECK(parsed.finding() == "1:4 expected a mapping, found text");
}

TEST_CASE("what the parser refused is not reported again") {
  Parsed parsed("k: *x\nl: &x [a]\n");
  CHECK(parsed.findings().size() == 1);
  Parsed known("l: &x a\nk: *x\n");
  Mapping mapping = mapping_of(known);
  CHECK_FALSE(mapping.text("k", Need::required));
  CHECK(mapping.list("k").empty());
  CHECK(mapping.map("k").empty());
  CHECK_FALSE(mapping.mapping("k"));
  CHECK(mapping.text("l")->value == "a");
  mapping.finish();
  CHECK(known.findings().size() == 2);
}

TEST_CASE("lists, free mappings and nothing at all") {
  Parsed parsed(
      "steps:\n  - a\n  - {b: c}\nvars: {x: 1, web1.example: 2}\nnone:\ngroups: [app, [db]]\nwrong: text\n");
  Mapping mapping = mapping_of(parsed);
  const auto steps = mapping.list("steps", Need::required);
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].text() == "a");
  CHECK(steps[1].path() == "steps[1]");
  const auto members = steps[1].map();
  REQUIRE(members);
  CHECK(members->front().key.value == "b");
  CHECK(members->front().value.path() == "steps[1].b");
  const auto vars = mapping.map("vars");
  REQUIRE(vars.size() == 2);
  CHECK(vars[1].key.value == "web1.example");
  CHECK(at(vars[1].key.position) == "4:14");
  CHECK(vars[1].value.path() == "vars[\"web1.example\"]");
  CHECK(mapping.list("none").empty());
  CHECK(mapping.map("none").empty());
  CHECK(mapping.mapping("none"));
  CHECK(parsed.findings().empty());
  CHECK(mapping.texts("groups").empty());
  CHECK(mapping.list("wrong").empty());
  CHECK(mapping.map("wrong").empty());
  CHECK(parsed.findings() == Findings{"6:15 expected text, found a list", "7:8 expected a list, found text",
                                      "7:8 expected a mapping, found text"});
}

TEST_CASE("exactly one of several keys") {
  Parsed one("http: x\nfor: 30s\n");
  CHECK(mapping_of(one).one_of({"http", "tcp", "command"}) == "http");
  CHECK(one.findings().empty());
  Parsed none("for: 30s\n");
  CHECK_FALSE(mapping_of(none).one_of({"http", "tcp"}));
  CHECK(none.finding() == "1:1 missing key: one of http, tcp is needed");
  Parsed two("http: x\ntcp: y\n");
  CHECK_FALSE(mapping_of(two).one_of({"http", "tcp"}));
  CHECK(two.finding() == "2:1 'tcp' cannot stand beside 'http'");
}

TEST_CASE("a caller's own findings stand at the value or the key") {
  Parsed parsed("a: {b: c}\n");
  Mapping mapping = mapping_of(parsed);
  mapping.value("a")->warning("hm", "do this");
  mapping.error_at("a", "at the key");
  mapping.error_at("zz", "at the mapping");
  CHECK(parsed.findings() == Findings{"1:1 at the key", "1:1 at the mapping", "1:4 hm"});
  CHECK(parsed.diagnostics.count(diag::Severity::warning) == 1);
}

TEST_CASE("a very long word does not flood the message") {
  Parsed parsed(std::string(1000, 'x') + ": 1\n");
  mapping_of(parsed).finish();
  CHECK(parsed.finding() == "1:1 unknown key '" + std::string(40, 'x') + "...'");
}
