#include "staithe/git/resolve.hpp"

#include "asking.hpp"
#include "refs.hpp"
#include "url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace staithe::git {
namespace {

using base::Error;
using base::ErrorCode;

std::vector<std::string> arguments_of(const Remote& remote, const Wanted& wanted) {
  std::vector<std::string> argv{"git", "ls-remote", "--quiet", "--", remote.url};
  if (wanted.is_commit) return argv;  // is it the tip of anything?
  // Patterns only spare traffic: git matches them against the end of a name, so the reply is compared
  // exactly.
  if (wanted.name == "HEAD" || wanted.name.starts_with("refs/")) {
    argv.insert(argv.end(), {wanted.name, wanted.name + "^{}"});
  } else {
    const std::string tag = "refs/tags/" + wanted.name;
    argv.insert(argv.end(), {"refs/heads/" + wanted.name, tag, tag + "^{}"});
  }
  return argv;
}

/// The first line of the message, when the repository is on this machine and may be read.
void look_into_local(const Remote& remote, Resolved& resolved, const base::Scope& scope) {
  std::error_code ignored;
  if (remote.path.empty() || !std::filesystem::is_directory(remote.path, ignored)) return;
  proc::Command command;
  // The tree-ish suffix makes anything but a commit an error, and no name can be an option.
  command.argv = {
      "git", "-C", remote.path, "log", "-1", "--no-show-signature", "--format=%s", resolved.sha + "^{commit}",
      "--"};
  command.environment = {{"LC_ALL", "C.UTF-8"}, {"GIT_NO_LAZY_FETCH", "1"}, {"GIT_TERMINAL_PROMPT", "0"}};
  command.unset = {"GIT_DIR", "GIT_WORK_TREE", "GIT_TRACE"};
  const proc::Exit exit = proc::run(command, scope);
  if (!exit.ok()) return;
  resolved.verified = true;
  resolved.subject = base::trim(base::printable(exit.out));
}

}  // namespace

Resolved resolve(const Repository& repository, std::string_view ref, const base::Scope& scope) {
  const Wanted wanted = parse_ref(ref);
  const Remote remote = parse_url(repository.url);
  proc::Command command;
  command.argv = arguments_of(remote, wanted);
  command.environment = environment_of(repository, remote);
  // ls-remote needs no repository, and must not be led to one by the hook or job we run in.
  command.unset = {"GIT_DIR", "GIT_WORK_TREE"};
  command.directory = "/";
  command.keep_bytes = 8 * 1024;

  LsRemote reply(wanted);
  const proc::OutputSink sink = [&](proc::Stream stream, std::string_view bytes) {
    if (stream == proc::Stream::out) reply.feed(bytes);
  };
  proc::Exit exit;
  try {
    exit = proc::run(command, sink, scope);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found)
      throw Error(ErrorCode::unavailable, "git is needed on this machine: " + std::string(error.what()));
    throw error.within(display_url(remote.url));
  }
  if (!exit.ok()) throw failure("ls-remote", remote, exit);
  try {
    Resolved resolved = reply.result();
    look_into_local(remote, resolved, scope);
    return resolved;
  } catch (const Error& error) {
    throw error.within(display_url(remote.url));
  }
}

}  // namespace staithe::git
