#include "catch.hpp"
#include "support.hpp"

#include <random>

using namespace staithe;

namespace {

void write(const yaml::Node& node, std::string& out) {
  out += std::to_string(static_cast<int>(node.kind)) + "@" + at(node.position) + "+" +
         std::to_string(node.length) + (node.quoted ? "q" : "") + (node.refused ? "r" : "") + "'" +
         node.text + "'";
  for (const auto& item : node.items) {
    out += "\n- ";
    write(item, out);
  }
  for (const auto& entry : node.entries) {
    out += "\n" + entry.key + "@" + at(entry.position) + "+" + std::to_string(entry.length) + ": ";
    write(entry.value, out);
  }
}

/// A text that speaks of the mark's escape is read as it is, without abbreviations.
std::string unabridged(const std::string& text) {
  return text + (text.ends_with('\n') ? "" : "\n") + "# \\x01\n";
}

std::string abridged(const std::string& text) {
  return text + (text.ends_with('\n') ? "" : "\n") + "# x01x\n";
}

/// The tree with every place. Of several mistakes that are no YAML at all, either may be told.
std::string tree_of(const std::string& text) {
  const Parsed parsed(text);
  if (!parsed.root) return "none";
  std::string out = parsed.diagnostics.has_errors() ? "wrong " : "";
  write(*parsed.root, out);
  return out;
}

/// The same with what is said about it.
std::string all_of(const std::string& text) {
  const Parsed parsed(text);
  std::string out = tree_of(text);
  for (const auto& one : parsed.diagnostics.sorted())
    out += "\n" + at(one.position) + "+" + std::to_string(one.length) + " " + one.path + " " + one.message +
           " (" + one.help + ")";
  return out;
}

}  // namespace

TEST_CASE("long words are read as they are written, wherever they stand") {
  const std::vector<std::string> texts{
      "long_key_name: https://api.example.com:8443/charges/17?of=everything#part\n",
      "- {key.with.dots: value.with.dots, other-key: [first-item, second:item, third]}\n",
      "folded: first words of a text\n  which goes on in another line  # comment_of_length\nnext_key: "
      "value\n",
      "literal: |\n  first_line of the block\n    indented_line: key\nfolded: >-\n  several words\n  in "
      "some_lines\n",
      "single: 'quoted_text it''s long_enough'\ndouble: \"escaped\\ttext\\u00e9abcdef and\\\\backslash\"\n",
      "\"quoted_key\": value1\n'another_key':value2\nflow: {\"json_key\":json_value}\n",
      "null_word: nullable\nreal: null\ntruth: true\nempty_value:\nlast_value: ~\n",
      "? complex_key_here\n: its_value\n",
      "tagged: !some_tag_name value_of_it\n",
      "a: !!binary-data x\n",
      "anchor: &anchor_name value\nalias: *anchor_name\n",
      "twice_a_key: 1111111\ntwice_a_key: 2222222\n",
      "unclosed: [first_item, second_item\nnext_key: value\n",
      "unclosed: \"text_without end\nnext_key: value\n",
      "wrong_indent: value\n  deeper_key: value\n",
      "text: value: another_value\n",
      "\"a_quoted_text\" behind_it\n",
      "first_document\n---\nsecond_document\n",
      "long_word\n...\nlonger_word\n",
      "\ttabs_indent: value\n",
      "h\xC3\xA9llo_world: \xE2\x82\xAC\xE2\x82\xACuro_sign  # caf\xC3\xA9_noir\nnext_one: "
      "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\n",
      "bad: \"\\qunknown_escape\"\n",
      "bad: @cannot_start\n",
      "bad: %cannot_start_either\n",
      "a: word_word]\n",
      "block: |2keep_this word\n    text_in it\n",
      "block: >-  # a_comment here\n  text_in it\n",
      "nulls: [null, Null, NULL, nul, nulls, null null, null: 1]\n",
      "spaced words in a key: spaced words, too\n",
      "two: words - and a dash : and a colon\n",
      "time: 12:34:56\nratio: a::b:c\nend: here:\n",
      "a: 1\n%YAML 1.2\n---\nb: 2\n",
      "a: 1\n...\n%YAML one_point_two\n---\nb: 2\n",
      "text: \"x\\u00 long_word_here\"\n",
      "text: \"x\\U0001 f long_word_here\"\n",
      "without_an_end: last_word",
      "without: |\n  an_end of the_block"};
  for (const auto& text : texts) {
    INFO(text);
    CHECK(all_of(abridged(text)) == all_of(unabridged(text)));
    CHECK(all_of("# x01x\n" + text) == all_of("# \\x01\n" + text));
    CHECK(all_of(text).find('\x01') == std::string::npos);
  }
  CHECK(Parsed(std::string(2000, 'k') + ": value\n").root->entries.front().key.size() == 2000);
  // With its words whole, yaml-cpp 0.7 takes the question mark for the end of the text.
  const Parsed address("{get: /?q=1, then: /orders?a=1&b=2, is_it?: yes}\n");
  REQUIRE(address.finding().empty());
  CHECK(address.root->find("get")->text == "/?q=1");
  CHECK(address.root->find("then")->text == "/orders?a=1&b=2");
  CHECK(address.root->find("is_it?")->text == "yes");
  CHECK(Parsed("[?word]\n").finding() == "1:2 a text cannot start with '?'");
  for (const char* text : {"a: {get: /$(x)?a=1, b: c}\n", "a: { get: /$(x)?a=1 }\n", "a: [b, /$(x)?a=1]\n"}) {
    const Parsed cut(text);
    CHECK(cut.finding().ends_with(" in braces and brackets a text with a '?' inside needs quotes"));
    CHECK(cut.help() == "write \"/$(x)?a=1\"");
  }
  CHECK(Parsed("a: \"one\\x01two_three_four\"\n").root->find("a")->text == "one\x01two_three_four");
}

TEST_CASE("whatever a text is made of, abbreviations change nothing") {
  // clang-format off
  const std::vector<std::string> parts{
      "word", "longer_word", "a.b-c/d:e", ":", ": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ",
      "'", "\"", "\\", "#", " # c0", "!", "&", "*", "%", "|", ">\n", "\n? ", "null", "---", "...", "\xC3\xA9",
      "\t", " ", "~", "''", "|2ab", "word word", "a", "12345", "://abcdef", "\n%YAML 1.2\n", "\n%TAG ! x\n",
      "\\u00 ", "\\U0"};
  // clang-format on
  std::mt19937 random(4711);
  std::size_t trees = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t count = random() % 22; count > 0; --count) text += parts[random() % parts.size()];
    INFO(text);
    REQUIRE(tree_of(abridged(text)) == tree_of(unabridged(text)));
    REQUIRE(tree_of("# x01x\n" + text) == tree_of("# \\x01\n" + text));
    trees += Parsed(text).root.has_value() ? 1 : 0;
  }
  CHECK(trees > 1000);
}
