#include "proxy.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

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
  const char* wanted = ::getenv("SHELL");
  std::string shell = wanted == nullptr || *wanted == '\0' ? "/bin/sh" : wanted;
  std::string option = "-c", text = "exec " + command;
  char* const arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  const int problem = ::posix_spawn(&pid, shell.c_str(), &files, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  return problem;
}

/// Whether the process ends within `milliseconds`. It is not reaped: its number stays its own.
bool ends_within(pid_t pid, int milliseconds) {
  const base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return false;
  pollfd entry{process.get(), POLLIN, 0};
  int ready = 0;
  while ((ready = ::poll(&entry, 1, milliseconds)) < 0 && errno == EINTR) continue;
  return ready > 0;
}

/// What a shell says of a command that it cannot run, or does not find.
bool not_run(const siginfo_t& end) {
  return end.si_code == CLD_EXITED && (end.si_status == 126 || end.si_status == 127);
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
  ends_within(pid_, 1000);
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

namespace {

/// All that a message hands over: each is this process's to close.
std::vector<base::UniqueFd> descriptors_of(msghdr& message) {
  std::vector<base::UniqueFd> descriptors;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(head) + at, sizeof descriptor);
      descriptors.emplace_back(descriptor);
    }
  }
  return descriptors;
}

}  // namespace

base::UniqueFd Proxy::passed_socket(const base::Scope& scope) {
  if (base::wait_for(socket_.get(), POLLIN, scope) != base::Woke::ready) scope.check("the proxy command");
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  auto passed = count > 0 ? descriptors_of(message) : std::vector<base::UniqueFd>();
  if (passed.size() != 1)
    throw failure({ErrorCode::connect, "the proxy command hands over no connection (ProxyUseFdpass)"});
  return std::move(passed.front());
}

base::Error Proxy::failure(const base::Error& error) const {
  siginfo_t end{};
  const bool ended = ends_within(pid_, 250) &&
                     ::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                     end.si_pid == pid_;
  const std::string said = complaint();
  if (!ended) return said.empty() ? error : base::Error(error.code(), "the proxy command: " + said);
  return {not_run(end) ? ErrorCode::connect : error.code(),
          fmt::format("the proxy command ended with {} {}{}",
                      end.si_code == CLD_EXITED ? "exit status" : "signal", end.si_status,
                      said.empty() ? ", and said nothing" : ": " + said)};
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
