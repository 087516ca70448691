#include "catch.hpp"
#include "support.hpp"

using staithe::yaml::Kind;

TEST_CASE("the tree keeps order, places and quoting") {
  const Parsed good(
      "# head\nb: plain text  # note\na: \"quoted\"\n"
      "list:\n  - x\n  - [y, 'z z']\nmap: {k: v}\nblock: |\n  one\n  two\nempty:\n");
  REQUIRE(good.findings().empty());
  const auto& entries = good.root->entries;
  REQUIRE(entries.size() == 6);
  CHECK(entries[0].key == "b");
  CHECK(at(entries[0].position) == "2:1");
  CHECK(entries[0].value.text == "plain text");
  CHECK_FALSE(entries[0].value.quoted);
  CHECK(at(entries[0].value.position) == "2:4");
  CHECK(entries[0].value.length == 10);
  CHECK(entries[0].value.position.file == "f.yml");
  CHECK(entries[1].value.quoted);
  CHECK(entries[1].value.length == 8);
  const auto& list = entries[2].value;
  REQUIRE(list.kind == Kind::list);
  REQUIRE(list.items.size() == 2);
  CHECK(at(list.items[0].position) == "5:5");
  CHECK(list.items[1].items[1].text == "z z");
  CHECK(list.items[1].items[1].quoted);
  CHECK(at(list.items[1].items[1].position) == "6:9");
  CHECK(entries[3].value.find("k")->text == "v");
  CHECK(entries[3].value.find("nope") == nullptr);
  CHECK(entries[4].value.text == "one\ntwo\n");
  CHECK(entries[4].value.quoted);
  CHECK(entries[5].value.kind == Kind::null);
}

TEST_CASE("scalars are kept as written: no octal, no yes, no rounding") {
  const Parsed parsed("mode: 010\nhex: 0x10\nflag: yes\nversion: 1.10\non: off\n");
  REQUIRE(parsed.findings().empty());
  CHECK(parsed.root->find("mode")->text == "010");
  CHECK(parsed.root->find("hex")->text == "0x10");
  CHECK(parsed.root->find("flag")->text == "yes");
  CHECK(parsed.root->find("version")->text == "1.10");
  CHECK(parsed.root->find("on")->text == "off");
}

TEST_CASE("columns count code points, lines end either way, a byte order mark is no text") {
  const Parsed parsed(
      "\xEF\xBB\xBF\xC3\xA9: {\xE2\x82\xAC\xE2\x82\xAC: x, b: \"\xC3\xA9\xC3\xA9\", c: y}\r\nd: z\r\n");
  REQUIRE(parsed.findings().empty());
  const auto& inner = parsed.root->entries[0].value.entries;
  CHECK(at(inner[0].position) == "1:5");
  CHECK(inner[0].length == 2);
  CHECK(at(inner[1].value.position) == "1:15");
  CHECK(inner[1].value.length == 4);
  CHECK(at(inner[2].position) == "1:21");
  CHECK(at(parsed.root->entries[1].position) == "2:1");
  CHECK(parsed.root->entries[1].value.text == "z");
}

TEST_CASE("a null value stands at its key or its dash, not at the next token") {
  const Parsed parsed("a:\n\n\nb: ~\nc:\n  - \n  # note\n  -\n  - x\nd: [x, , y]\n");
  REQUIRE(parsed.findings().empty());
  CHECK(at(parsed.root->find("a")->position) == "1:1");
  CHECK(at(parsed.root->find("b")->position) == "4:1");
  const auto& items = parsed.root->find("c")->items;
  REQUIRE(items.size() == 3);
  CHECK(at(items[0].position) == "6:3");
  CHECK(at(items[1].position) == "8:3");
  CHECK(parsed.root->find("d")->items[1].kind == Kind::null);
}

TEST_CASE("an empty file is nothing, at its beginning") {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n"}) {
    const Parsed parsed(text);
    CHECK(parsed.findings().empty());
    REQUIRE(parsed.root);
    CHECK(parsed.root->kind == Kind::null);
    CHECK(at(parsed.root->position) == "1:1");
  }
}

TEST_CASE("block scalars get no line feed that is not there") {
  const Parsed kept("a: |+\n  x\n\n");
  CHECK(kept.root->find("a")->text == "x\n\n");
  const Parsed stripped("a: |-\n  x");
  CHECK(stripped.root->find("a")->text == "x");
}

TEST_CASE("an unclosed quote is an error where it opens") {
  CHECK(Parsed("k: \"unterminated\nj: 2\n").finding() == "1:4 this \" is not closed");
  CHECK(Parsed("k: 'unterminated\nj: 2").finding() == "1:4 this ' is not closed");
  CHECK(Parsed("\"k: 1\nj: 2\n").finding() == "1:1 this \" is not closed");
  CHECK(Parsed("- a # it's \"fine\"\n# 'and this\n- [b, \"c]\n").finding() == "3:7 this \" is not closed");
  CHECK(Parsed("a: 'it''s'\nb: \"\\\"\n").finding() == "2:4 this \" is not closed");
  CHECK(Parsed("a: \"x\n---\nb: \"y\"\n").finding() == "1:4 this \" is not closed");
}

TEST_CASE("a quote that closes too late is told by the line where it began") {
  const Parsed parsed("a: \"abc\nj: \"def\"\n");
  CHECK(parsed.finding() == "2:5 text after a closing quote");
  CHECK(parsed.help() == "the quoted text began on line 1: is its closing quote missing there?");
  CHECK(Parsed("a: \"x\" y\n").finding() == "1:8 text after a closing quote");
}

TEST_CASE("duplicate keys are reported and the first is kept") {
  const Parsed parsed("a: 1\nb: {x: 1, y: 2, x: 3}\na: 2\n\"a\": 3\n");
  CHECK(parsed.findings() ==
        std::vector<std::string>{"2:17 duplicate key 'x'", "3:1 duplicate key 'a'", "4:1 duplicate key 'a'"});
  CHECK(parsed.path() == "b");
  CHECK(parsed.help() == "it stands on line 2 already: keep one of them");
  CHECK(parsed.root->find("a")->text == "1");
  CHECK(parsed.root->entries.size() == 2);
  // Of many keys another way of finding them is used.
  std::string text;
  for (int i = 1; i <= 40; ++i) text += "key" + std::to_string(i) + ": v\n";
  const Parsed many(text + "key17: w\nkey41: v\nkey41: w\nkey3: w\n");
  CHECK(many.findings() == std::vector<std::string>{"41:1 duplicate key 'key17'",
                                                    "43:1 duplicate key 'key41'",
                                                    "44:1 duplicate key 'key3'"});
  CHECK(many.help() == "it stands on line 17 already: keep one of them");
  CHECK(many.root->entries.size() == 41);
}

TEST_CASE("one file, one document") {
  CHECK(Parsed("a: 1\n---\nb: 2\n").finding() == "2:1 a second document");
  CHECK(Parsed("--- a\n--- b\n").finding() == "2:1 a second document");
  CHECK(Parsed("a: 1\n...\nb: 2\n").finding() == "3:1 this does not belong to what stands before it");
  CHECK(Parsed("- a\nb: c\n").finding() == "2:1 this does not belong to what stands before it");
  CHECK(Parsed("\"x\"\n\"y\"\n").finding() == "2:1 this does not belong to what stands before it");
  CHECK(Parsed("---\na: 1\n...\n").finding().empty());
  // The second document that is only a directive begins behind the end of the text.
  CHECK(Parsed("a: 1\n%3").finding() == "2:3 this does not belong to what stands before it");
  CHECK(Parsed("%YAML 1.2\n---\na: 1\n").finding() == "1:1 YAML directives are not supported");
}

TEST_CASE("anchors, aliases, merge keys and tags are refused, each once, and the rest is still read") {
  const Parsed parsed("a: &x 1\nb: *x\nc:\n  <<: *x\n  d: 1\n");
  CHECK(parsed.findings() == std::vector<std::string>{"1:4 anchors and aliases are not supported",
                                                      "2:4 anchors and aliases are not supported",
                                                      "4:3 merge keys are not supported"});
  CHECK(parsed.root->find("b")->refused);
  CHECK(parsed.root->find("c")->entries.size() == 1);
  CHECK(Parsed("a: *nope\n").finding() == "1:4 anchors and aliases are not supported");
  CHECK(Parsed("a: &x\n").finding() == "1:4 anchors and aliases are not supported");
  CHECK(Parsed("- &x [a]\n").finding() == "1:3 anchors and aliases are not supported");
  CHECK(Parsed("\"<<\": 1\n").findings().empty());
  for (const char* text : {"a: !!str 1\n", "a: ! x\n", "a: !t\n", "a: !t [b]\n", "a: !t {b: c}\n"}) {
    const Parsed tagged(text);
    CHECK(tagged.finding() == "1:4 tags are not supported");
    CHECK(tagged.root->find("a")->refused);
  }
}

TEST_CASE("keys are text") {
  CHECK(Parsed("[a]: b\n").finding() == "1:1 a key must be text, not a list");
  CHECK(Parsed("a: {{ x }}\n").finding() == "1:5 a key must be text, not a mapping");
  CHECK(Parsed("~: x\n").finding() == "1:1 a key must be text, not nothing");
  CHECK(Parsed("null: x\n").finding() == "1:1 a key must be text, not nothing");
  CHECK(Parsed(": x\n").finding() == "1:1 a key must be text, not nothing");
  CHECK(Parsed("\"null\": x\n1: y\ntrue: z\n").findings().empty());
}

TEST_CASE("tabs cannot indent, and that is said once") {
  CHECK(Parsed("a:\n\tb: 1\n").finding() == "2:1 a tab cannot indent");
  CHECK(Parsed("a:\n  \tb: 1\n").finding() == "2:3 a tab cannot indent");
  CHECK(Parsed("a:\n  - b\n  \t- c\n").finding() == "3:3 a tab cannot indent");
  CHECK(Parsed("\ta: 1\n").finding() == "1:1 a tab cannot indent");
  // Elsewhere a tab is text or a gap.
  const Parsed fine("a:\tb\nc: |\n  x\n  \ty\n");
  REQUIRE(fine.findings().empty());
  CHECK(fine.root->find("c")->text == "x\n\ty\n");
}

TEST_CASE("syntax errors say what to change, and where") {
  const std::pair<const char*, const char*> cases[] = {
      {"a: b: c\n", "1:5 a ':' cannot stand here"},
      {"a: 1\n  b: 2\n", "2:4 a ':' cannot stand here"},
      {"a:\n  b: 1\n c: 2\n", "3:2 this line does not fit the lines before it"},
      {"a: 1\n- b\n", "2:1 this line does not fit the lines before it"},
      {"a: [1, 2\nb: 3\n", "1:4 this '[' is not closed"},
      {"a: [1, 2\n", "1:4 this '[' is not closed"},
      {"x: {a: 1\n", "1:4 this '{' is not closed"},
      {"a: [x, {b: c]\n", "1:8 this '{' is not closed"},
      {"a: ]\n", "1:4 this ']' closes nothing"},
      {"a: \"\\q\"\n", "1:5 unknown escape \\q"},
      {"a: @x\n", "1:4 a text cannot start with '@'"},
      {"a: `x`\n", "1:4 a text cannot start with '`'"},
      {"a: %x\n", "1:4 a text cannot start with '%'"},
      {"a: - b\n", "1:4 a list item cannot stand here"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const Parsed parsed(text);
    CHECK(parsed.finding() == expected);
    CHECK_FALSE(parsed.help().empty());
    CHECK_FALSE(parsed.root);
  }
  CHECK(Parsed("a: {b: [c, {d: @}]}\n").path() == "a.b[1]");
}

TEST_CASE("bytes that are no text are refused at their place") {
  CHECK(Parsed("a: \xC3\xA9\xFF\n").finding() == "1:5 byte 0xFF is not UTF-8");
  CHECK(Parsed("a: 1\nb: \x01\n").finding() == "2:4 a control character, U+0001");
  CHECK(Parsed(std::string("a: \0b\n", 6)).finding() == "1:4 a control character, U+0000");
  CHECK(Parsed("a: \x7f\n").finding() == "1:4 a control character, U+007F");
  CHECK(Parsed("a: \xC2\x9B\n").finding() == "1:4 a control character, U+009B");
  CHECK(Parsed("a: 1\rb: 2\n").finding() == "1:5 a carriage return that ends no line");
  CHECK(Parsed("\xFF\xFE"
               "a")
            .finding() == "0:0 the file is UTF-16");
  CHECK(Parsed("a: \"\\x00\"\n").finding() == "1:4 a NUL character cannot stand in a text");
}

TEST_CASE("the limits hold") {
  using namespace staithe::yaml;
  CHECK(Parsed(std::string(max_file_bytes + 1, '#')).finding() == "0:0 the file is larger than 1024 KiB");
  CHECK(Parsed(std::string(max_file_bytes, '#')).findings().empty());
  CHECK(Parsed(std::string(50, '[') + std::string(50, ']')).findings().empty());
  CHECK_THAT(Parsed(std::string(51, '[') + std::string(51, ']')).finding(),
             ContainsSubstring("nested more than 50"));
  for (const char* nest : {"[", "{", "- ", "? ", "{a: ", "[a, "}) {
    std::string deep;
    for (int i = 0; i < 50'000; ++i) deep += nest;
    CHECK_THAT(Parsed(deep).finding(), ContainsSubstring("nested"));
  }
  std::string many = "[";
  for (size_t i = 0; i < max_nodes; ++i) many += "a,";
  CHECK_THAT(Parsed(many + "]").finding(), ContainsSubstring("more than 100000 values"));
}

TEST_CASE("time does not grow with the square of one long line") {
  std::string wide = "{";
  for (int i = 0; i < 45'000; ++i) wide += "k" + std::to_string(i) + ": \"v\", ";
  const Parsed parsed(wide + "}");
  CHECK(parsed.findings().empty());
  CHECK(parsed.root->entries.size() == 45'000);
  std::string same;
  for (int i = 0; i < 45'000; ++i) same += "k: v\n";
  CHECK(Parsed(same).diagnostics.count(staithe::diag::Severity::error) == 44'999);
}
