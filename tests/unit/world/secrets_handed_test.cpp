#include "catch.hpp"
#include "secret_refs.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/secrets.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace staithe;
using plan::SecretRef;
using test::env;
using test::soon;

namespace {

/// What a later program gets of secrets that are renewed when they are older than that.
struct HandsOn {
  base::Redactor redactor;
  world::Secrets secrets{redactor};
  std::vector<std::string> said;

  std::string operator()(const SecretRef& ref, base::Duration older_than) {
    const world::Secrets::Renewal renewal{older_than, base::Duration{5'000},
                                          [this](const std::string& why) { said.push_back(why); }};
    base::Redactor other_redactor;
    world::Secrets other(other_redactor);
    other.take_over(secrets.handed_on({ref}, soon(), renewal));
    return other.value(ref, soon());
  }
};

constexpr base::Duration at_once{-1};
constexpr base::Duration much_later{300'000};
const world::Secrets::Renewal kept{much_later, much_later, [](const std::string&) {}};

/// A file whose contents a command prints.
class Tokens {
 public:
  void hold(const std::string& token) { std::ofstream(path_) << token; }
  void lose() { std::filesystem::remove(path_); }
  SecretRef command() const { return {SecretRef::Source::command, "cat " + path_ + " 2>/dev/null"}; }
  SecretRef file() const { return {SecretRef::Source::file, path_}; }
  ~Tokens() { lose(); }

 private:
  std::string path_ = "/tmp/staithe-tokens-" + std::to_string(::getpid());
};

}  // namespace

TEST_CASE("what a command printed long ago is asked for anew for a suite, and for nothing else") {
  HandsOn hands_on;
  Tokens tokens;
  tokens.hold("first-token");
  CHECK(hands_on(tokens.command(), much_later) == "first-token");
  tokens.hold("second-token");
  CHECK(hands_on(tokens.command(), much_later) == "first-token");
  CHECK(hands_on(tokens.command(), at_once) == "second-token");
  // Fresh again: not looked up until it is old once more, and then not the first one.
  tokens.hold("third-token");
  CHECK(hands_on(tokens.command(), much_later) == "second-token");
  CHECK(hands_on(tokens.command(), at_once) == "third-token");
  CHECK(hands_on.redactor.clean("second-token third-token") == "*** ***");
  CHECK(hands_on.secrets.value(tokens.command(), soon()) == "first-token");
  CHECK(hands_on.said.empty());
}

TEST_CASE("a token that cannot be had anew is handed on as it is known, and that is said") {
  HandsOn hands_on;
  Tokens tokens;
  tokens.hold("first-token");
  (void)hands_on(tokens.command(), much_later);
  tokens.lose();
  CHECK(hands_on(tokens.command(), at_once) == "first-token");
  REQUIRE(hands_on.said.size() == 1);
  CHECK_THAT(hands_on.said.front(), ContainsSubstring("exit status 1"));
  // Not tried again at once: each suite of a long roll would wait for it.
  CHECK(hands_on(tokens.command(), much_later) == "first-token");
  CHECK(hands_on.said.size() == 1);
  tokens.hold("second-token");
  CHECK(hands_on(tokens.command(), at_once) == "second-token");
}

TEST_CASE("what a variable or a file held is what it is to the end of the run") {
  HandsOn hands_on;
  Tokens tokens;
  tokens.hold("first-token");
  ::setenv("STAITHE_TEST_HANDED", "first-variable", 1);
  CHECK(hands_on(tokens.file(), at_once) == "first-token");
  CHECK(hands_on(env("STAITHE_TEST_HANDED"), at_once) == "first-variable");
  tokens.hold("second-token");
  ::setenv("STAITHE_TEST_HANDED", "second-variable", 1);
  CHECK(hands_on(tokens.file(), at_once) == "first-token");
  CHECK(hands_on(env("STAITHE_TEST_HANDED"), at_once) == "first-variable");
}

TEST_CASE("what one program has looked up another one need not, whatever its bytes are") {
  base::Redactor redactor;
  world::Secrets first(redactor);
  const std::string used = "/tmp/staithe-one-use-" + std::to_string(::getpid());
  const SecretRef once{SecretRef::Source::command, "mkdir " + used + " && printf 'a b\\n\\377 12 3\\nc'"};
  ::setenv("STAITHE_TEST_HANDED", "of-the-environment", 1);
  const auto handed = first.handed_on({once, env("STAITHE_TEST_HANDED")}, soon(), kept);
  ::setenv("STAITHE_TEST_HANDED", "another", 1);
  base::Redactor other_redactor;
  world::Secrets second(other_redactor);
  second.take_over(handed);
  CHECK(second.value(once, soon()) == "a b\n\xff 12 3\nc");
  CHECK(second.value(env("STAITHE_TEST_HANDED"), soon()) == "of-the-environment");
  CHECK(other_redactor.clean("it is of-the-environment") == "it is ***");
  std::filesystem::remove(used);
  second.take_over("");
  for (const auto* wrong : {"1", "1 2", "1 x\nab", "1 2\nab", "-1 2\nab"}) {
    INFO(wrong);
    CHECK_THROWS_AS(second.take_over(wrong), base::Error);
  }
}
