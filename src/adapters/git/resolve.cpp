#include "staithe/git/resolve.hpp"

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
using Environment = std::vector<std::pair<std::string, std::string>>;

std::string inherited(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool holds(const Environment& environment, std::string_view name) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

/// One more setting of git's configuration, behind those that the environment holds already.
void add_config(Environment& environment, const std::string& key, const std::string& value) {
  const auto count = std::find_if(environment.begin(), environment.end(),
                                  [](const auto& entry) { return entry.first == "GIT_CONFIG_COUNT"; });
  const std::string before = count != environment.end() ? count->second : inherited("GIT_CONFIG_COUNT");
  int number = 0;
  std::from_chars(before.data(), before.data() + before.size(), number);
  const std::string index = std::to_string(number);
  environment.emplace_back("GIT_CONFIG_KEY_" + index, key);
  environment.emplace_back("GIT_CONFIG_VALUE_" + index, value);
  const std::string next = std::to_string(number + 1);
  if (const auto again = std::find_if(environment.begin(), environment.end(),
                                      [](const auto& entry) { return entry.first == "GIT_CONFIG_COUNT"; });
      again != environment.end())
    again->second = next;
  else
    environment.emplace_back("GIT_CONFIG_COUNT", next);
}

Environment environment_of(const Repository& repository, const Remote& remote) {
  Environment environment = repository.environment;
  const auto unless_given = [&](const char* name, const char* value) {
    if (!holds(environment, name) && std::getenv(name) == nullptr) environment.emplace_back(name, value);
  };
  environment.emplace_back("GIT_TERMINAL_PROMPT", "0");
  environment.emplace_back("LC_ALL", "C");  // the reasons below are looked for in English
  environment.emplace_back("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
  // The program has no terminal, so ssh cannot ask there either.
  unless_given("GIT_ASKPASS", "");  // else a graphical SSH_ASKPASS would be asked
  unless_given("SSH_ASKPASS_REQUIRE", "never");
  if (!remote.user.empty() || !remote.password.empty()) {
    // git-remote-https gets the URL as an argument, so the password must not be in it.
    environment.emplace_back("STAITHE_GIT_USER", remote.user);
    environment.emplace_back("STAITHE_GIT_PASSWORD", remote.password);
    add_config(environment, "credential.helper", "");
    add_config(environment, "credential.helper",
               "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' "
               "\"$STAITHE_GIT_USER\" \"$STAITHE_GIT_PASSWORD\"; }; f");
  }
  return environment;
}

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

struct Reason {
  std::string_view text;
  ErrorCode code;
};
/// What git, ssh and libcurl say; the first that is found counts.
constexpr std::array<Reason, 19> reasons{{
    {"Host key verification failed", ErrorCode::host_key},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", ErrorCode::host_key},
    {"Authentication failed", ErrorCode::auth},
    {"could not read Username", ErrorCode::auth},
    {"could not read Password", ErrorCode::auth},
    {"Permission denied (", ErrorCode::auth},
    {"certificate", ErrorCode::auth},
    {"Could not resolve host", ErrorCode::resolve},
    {"unable to look up", ErrorCode::resolve},
    {"Connection refused", ErrorCode::connect},
    {"Connection timed out", ErrorCode::connect},
    {"No route to host", ErrorCode::connect},
    {"Failed to connect", ErrorCode::connect},
    {"Connection reset", ErrorCode::connect},
    {"unable to connect", ErrorCode::connect},
    {"does not appear to be a git repository", ErrorCode::not_found},
    {"not found", ErrorCode::not_found},
    {"repository not exported", ErrorCode::not_found},
    {"dubious ownership", ErrorCode::permission},
}};

/// The line of git's standard error that says most: the first "fatal:" one, else the last.
std::string told_by(const std::string& standard_error) {
  std::string told;
  for (const auto& line : base::split(base::printable(standard_error), '\n')) {
    const std::string_view text = base::trim(line);
    if (text.empty()) continue;
    told = text;
    if (text.starts_with("fatal: ")) return told.substr(7);
  }
  return told.empty() ? "git said nothing" : told;
}

/// ssh's own line says why; git's "fatal: Could not read from remote repository." follows it.
Error failure(const Remote& remote, const proc::Exit& exit) {
  ErrorCode code = ErrorCode::failed;
  std::string told = told_by(exit.err);
  for (const auto& reason : reasons) {
    if (exit.err.find(reason.text) == std::string::npos) continue;
    code = reason.code;
    for (const auto& line : base::split(base::printable(exit.err), '\n'))
      if (told.find(reason.text) == std::string::npos && line.find(reason.text) != std::string::npos)
        told = base::trim(line);
    break;
  }
  std::string text = "git ls-remote " + display_url(remote.url) + ": " + told.substr(0, 500);
  if (exit.signal != 0) text += " (" + exit.text() + ")";
  return {code, std::move(text)};
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
  if (!exit.ok()) throw failure(remote, exit);
  try {
    Resolved resolved = reply.result();
    look_into_local(remote, resolved, scope);
    return resolved;
  } catch (const Error& error) {
    throw error.within(display_url(remote.url));
  }
}

}  // namespace staithe::git
