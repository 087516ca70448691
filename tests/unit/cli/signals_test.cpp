#include "signals.hpp"

#include "catch.hpp"

#include "staithe/base/unique_fd.hpp"

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

using namespace staithe;

namespace {

/// Counts wishes into `told`, a byte each, for a second after the first. Ends the process.
[[noreturn]] void count_wishes(int told) {
  exec::Stops stops;
  const cli::SignalThread thread(
      stops, [told](int, int) { [[maybe_unused]] const auto written = ::write(told, "w", 1); },
      [] { return false; });
  [[maybe_unused]] const auto written = ::write(told, "r", 1);
  ::sleep(1);
  ::_exit(0);
}

/// What a shell does whose terminal goes away: it passes that on, ends at its leisure, and then the kernel
/// tells the terminal's processes once more.
[[noreturn]] void shell(int told, int ready) {
  cli::block_signals();
  const pid_t job = ::fork();
  if (job == 0) count_wishes(told);
  char c = 0;
  if (::read(ready, &c, 1) != 1) ::_exit(1);
  ::kill(job, SIGHUP);
  ::usleep(250'000);
  ::_exit(0);
}

}  // namespace

TEST_CASE("a terminal that goes away is one wish, however long its shell takes to end") {
  std::array<int, 2> told{}, ready{};
  REQUIRE(::pipe(told.data()) == 0);
  REQUIRE(::pipe(ready.data()) == 0);
  const base::UniqueFd told_out(told[0]), ready_in(ready[1]);
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) shell(told[1], ready[0]);
  const base::UniqueFd held(terminal);
  ::close(told[1]);
  ::close(ready[0]);
  std::string seen;
  char c = 0;
  while (::read(told_out.get(), &c, 1) == 1) {
    seen += c;
    if (c == 'r') REQUIRE(::write(ready_in.get(), "g", 1) == 1);
  }
  CHECK(seen == "rw");
  CHECK(::waitpid(child, nullptr, 0) == child);
}
