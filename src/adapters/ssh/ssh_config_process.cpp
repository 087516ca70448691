#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/ssh/ssh_config.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

extern char** environ;

namespace staithe::ssh {
namespace {

/// Source: a Match exec that takes longer than this would stall every ssh of that person, too.
constexpr base::Duration exec_limit = std::chrono::seconds(20);

/// Starts `shell -c command` in its own process group with signals as after boot.
pid_t start(const std::string& shell, const std::string& command) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  for (const int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string name = shell;
  std::string option = "-c";
  std::string text = command;
  std::array<char*, 4> arguments{name.data(), option.data(), text.data(), nullptr};
  pid_t child = -1;
  const int status = ::posix_spawn(&child, name.c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (status != 0) throw base::system_error(base::ErrorCode::unavailable, "Match exec: " + shell, status);
  return child;
}

bool run_match_exec(const std::string& shell, const std::string& command, const base::Scope& scope) {
  const base::Scope limited = scope.at_most(exec_limit);
  const pid_t child = start(shell, command);
  const base::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const auto woke = handle ? base::wait_for(handle.get(), POLLIN, limited) : base::Woke::deadline;
  if (woke != base::Woke::ready) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (woke == base::Woke::cancelled) throw base::Error(base::ErrorCode::cancelled, "Match exec: cancelled");
  if (woke == base::Woke::deadline)
    throw base::Error(base::ErrorCode::timeout, fmt::format("Match exec did not end in time: {}", command));
  if (!WIFEXITED(status))
    throw base::Error(base::ErrorCode::failed, fmt::format("Match exec was killed: {}", command));
  return WEXITSTATUS(status) == 0;
}

bool has_address(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return false;
  ::freeaddrinfo(list);
  return true;
}

}  // namespace

Sources Sources::of_process() {
  Sources out;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  // The account, not $HOME: OpenSSH looks there, and both must find the same file.
  const int problem = ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  if (problem != 0)
    throw base::system_error(base::ErrorCode::failed, fmt::format("the account of user id {}", ::getuid()),
                             problem);
  if (!found)
    throw base::Error(base::ErrorCode::not_found, fmt::format("no account has the user id {}", ::getuid()));
  out.home = entry.pw_dir;
  out.local_user = entry.pw_name;
  out.local_uid = std::to_string(::getuid());
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) out.local_host = host.data();
  out.user_file = out.home + "/.ssh/config";
  out.system_file = "/etc/ssh/ssh_config";
  for (char** item = environ; *item; ++item) {
    const std::string_view pair(*item);
    if (const auto equals = pair.find('='); equals != std::string_view::npos)
      out.environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  const auto shell = out.environment.find("SHELL");
  const std::string program =
      shell != out.environment.end() && shell->second.starts_with('/') ? shell->second : "/bin/sh";
  out.match_exec = [program](const std::string& command, const base::Scope& scope) {
    return run_match_exec(program, command, scope);
  };
  out.name_exists = has_address;
  return out;
}

}  // namespace staithe::ssh
