#include "signals.hpp"

#include "exit_codes.hpp"

#include "staithe/base/error.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace staithe::cli {
namespace {

/// A held key repeats every 30 ms or so; who presses it twice takes longer. Its first repeat comes only after
/// a quarter of a second or more, and so counts as a second press; those after it do not.
constexpr std::chrono::milliseconds key_repeats{100};
/// A closing terminal and timeout(1) send two at once, some programs pass on what the terminal has sent
/// already: that is one wish.
constexpr std::chrono::milliseconds sent_in_twos{500};

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  return set;
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
    : stops_(stops), say_(std::move(say)), hang_up_(std::move(hang_up)), thread_([this] { listen(); }) {}

SignalThread::~SignalThread() {
  end_.request();
}

void SignalThread::listen() {
  const sigset_t set = handled();
  const base::UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!signals) throw base::system_error(base::ErrorCode::failed, "signalfd", errno);
  const auto forever = base::Scope::lasting(std::chrono::hours(24 * 365), &end_);
  using Clock = std::chrono::steady_clock;
  Clock::time_point last{};
  int count = 0;
  while (base::wait_for(signals.get(), POLLIN, forever) == base::Woke::ready) {
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGHUP && hang_up_()) continue;
    // A terminal that is gone says so once more when the shell has ended, which may take a while.
    const bool by_key = info.ssi_code == SI_KERNEL && number != SIGHUP;
    const bool same_wish = Clock::now() - last < (by_key ? key_repeats : sent_in_twos);
    last = Clock::now();
    if (same_wish) continue;
    ++count;
    if (count == 1) stops_.exit_code = number == SIGINT ? exit_interrupted : exit_terminated;
    // The journal holds everything that is under way: recover puts it right.
    if (count >= 3) ::_exit(stops_.exit_code);
    (count == 1 ? stops_.soft : stops_.hard).request();
    say_(count, number);
  }
}

}  // namespace staithe::cli
