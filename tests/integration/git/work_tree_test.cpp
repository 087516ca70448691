/// What is checked out, by a real git.
#include "staithe/git/work_tree.hpp"

#include "catch.hpp"
#include "support/directory.hpp"
#include "support/soon.hpp"

#include "staithe/base/error.hpp"
#include "staithe/proc/run.hpp"

using namespace staithe;
using test::soon;

namespace {

std::string run_git(const std::string& directory, const std::string& words) {
  proc::Command command;
  command.script = "git -c user.name=T -c user.email=t@example.org " + words;
  command.directory = directory;
  command.environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_CONFIG_SYSTEM", "/dev/null"}};
  const auto exit = proc::run(command, soon());
  INFO(exit.err);
  REQUIRE(exit.ok());
  return exit.out.substr(0, exit.out.find('\n'));
}

void write(const test::Directory& directory, const std::string& name, const std::string& text) {
  std::ofstream(directory / name, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("the commit that is checked out, and whether files are as it has them") {
  const test::Directory directory;
  const auto tree = [&](const std::vector<std::string>& files) {
    return git::work_tree_of(directory.path(), files, soon());
  };
  CHECK_FALSE(tree({}));
  run_git(directory.path(), "init -q");
  CHECK_FALSE(tree({}));  // no commit yet
  write(directory, "1.sql", "SELECT 1");
  write(directory, "other", "x");
  write(directory, ".gitignore", "hidden.sql");
  run_git(directory.path(), "add .");
  run_git(directory.path(), "commit -q -m one");
  const auto sha = run_git(directory.path(), "rev-parse HEAD");
  for (const auto& files : {std::vector<std::string>{}, {"1.sql"}, {directory / "1.sql"}}) {
    REQUIRE(tree(files));
    CHECK(tree(files)->sha == sha);
    CHECK_FALSE(tree(files)->is_altered);
  }
  write(directory, "hidden.sql", "SELECT 2");
  CHECK_FALSE(tree({})->is_altered);
  CHECK_FALSE(tree({})->has_unknown);
  write(directory, "2.sql", "SELECT 2");
  CHECK(tree({})->has_unknown);  // which is not an alteration of what the commit has
  CHECK_FALSE(tree({})->is_altered);
  CHECK_FALSE(tree({"1.sql"})->is_altered);
  CHECK_FALSE(tree({"1.sql"})->has_unknown);
  std::filesystem::remove(directory / "2.sql");
  write(directory, "other", "y");
  CHECK_FALSE(tree({"1.sql"})->is_altered);
  CHECK(tree({})->is_altered);
  CHECK_FALSE(tree({})->has_unknown);
  write(directory, "1.sql", "SELECT 2");
  CHECK(tree({"1.sql"})->is_altered);
  run_git(directory.path(), "add 1.sql");
  CHECK(tree({"1.sql"})->is_altered);
  // What git does not know, or is told not to look at, is in no commit.
  write(directory, "2.sql", "SELECT 2");
  write(directory, "hidden.sql", "SELECT 2");
  CHECK(tree({"2.sql"})->is_altered);
  CHECK(tree({"hidden.sql"})->is_altered);
  CHECK_FALSE(tree({"/etc/passwd"}));
  CHECK_FALSE(git::work_tree_of(directory / "nowhere", {}, soon()));
}

TEST_CASE("looking at what is checked out writes nothing and runs nobody's program") {
  const test::Directory directory;
  run_git(directory.path(), "init -q");
  write(directory, "1.sql", "SELECT 1");
  run_git(directory.path(), "add .");
  run_git(directory.path(), "commit -q -m one");
  write(directory, "asked", "#!/bin/sh\ntouch '" + (directory / "was-run") + "'\n");
  run_git(directory.path(), "config core.fsmonitor 'sh ./asked'");
  write(directory, "1.sql", "SELECT 1");  // another time of change: git would write its index anew
  const auto index = directory.text(".git/index");
  CHECK_FALSE(git::work_tree_of(directory.path(), {"1.sql"}, soon())->is_altered);
  CHECK(directory.text(".git/index") == index);
  CHECK_FALSE(std::filesystem::exists(directory / "was-run"));
  base::Cancel stop;
  stop.request();
  CHECK_THROWS_AS(
      git::work_tree_of(directory.path(), {}, base::Scope::lasting(std::chrono::seconds(9), &stop)),
      base::Error);
}
