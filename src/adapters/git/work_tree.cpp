#include "staithe/git/work_tree.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <algorithm>

namespace staithe::git {
namespace {

constexpr base::Duration patience{10'000};

proc::Exit ask(const std::string& directory, std::vector<std::string> words, const base::Scope& scope) {
  proc::Command command;
  // Neither the index is written anew nor a program asked what has changed.
  command.argv = {"git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", directory};
  command.argv.insert(command.argv.end(), std::make_move_iterator(words.begin()),
                      std::make_move_iterator(words.end()));
  command.environment = {{"LC_ALL", "C.UTF-8"},
                         {"GIT_NO_LAZY_FETCH", "1"},
                         {"GIT_TERMINAL_PROMPT", "0"},
                         {"GIT_LITERAL_PATHSPECS", "1"}};
  command.unset = {"GIT_DIR", "GIT_WORK_TREE", "GIT_TRACE", "GIT_INDEX_FILE"};
  command.keep_bytes = 4 * 1024;
  return proc::run(command, scope);
}

bool is_commit(const std::string& sha) {
  return (sha.size() == 40 || sha.size() == 64) &&
         sha.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::optional<WorkTree> work_tree_of(const std::string& directory, const std::vector<std::string>& files,
                                     const base::Scope& scope) {
  const auto soon = scope.at_most(patience);
  try {
    const auto head = ask(directory, {"rev-parse", "--verify", "--quiet", "HEAD^{commit}"}, soon);
    WorkTree tree;
    tree.sha = base::trim(head.out);
    if (!head.ok() || !is_commit(tree.sha)) return std::nullopt;
    const auto status = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {"status", "--porcelain"});
      words.emplace_back("--");
      words.insert(words.end(), files.begin(), files.end());
      return ask(directory, std::move(words), soon);
    };
    const auto known =
        files.empty() ? status({"--untracked-files=no"}) : status({"--ignored", "--untracked-files=all"});
    if (!known.ok()) return std::nullopt;  // files of another place, perhaps
    tree.is_altered = !known.out.empty();
    if (files.empty()) {
      const auto all = status({"--untracked-files=normal"});
      if (!all.ok()) return std::nullopt;
      tree.has_unknown = all.out != known.out;
    }
    return tree;
  } catch (const base::Error& error) {
    if (scope.cancelled()) throw;
    return std::nullopt;
  }
}

}  // namespace staithe::git
