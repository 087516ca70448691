#include "parse.hpp"

#include "catch.hpp"

#include <vector>

using staithe::cli::parse;

namespace {

staithe::cli::ParseResult parse_words(std::vector<const char*> words) {
  words.insert(words.begin(), "staithe");
  return parse(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("a positional may stand anywhere among the options") {
  const std::vector<std::vector<const char*>> orders{
      {"deploy", "-f", "staithe.yml", "deploy.yml", "-e", "production", "--var", "ref=v2", "--yes"},
      {"deploy", "--file=staithe.yml", "deploy.yml", "-e", "production", "--var", "ref=v2", "--yes"},
      {"deploy", "deploy.yml", "-f", "staithe.yml", "-e", "production", "--yes", "--var", "ref=v2"},
      {"deploy", "-f", "staithe.yml", "-e", "production", "--yes", "--var", "ref=v2", "deploy.yml"}};
  for (const auto& order : orders) {
    const auto result = parse_words(order);
    INFO(result.to_stderr);
    REQUIRE(result.parsed);
    CHECK(result.parsed->positionals == std::vector<std::string>{"deploy.yml"});
    CHECK(result.parsed->value("file") == "staithe.yml");
    CHECK(result.parsed->value("environment") == "production");
    CHECK(result.parsed->all("var") == std::vector<std::string>{"ref=v2"});
    CHECK(result.parsed->has("yes"));
  }
}

TEST_CASE("an option that may be repeated keeps every value, another its last") {
  const auto result =
      parse_words({"deploy", "--var", "a=1", "--var", "b=2", "-e", "staging", "-e", "production"});
  REQUIRE(result.parsed);
  CHECK(result.parsed->all("var") == std::vector<std::string>{"a=1", "b=2"});
  CHECK(result.parsed->value("environment") == "production");
  CHECK(result.parsed->positionals.empty());
}

TEST_CASE("what is empty where something is wanted is refused: it would mean everything, or the default") {
  const std::vector<std::vector<const char*>> lines{{"exec", "-y", "-H", "", "--", "true"},
                                                    {"exec", "-y", "--hosts", " \t", "--", "true"},
                                                    {"exec", "-y", "--hosts=", "--", "true"},
                                                    {"deploy", "--limit", "", "-y"},
                                                    {"deploy", "--limit=", "web.yml"},
                                                    {"--limit", "", "deploy"},
                                                    {"rollback", "--to", ""},
                                                    {"deploy", "-e", ""},
                                                    {"deploy", ""},
                                                    {"drain", ""},
                                                    {"drain", "web1", " "},
                                                    {"restore", ""},
                                                    {"status", ""},
                                                    {"check", "--tag", "a", "--tag", ""}};
  for (const auto& line : lines) {
    const auto result = parse_words(line);
    INFO(line.front() << ": " << result.to_stderr);
    CHECK_FALSE(result.parsed);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.to_stderr, ContainsSubstring("empty"));
  }
}

TEST_CASE("what may be empty: a word of a command for hosts, a variable, the half of a word to complete") {
  CHECK(parse_words({"exec", "-H", "web1", "--", "printf", ""}).parsed);
  CHECK(parse_words({"exec", "-H", "web1", "--", "env", "--unset="}).parsed);
  CHECK(parse_words({"deploy", "--var", "key="}).parsed);
  CHECK(parse_words({"deploy", "--var=key="}).parsed);
  CHECK(parse_words({"__complete", "host", ""}).parsed);
}
