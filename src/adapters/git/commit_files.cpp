#include "staithe/git/commit_files.hpp"

#include "asking.hpp"

#include "staithe/base/text.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace staithe::git {
namespace {

using base::Error;
using base::ErrorCode;
namespace fs = std::filesystem;

constexpr std::size_t most_files = 1000;
constexpr std::size_t most_bytes = 1024 * 1024;
constexpr std::size_t most_listed = 64 * 1024 * 1024;

/// A directory of our own that goes with the object.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "staithe-git-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw base::system_error(ErrorCode::io,
                               "cannot make a directory in " + fs::temp_directory_path().string(), errno);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Asker {
 public:
  Asker(const Repository& repository, const base::Scope& scope)
      : remote_(parse_url(repository.url)),
        environment_(environment_of(repository, remote_)),
        scope_(scope) {}

  /// Where the commit can be read: the repository itself, or a copy of what is needed.
  std::string place(const std::string& sha, const Scratch& scratch) const {
    std::error_code ignored;
    if (!remote_.path.empty() && fs::is_directory(remote_.path, ignored)) return remote_.path;
    const bool is_sha256 = sha.size() == 64;
    run({"git", "init", "--quiet", "--bare",
         "--template=", std::string("--object-format=") + (is_sha256 ? "sha256" : "sha1"), scratch.path()},
        "init");
    // Nothing may go on in the directory after we have left it.
    run({"git", "-C", scratch.path(), "-c", "gc.auto=0", "-c", "maintenance.auto=false", "fetch", "--quiet",
         "--depth=1", "--no-tags", "--", remote_.url, sha},
        "fetch");
    return scratch.path();
  }

  std::string run(std::vector<std::string> argv, std::string_view name, std::size_t keep = 8 * 1024) const {
    proc::Command command;
    command.argv = std::move(argv);
    command.environment = environment_;
    command.environment.emplace_back("GIT_NO_LAZY_FETCH", "1");
    // What a repository would show instead of an object, hosts that fetch the commit do not get.
    command.environment.emplace_back("GIT_NO_REPLACE_OBJECTS", "1");
    // A hook's or a job's own repository is not the one that is meant.
    command.unset = {"GIT_DIR",        "GIT_WORK_TREE",        "GIT_TRACE",
                     "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                     "GIT_INDEX_FILE", "GIT_NAMESPACE",        "GIT_SHALLOW_FILE"};
    command.directory = "/";
    command.keep_bytes = keep;
    proc::Exit exit = proc::run(command, scope_);
    if (!exit.ok()) throw failure(name, remote_, exit);
    // Its middle would be left out, and with it files, without a word.
    if (exit.out_bytes > keep)
      throw Error(ErrorCode::invalid, "git " + std::string(name) + " " + display_url(remote_.url) +
                                          ": its answer is longer than " + base::bytes_text(keep));
    return std::move(exit.out);
  }

 private:
  Remote remote_;
  std::vector<std::pair<std::string, std::string>> environment_;
  base::Scope scope_;
};

struct Entry {
  std::string object, path;
  std::size_t bytes = 0;
};

/// Lines of ls-tree -z --long: "100644 blob OBJECT    SIZE<TAB>PATH".
std::vector<Entry> matching(const std::string& listed, const std::string& pattern) {
  std::vector<Entry> found;
  for (std::size_t at = 0; at < listed.size();) {
    const auto end = std::min(listed.find('\0', at), listed.size());
    const std::string line = listed.substr(at, end - at);
    at = end + 1;
    const auto tab = line.find('\t');
    if (tab == std::string::npos || !line.starts_with("100")) continue;  // links and submodules are no files
    const auto object = line.find(' ', 7) + 1;
    const auto after = line.find(' ', object);
    Entry entry{line.substr(object, after - object), line.substr(tab + 1), 0};
    if (::fnmatch(pattern.c_str(), entry.path.c_str(), FNM_PATHNAME | FNM_PERIOD) != 0) continue;
    entry.bytes = std::strtoull(line.substr(after, tab - after).c_str(), nullptr, 10);
    found.push_back(std::move(entry));
  }
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
  return found;
}

/// "./migrations/*.sql" is what people write for files of the root's directories.
std::string from_root(std::string pattern) {
  while (pattern.starts_with("./")) pattern.erase(0, 2);
  return pattern;
}

}  // namespace

std::vector<CommitFile> commit_files(const Repository& repository, const std::string& sha,
                                     const std::string& pattern, const base::Scope& scope) {
  const bool is_sha = !sha.empty() && sha.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_sha) throw Error(ErrorCode::invalid, "'" + sha + "' is no commit");
  const Asker asker(repository, scope);
  const Scratch scratch;
  const auto place = asker.place(sha, scratch);
  const auto listed = asker.run({"git", "-C", place, "ls-tree", "-r", "-z", "--long", "--full-tree", sha},
                                "ls-tree", most_listed);
  const auto entries = matching(listed, from_root(pattern));
  if (entries.size() > most_files)
    throw Error(ErrorCode::invalid,
                "'" + pattern + "' means more than " + std::to_string(most_files) + " files");
  std::vector<CommitFile> files;
  for (const auto& entry : entries) {
    if (entry.bytes > most_bytes) throw Error(ErrorCode::invalid, entry.path + " is larger than 1 MiB");
    files.push_back({entry.path, asker.run({"git", "-C", place, "cat-file", "blob", entry.object}, "cat-file",
                                           most_bytes + 1)});
    if (files.back().text.size() != entry.bytes)
      throw Error(ErrorCode::protocol, entry.path + " did not come whole");
  }
  return files;
}

}  // namespace staithe::git
