#include "proxy.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace staithe::ssh {
namespace {

using base::ErrorCode;

/// The child's side: clean signals, own process group, both standard streams on `socket`.
int spawn(pid_t& pid, const std::string& command, int socket, int errors) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, socket, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, errors, STDERR_FILENO);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string shell = "sh", option = "-c", text = "exec " + command;
  char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  const int problem = ::posix_spawn(&pid, "/bin/sh", &files, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return problem;
}

}  // namespace

Proxy::Proxy(const std::string& command) {
  int pair[2], pipe_ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw base::system_error(ErrorCode::connect, "socketpair", errno);
  socket_.reset(pair[0]);
  const base::UniqueFd theirs(pair[1]);
  if (::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
    throw base::system_error(ErrorCode::connect, "pipe", errno);
  errors_.reset(pipe_ends[0]);
  // The write end does not block either: a talkative command loses words instead of standing still.
  const base::UniqueFd their_errors(pipe_ends[1]);
  if (const int problem = spawn(pid_, command, theirs.get(), their_errors.get()); problem != 0) {
    pid_ = -1;
    throw base::system_error(ErrorCode::connect, "the proxy command", problem);
  }
}

Proxy::~Proxy() {
  if (pid_ < 0) return;
  socket_.reset();
  ::kill(-pid_, SIGTERM);
  const base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (process) {
    pollfd entry{process.get(), POLLIN, 0};
    while (::poll(&entry, 1, 1000) < 0 && errno == EINTR) continue;
  }
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

std::string Proxy::complaint() const {
  char buffer[4096];
  const ssize_t count = ::read(errors_.get(), buffer, sizeof buffer);
  if (count <= 0) return {};
  std::string text = base::printable({buffer, static_cast<std::size_t>(count)});
  std::replace(text.begin(), text.end(), '\n', ' ');
  return std::string(base::trim(text));
}

}  // namespace staithe::ssh
