#include "staithe/base/text.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"

#include <sys/wait.h>

#include <array>
#include <cstdio>

using namespace staithe::base;
using Names = std::vector<std::string>;

namespace {

/// What a real shell makes of one word.
std::string through_shell(const std::string& word) {
  const std::string command = "printf %s " + shell_quote(word);
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  std::string text;
  for (size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    text.append(buffer.data(), got);
  REQUIRE(::pclose(pipe) == 0);
  return text;
}

}  // namespace

TEST_CASE("edit distance counts a swap once and never uses a letter twice") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("drain", "drain") == 0);
  CHECK(edit_distance("drian", "drain") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  // Optimal string alignment, not the unrestricted distance (which is 2).
  CHECK(edit_distance("ca", "abc") == 3);
}

TEST_CASE("nearest suggests what was meant and nothing far-fetched") {
  const Names kinds{"run", "drain", "restore", "reload"};
  CHECK(nearest("drian", kinds) == "drain");
  CHECK(nearest("restroe", kinds) == "restore");
  CHECK(nearest("relaod", kinds) == "reload");
  CHECK(nearest("rnu", kinds) == "run");
  CHECK(nearest("RESTORE", kinds) == "restore");
  CHECK_FALSE(nearest("rxy", kinds));
  CHECK_FALSE(nearest("banana", kinds));
  CHECK_FALSE(nearest("", kinds));
  CHECK_FALSE(nearest("x", {}));
  CHECK_FALSE(nearest(std::string(1'000'000, 'a'), kinds));
  // With equal distances the first candidate wins.
  CHECK(nearest("most", Names{"host", "post"}) == "host");
}

TEST_CASE("shell_quote leaves harmless words and keeps every other one word in a real shell") {
  CHECK(shell_quote("web1") == "web1");
  CHECK(shell_quote("/srv/app-1.2_x:y@z,+%") == "/srv/app-1.2_x:y@z,+%");
  CHECK(shell_quote("--user=web") == "--user=web");
  CHECK(shell_quote("A=b") == "'A=b'");
  CHECK(shell_quote("=ls") == "'=ls'");
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("~") == "'~'");
  for (const std::string word :
       {"$(id)", "`id`", "a b", "a\nb",     "'",        "''", "\\",   "\"",    "!x",    "*",  "{a,b}",
        "#c",    "a;b",  "-n",  "\xC3\xA9", "\x01\x7f", "<>", "a&&b", "$HOME", "~root", "[x]"})
    CHECK(through_shell(word) == word);
  CHECK_THROWS_AS(shell_quote(std::string_view("a\0b", 3)), Error);
}

TEST_CASE("split, trim and join") {
  CHECK(split("", ',').empty());
  CHECK(split("a", ',') == Names{"a"});
  CHECK(split("a,,b", ',') == Names{"a", "", "b"});
  CHECK(split(",", ',') == Names{"", ""});
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ").empty());
  CHECK(join(Names{}, ", ").empty());
  CHECK(join(Names{"a", "b", "c"}, ", ") == "a, b, c");
}

TEST_CASE("bytes_text never prints 1024 of a unit") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(812) == "812 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1024) == "1.0 KiB");
  CHECK(bytes_text(1536 * 1024) == "1.5 MiB");
  CHECK(bytes_text(1024 * 1024 - 1) == "1.0 MiB");
  CHECK(bytes_text(~0ULL) == "16.0 EiB");
}

TEST_CASE("wildcard_match") {
  CHECK(wildcard_match("", ""));
  CHECK(wildcard_match("*", ""));
  CHECK(wildcard_match("web*", "web12"));
  CHECK(wildcard_match("*.example.com", "a.b.example.com"));
  CHECK(wildcard_match("a*b*c", "aXbYbZc"));
  CHECK(wildcard_match("w?b", "web"));
  CHECK(wildcard_match("[x]", "[x]"));
  CHECK_FALSE(wildcard_match("", "a"));
  CHECK_FALSE(wildcard_match("?", ""));
  CHECK_FALSE(wildcard_match("web*", "we"));
  CHECK_FALSE(wildcard_match("a*b*c", "aXbYbZ"));
  CHECK_FALSE(wildcard_match("WEB", "web"));
  // Exponential in a naive matcher.
  CHECK_FALSE(wildcard_match("*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST_CASE("expand_range") {
  CHECK(expand_range("web1") == Names{"web1"});
  CHECK(expand_range("web[1-3,7].example") ==
        Names{"web1.example", "web2.example", "web3.example", "web7.example"});
  CHECK(expand_range("web[08-10]") == Names{"web08", "web09", "web10"});
  CHECK(expand_range("web[8-10]") == Names{"web8", "web9", "web10"});
  CHECK(expand_range("web[007]") == Names{"web007"});
  CHECK(expand_range("web[098-101]") == Names{"web098", "web099", "web100", "web101"});
  CHECK(expand_range("r[1-2]n[3-4]") == Names{"r1n3", "r1n4", "r2n3", "r2n4"});
  CHECK(expand_range("web[3,1]") == Names{"web3", "web1"});
  CHECK(expand_range("web[0-9999]")->size() == 10'000);
  for (const char* wrong : {"",
                            "web[",
                            "web]",
                            "web[]",
                            "web[3-1]",
                            "web[1-]",
                            "web[-3]",
                            "web[1-2-3]",
                            "web[a-c]",
                            "web[1,]",
                            "web[,1]",
                            "web[[1]]",
                            "web[1]]",
                            "web[1-010]",
                            "web[ 1]",
                            "web[0-10000]",
                            "[1-101][1-100]",
                            "web[1-9999999999]",
                            "web[0-9999,1]",
                            "web[-1-2]"})
    CHECK_FALSE(expand_range(wrong));
}

TEST_CASE("fold_names folds what expand_range can read back") {
  CHECK(fold_names(Names{"web1", "web2", "web3", "db"}) == "web[1-3],db");
  CHECK(fold_names(Names{"db", "web3", "web1", "web2"}) == "db,web[1-3]");
  CHECK(fold_names(Names{"web1", "web2", "web5"}) == "web[1-2,5]");
  CHECK(fold_names(Names{"web08", "web09", "web10"}) == "web[08-10]");
  CHECK(fold_names(Names{"web8", "web08", "web9"}) == "web[8,08,9]");
  CHECK(fold_names(Names{"web1"}) == "web1");
  CHECK(fold_names(Names{"web1", "web1"}) == "web1");
  CHECK(fold_names(Names{}).empty());
  CHECK(fold_names(Names{"web1.dc2", "web2.dc2", "web3.dc2"}) == "web[1-3].dc2");
  CHECK(fold_names(Names{"10.0.0.11", "10.0.0.12"}) == "10.0.0.[11-12]");
  CHECK(fold_names(Names{"web", "web1", "web2"}) == "web,web[1-2]");
  CHECK(fold_names(Names{"x12345678901"}) == "x12345678901");
  CHECK(fold_names(Names{"a[1]", "a[2]"}) == "a[1],a[2]");
  const Names many{"n098", "n099", "n100", "n101", "n200"};
  CHECK(expand_range(fold_names(many)) == many);
}

TEST_CASE("shortened cuts between code points and never grows a text") {
  CHECK(shortened("", 3).empty());
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abc...");
  CHECK(shortened("ab\u00e9\u00e9\u00e9", 6) == "ab...");
  CHECK(shortened("ab\u00e9\u00e9\u00e9", 7) == "ab\u00e9...");
}
