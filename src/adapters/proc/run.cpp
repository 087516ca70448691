#include "staithe/proc/run.hpp"

#include "kept.hpp"
#include "launch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace staithe::proc {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;
using base::Scope;
using Clock = std::chrono::steady_clock;

constexpr Duration pipe_grace{300};       // for descendants that hold the output open
constexpr Duration judgement_delay{250};  // for our own signal to arrive after the child's
constexpr Duration kill_grace{5'000};     // a process in uninterruptible sleep does not even die by SIGKILL
constexpr Duration blind_poll{20};        // where the kernel has no pidfd

std::string name_of(const Command& command) {
  return command.argv.empty() ? "sh" : base::printable(command.argv.front());
}

/// By its number, because the header of glibc 2.36 declares the wrapper without C linkage.
base::UniqueFd open_pidfd(pid_t pid) {
  return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// A running program: reads its output, ends it when asked, and never leaves a zombie behind.
class Child {
 public:
  Child(const Command& command, const OutputSink& sink)
      : command_(command),
        sink_(sink),
        started_(Clock::now()),
        launched_(launch(command)),
        pidfd_(open_pidfd(launched_.pid)),
        kept_out_(command.keep_bytes),
        kept_err_(command.keep_bytes) {}

  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ~Child() {
    if (reaped_) return;
    signal_group(SIGKILL);
    // After kill_grace the process is past killing: waiting for it here would hang us.
    const int options = phase_ == Phase::killing && !exited_ ? WNOHANG : 0;
    while (::waitpid(launched_.pid, nullptr, options) < 0 && errno == EINTR) {
    }
  }

  Exit wait(const Scope& scope) {
    while (!finished(scope)) {
      step(scope);
      if (!exited_) look_for_exit();
    }
    drain();
    if (phase_ != Phase::running) signal_group(SIGKILL);
    return reap();
  }

  bool stopped() const noexcept { return phase_ != Phase::running; }

 private:
  enum class Phase { running, terminating, killing };

  /// True when nothing more is to be waited for; moves on to SIGTERM and SIGKILL when their time has come.
  bool finished(const Scope& scope) {
    const auto now = Clock::now();
    if (exited_) {
      if (!launched_.out && !launched_.err && !launched_.channel) return true;
      // What has ended by itself is judged by its status, also when the stop comes now.
      const bool stop = phase_ == Phase::running && (scope.cancelled() || now >= scope.deadline);
      left_running_ = stop || now >= until_;
      return left_running_;
    }
    if (phase_ == Phase::running && (scope.cancelled() || now >= scope.deadline)) {
      enter(Phase::terminating, SIGTERM, command_.term_grace);
    } else if (phase_ == Phase::terminating && now >= until_) {
      enter(Phase::killing, SIGKILL, kill_grace);
    } else if (phase_ == Phase::killing && now >= until_) {
      throw Error(ErrorCode::failed, name_of(command_) + " (process " + std::to_string(launched_.pid) +
                                         ") does not end, not even by SIGKILL");
    }
    return false;
  }

  void enter(Phase phase, int signal, Duration grace) {
    phase_ = phase;
    until_ = Clock::now() + grace;
    signal_group(signal);
  }

  void signal_group(int signal) const noexcept { ::kill(-launched_.pid, signal); }

  void step(const Scope& scope) {
    const bool watched = phase_ == Phase::running && !exited_;
    std::array<pollfd, 5> entries{
        {{launched_.out.get(), POLLIN, 0},
         {launched_.err.get(), POLLIN, 0},
         {launched_.channel.get(), POLLIN, 0},
         {exited_ ? -1 : pidfd_.get(), POLLIN, 0},
         {phase_ == Phase::running && scope.cancel != nullptr ? scope.cancel->fd() : -1, POLLIN, 0}}};
    auto rest = std::chrono::ceil<Duration>((watched ? scope.deadline : until_) - Clock::now());
    if (!exited_ && !pidfd_) rest = std::min(rest, blind_poll);
    rest = std::clamp(rest, Duration::zero(), Duration{3'600'000});
    if (::poll(entries.data(), entries.size(), static_cast<int>(rest.count())) < 0 && errno != EINTR)
      throw base::system_error(ErrorCode::io, "poll", errno);
    if (entries[0].revents != 0) read_some(Stream::out);
    if (entries[1].revents != 0) read_some(Stream::err);
    if (entries[2].revents != 0) read_some(Stream::channel);
  }

  /// One read, so that a flood on one stream starves neither the other nor the stop. True: there may be more.
  bool read_some(Stream stream) {
    base::UniqueFd& fd = stream == Stream::out   ? launched_.out
                         : stream == Stream::err ? launched_.err
                                                 : launched_.channel;
    if (!fd) return false;
    const ssize_t count = ::read(fd.get(), buffer_.data(), buffer_.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return errno == EINTR;
    if (count <= 0) {
      fd.reset();
      return false;
    }
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
    if (stream != Stream::channel) (stream == Stream::out ? kept_out_ : kept_err_).add(bytes);
    if (sink_) sink_(stream, bytes);
    return true;
  }

  /// What is in the pipes already; bounded, because a descendant may write for ever.
  void drain() {
    for (const Stream stream : {Stream::out, Stream::err, Stream::channel})
      for (int round = 0; round < 16 && read_some(stream); ++round) {
      }
  }

  /// The process stays a zombie until reap(), so that its group's number cannot be given to somebody else.
  void look_for_exit() {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(launched_.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno == EINTR) return;
      throw base::system_error(ErrorCode::failed, "waiting for " + name_of(command_), errno);
    }
    if (info.si_pid == 0) return;
    exited_ = true;
    until_ = Clock::now() + pipe_grace;
  }

  Exit reap() {
    int status = 0;
    while (::waitpid(launched_.pid, &status, 0) < 0)
      if (errno != EINTR)
        throw base::system_error(ErrorCode::failed, "waiting for " + name_of(command_), errno);
    reaped_ = true;
    Exit exit;
    if (WIFEXITED(status)) exit.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
    exit.out = kept_out_.text();
    exit.err = kept_err_.text();
    exit.out_bytes = kept_out_.total();
    exit.err_bytes = kept_err_.total();
    exit.duration = std::chrono::duration_cast<Duration>(Clock::now() - started_);
    exit.left_running = left_running_;
    return exit;
  }

  const Command& command_;
  const OutputSink& sink_;
  Clock::time_point started_;
  Launched launched_;
  base::UniqueFd pidfd_;
  Kept kept_out_;
  Kept kept_err_;
  std::array<char, 65536> buffer_{};
  Phase phase_ = Phase::running;
  Clock::time_point until_{};
  bool exited_ = false;
  bool reaped_ = false;
  bool left_running_ = false;
};

/// Also as a shell reports the death of what it ran.
bool died_of_a_stop(const Exit& exit) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT})
    if (exit.signal == signal || exit.status == 128 + signal) return true;
  return false;
}

}  // namespace

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

std::string Exit::text() const {
  return signal != 0 ? "killed by " + signal_name(signal) : "exit status " + std::to_string(status);
}

Exit run(const Command& command, const OutputSink& sink, const Scope& scope) {
  scope.check("starting a program");
  Child child(command, sink);
  Exit exit = child.wait(scope);
  if (!child.stopped()) {
    if (scope.cancel == nullptr || !died_of_a_stop(exit)) return exit;
    if (base::wait_for(-1, 0, scope.at_most(judgement_delay)) != base::Woke::cancelled) return exit;
  }
  if (scope.cancelled())
    throw Error(ErrorCode::cancelled, name_of(command) + " was stopped (" + exit.text() + ")");
  throw Error(ErrorCode::timeout, name_of(command) + " took too long and was stopped (" + exit.text() + ")");
}

Exit run(const Command& command, const Scope& scope) {
  return run(command, OutputSink(), scope);
}

}  // namespace staithe::proc
