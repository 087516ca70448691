#include "staithe/steps/substitute.hpp"

#include "catch.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace staithe::steps;
using staithe::plan::SecretRef;

namespace {

Variables sample() {
  Variables variables;
  variables.set_literal("plain", "abc");
  variables.set_literal("nasty", "a b'c\"d$(touch /tmp/staithe-was-here)`id`\\ $HOME;*");
  variables.set_literal("empty", "");
  variables.set_literal("number", "2");
  variables.set_literal("lines", "one\ntwo");
  variables.set_text("nested", "<$(plain)>", "test");
  variables.set_text("command", "echo $(nasty)", "test");
  variables.set_text("cycle", "$(spin)", "test");
  variables.set_text("spin", "$(cycle)", "test");
  variables.set("secret.token",
                {Variable::Kind::secret, "", SecretRef{SecretRef::Source::env, "TOKEN"}, "test"});
  variables.set("found", {Variable::Kind::capture, "found", {}, "test"});
  return variables;
}

/// What a real sh prints for the script, with its inputs in the environment.
std::string run(const Script& script) {
  std::array<char, 32> name{"/tmp/staithe-substitute-XXXXXX"};
  const int fd = ::mkstemp(name.data());
  REQUIRE(fd >= 0);
  ::close(fd);
  std::ofstream(name.data()) << script.text;
  ::setenv("STAITHE_SECRET_TOKEN", "to ken'\"$x", 1);
  ::setenv("STAITHE_CAPTURE_FOUND", "fo und", 1);
  std::string output;
  FILE* pipe = ::popen((std::string("sh ") + name.data()).c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer{};
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), size);
  }
  ::pclose(pipe);
  ::unlink(name.data());
  return output;
}

std::string shell_output(std::string_view text) {
  std::vector<Problem> problems;
  const auto script = expand_shell(text, sample(), problems);
  INFO(text);
  for (const Problem& problem : problems) UNSCOPED_INFO(problem.message);
  REQUIRE(script);
  return run(*script);
}

std::string first_problem(std::string_view text) {
  std::vector<Problem> problems;
  CHECK_FALSE(expand_shell(text, sample(), problems));
  REQUIRE_FALSE(problems.empty());
  return problems.front().message;
}

const std::string nasty = "a b'c\"d$(touch /tmp/staithe-was-here)`id`\\ $HOME;*";

}  // namespace

TEST_CASE("a real shell sees a substituted value as it is, in whatever quotes it stands") {
  ::unlink("/tmp/staithe-was-here");
  CHECK(shell_output("printf '%s' $(nasty)") == nasty);
  CHECK(shell_output("printf '%s' \"$(nasty)\"") == nasty);
  CHECK(shell_output("printf '%s' '$(nasty)'") == nasty);
  CHECK(shell_output("printf '%s' x$(nasty)y") == "x" + nasty + "y");
  CHECK(shell_output("printf '%s' \"$$(printf '%s' $(nasty))\"") == nasty);
  CHECK(shell_output("printf '%s' \"$$(printf '%s' \"$(nasty)\")\"") == nasty);
  CHECK(shell_output("cat <<EOF\n$(nasty)\nEOF\n") == nasty + "\n");
  CHECK(shell_output("cat <<'EOF'\n$(nasty)\nEOF\n") == nasty + "\n");
  CHECK(shell_output("cat <<-EOF\n\tx $(nasty)\n\tEOF\nprintf '%s' $(nasty)") == "x " + nasty + "\n" + nasty);
  CHECK(shell_output("# don't be fooled\nprintf '%s' $(nasty)") == nasty);
  CHECK(shell_output("printf '%s' a\\'b$(nasty)") == "a'b" + nasty);
  CHECK(::access("/tmp/staithe-was-here", F_OK) != 0);
}

TEST_CASE("small traps of the shell") {
  CHECK(shell_output("set -- $(empty) x; echo $#") == "2\n");
  CHECK(shell_output("echo $(number)>&1") == "2\n");
  CHECK(shell_output("printf '[%s]' $(lines)") == "[one\ntwo]");
  CHECK(shell_output("echo $$((1 + $(number)))") == "3\n");
  CHECK(shell_output("echo $$((1 << $(number)))") == "4\n");
  CHECK(shell_output("echo `echo $(plain)`") == "abc\n");
  CHECK(shell_output("echo $(nested)") == "<abc>\n");
  CHECK(shell_output("$(raw command)") == "" + nasty + "\n");
}

TEST_CASE("secrets and captures are environment variables in a command, never text") {
  std::vector<Problem> problems;
  const auto script = expand_shell("use $(secret.token) $(found) '$(secret.token)'", sample(), problems);
  REQUIRE(script);
  CHECK(script->text ==
        "use \"${STAITHE_SECRET_TOKEN}\" \"${STAITHE_CAPTURE_FOUND}\" ''\"${STAITHE_SECRET_TOKEN}\"''");
  REQUIRE(script->inputs.size() == 2);
  CHECK(script->inputs[0].variable == "STAITHE_SECRET_TOKEN");
  CHECK(script->inputs[0].value.shown() == "<secret env TOKEN>");
  CHECK(shell_output("printf '%s|' $(secret.token) \"$(secret.token)\" '$(secret.token)' $(found)") ==
        "to ken'\"$x|to ken'\"$x|to ken'\"$x|fo und|");
  CHECK(shell_output("cat <<EOF\n$(secret.token)\nEOF\n") == "to ken'\"$x\n");
}

TEST_CASE("places where no quoting is safe are refused") {
  CHECK_THAT(first_problem("echo `echo $(nasty)`"), ContainsSubstring("no quoting is safe"));
  CHECK_THAT(first_problem("echo ${x:-$(nasty)}"), ContainsSubstring("no quoting is safe"));
  CHECK_THAT(first_problem("echo \"${x:-$(nasty)}\""), ContainsSubstring("no quoting is safe"));
  CHECK_THAT(first_problem("echo $$(( $(nasty) ))"), ContainsSubstring("no quoting is safe"));
  CHECK_THAT(first_problem("true # $(lines)"), ContainsSubstring("no quoting is safe"));
  CHECK_THAT(first_problem("cat <<EOF\n$(lines)\nEOF\n"), ContainsSubstring("here-document"));
  CHECK_THAT(first_problem("cat <<abc\n$(plain)\ntouch x\nabc\n"), ContainsSubstring("ends a here-document"));
  CHECK_THAT(first_problem("cat <<abcd\n$(plain)d\ntouch x\nabcd\n"),
             ContainsSubstring("ends a here-document"));
  CHECK_THAT(first_problem("cat <<-'EOF'\n\tE$(empty)OF\ntouch x\nEOF\n"),
             ContainsSubstring("ends a here-document"));
  CHECK_THAT(first_problem("cat <<'EOF'\n$(secret.token)\nEOF\n"), ContainsSubstring("not safe here"));
  CHECK_THAT(first_problem("echo \\$(plain)"), ContainsSubstring("backslash"));
  CHECK_THAT(first_problem("echo 'open"), ContainsSubstring("unclosed '"));
  CHECK_THAT(first_problem("echo $(raw secret.token)"), ContainsSubstring("raw"));
}

TEST_CASE("mistakes in references name what is wrong") {
  CHECK(first_problem("echo $(plian)") == "unknown variable 'plian'");
  CHECK(first_problem("echo $(secret.tken)") == "no secret is called 'tken'");
  CHECK(first_problem("echo $(secret.nope)") == "no secret is called 'nope'");
  CHECK_THAT(first_problem("echo $(date +%F)"), ContainsSubstring("is not the name of a variable"));
  CHECK(first_problem("echo $(plain") == "'$(' is never closed");
  std::vector<Problem> problems;
  for (const auto* text : {"$(secret.tken)", "$(secret.nope)"})
    CHECK_FALSE(expand_text(text, sample(), problems));
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0].help, ContainsSubstring("did you mean 'secret.token'? secrets are declared under"));
  CHECK_THAT(problems[1].help, ContainsSubstring("secrets are declared under 'secrets' in staithe.yml"));
  CHECK(problems[1].help.find("--var") == std::string::npos);
  problems.clear();
  CHECK_FALSE(expand_plain("x $(cycle)", sample(), problems));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].help == "cycle -> spin -> cycle");
  CHECK(problems[0].offset == 2);
  CHECK(problems[0].length == 8);
  problems.clear();
  CHECK_FALSE(expand_plain("$(secret.token)", sample(), problems));
  CHECK_FALSE(expand_plain("$(found)", sample(), problems));
  CHECK(problems.size() == 2);
}

TEST_CASE("texts keep holes for what is known later") {
  std::vector<Problem> problems;
  const auto text = expand_text("https://$(plain)/?t=$(secret.token)&f=$(found)&$$(x)", sample(), problems);
  REQUIRE(text);
  CHECK(text->shown() == "https://abc/?t=<secret env TOKEN>&f=<found: known at run time>&$(x)");
}

TEST_CASE("texts that double themselves end") {
  Variables variables;
  variables.set_literal("v0", "xxxxxxxxxxxxxxxx");
  for (int i = 1; i < 40; ++i) {
    const std::string before = "$(v" + std::to_string(i - 1) + ")";
    variables.set_text("v" + std::to_string(i), before + before, "test");
  }
  std::vector<Problem> problems;
  CHECK_FALSE(expand_plain("$(v39)", variables, problems));
  CHECK_FALSE(problems.empty());
}

TEST_CASE(
    "a secret that becomes an argument of a program is warned of, and the script is made all the same") {
  const auto warned = [](const std::string& text) {
    std::vector<Problem> problems;
    CHECK(expand_shell(text, sample(), problems));
    for (const auto& problem : problems) {
      CHECK(problem.is_warning);
      CHECK(text.substr(problem.offset, problem.length) == "$(secret.token)");
    }
    return problems.size();
  };
  CHECK(warned("psql -W $(secret.token)") == 1);
  CHECK(warned("if curl -H \"X-Token: $(secret.token)\" http://a/; then :; fi") == 1);
  CHECK(warned("true && login '$(secret.token)' $(secret.token)") == 2);
  CHECK(warned("env TOKEN=$(secret.token) deploy") == 1);
  CHECK(warned("curl \\\n  -u me:$(secret.token)") == 1);

  CHECK(warned("TOKEN=$(secret.token) deploy --now") == 0);
  CHECK(warned("A=1 TOKEN=\"$(secret.token)\" deploy") == 0);
  CHECK(warned("printf %s $(secret.token) | login --stdin") == 0);
  CHECK(warned("test -n $(secret.token) || exit 1") == 0);
  CHECK(warned("login --stdin <<END\n$(secret.token)\nEND") == 0);
  CHECK(warned("use $(found) $(plain)") == 0);
}
