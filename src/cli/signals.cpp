#include "signals.hpp"

#include "exit_codes.hpp"

#include "staithe/base/error.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace staithe::cli {
namespace {

/// A held key repeats every 30 ms or so, after a pause that may be as long as between two presses. So a press
/// is one only once no other has followed it so closely; the first acts at once.
constexpr base::Duration key_repeats{120};
/// A closing terminal and timeout(1) send two at once, some programs pass on what the terminal has sent
/// already: that is one wish.
constexpr base::Duration sent_in_twos{500};

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
}

base::UniqueFd open_signals() {
  const sigset_t set = handled();
  base::UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) throw base::system_error(base::ErrorCode::failed, "signalfd", errno);
  return signals;
}

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow is an error to be told, not a death.
  std::signal(SIGXFSZ, SIG_IGN);
}

SignalThread::SignalThread(exec::Stops& stops, Say say, HangUp hang_up)
    : stops_(stops),
      say_(std::move(say)),
      hang_up_(std::move(hang_up)),
      signals_(open_signals()),
      thread_([this] { listen(); }) {}

SignalThread::~SignalThread() {
  end_.request();
}

/// Tells wishes from what a held key, a closing terminal or a program that passes signals on says again.
class SignalThread::Wishes {
 public:
  enum class Heard {
    echo,     ///< of what was heard: says nothing new
    wish,     ///< acts at once
    perhaps,  ///< a press, unless another follows closely
    repeat    ///< of a held key: the press before was none
  };

  Heard hear(const signalfd_siginfo& info) {
    const auto now = Clock::now();
    const auto since = std::chrono::duration_cast<base::Duration>(now - std::exchange(last_, now));
    // A terminal that is gone says so once more when the shell has ended, which may take a while.
    const bool by_key = info.ssi_code == SI_KERNEL && info.ssi_signo != SIGHUP;
    if (!heard_) return first();
    if (!by_key) return since < sent_in_twos ? Heard::echo : Heard::wish;
    return since < key_repeats ? Heard::repeat : Heard::perhaps;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Heard first() {
    heard_ = true;
    return Heard::wish;
  }

  Clock::time_point last_{};
  bool heard_ = false;
};

void SignalThread::listen() {
  Wishes wishes;
  int press = 0;  // the signal of one that waits to be one
  const auto settle = [&] {
    if (press != 0) act(std::exchange(press, 0));
  };
  for (;;) {
    const base::Duration patience = press != 0 ? key_repeats : base::Duration(std::chrono::hours(24 * 365));
    const auto woke = base::wait_for(signals_.get(), POLLIN, base::Scope::lasting(patience, &end_));
    if (woke == base::Woke::cancelled) return;
    if (woke == base::Woke::deadline) {
      settle();
      continue;
    }
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGHUP && hang_up_()) continue;
    switch (wishes.hear(info)) {
      case Wishes::Heard::echo:
        break;
      case Wishes::Heard::wish:
        settle();
        act(number);
        break;
      case Wishes::Heard::perhaps:
        settle();
        press = number;
        break;
      case Wishes::Heard::repeat:
        press = 0;
        break;
    }
  }
}

void SignalThread::act(int number) {
  ++count_;
  if (count_ == 1) stops_.exit_code = number == SIGINT ? exit_interrupted : exit_terminated;
  // The journal holds everything that is under way: recover puts it right.
  if (count_ >= 3) ::_exit(stops_.exit_code);
  (count_ == 1 ? stops_.soft : stops_.hard).request();
  say_(count_, number);
}

}  // namespace staithe::cli
