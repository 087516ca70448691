#include "signals.hpp"

#include "catch.hpp"

#include "staithe/base/unique_fd.hpp"

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace staithe;

namespace {

/// Counts wishes into `told`, a byte each, for some seconds. Ends the process.
[[noreturn]] void count_wishes(int told, unsigned seconds) {
  exec::Stops stops;
  const cli::SignalThread thread(
      stops, [told](int, int) { [[maybe_unused]] const auto written = ::write(told, "w", 1); },
      [] { return false; });
  [[maybe_unused]] const auto written = ::write(told, "r", 1);
  ::sleep(seconds);
  ::_exit(0);
}

/// What a shell does whose terminal goes away: it passes that on, ends at its leisure, and then the kernel
/// tells the terminal's processes once more.
[[noreturn]] void shell(int told, int ready) {
  cli::block_signals();
  const pid_t job = ::fork();
  if (job == 0) count_wishes(told, 1);
  char c = 0;
  if (::read(ready, &c, 1) != 1) ::_exit(1);
  ::kill(job, SIGHUP);
  ::usleep(250'000);
  ::_exit(0);
}

/// How a press reaches the process.
enum class Way { terminal, passed_on_too };

/// How many wishes a person has who presses Ctrl-C after these pauses, in milliseconds; none when this
/// machine was too busy to press in time.
std::optional<std::size_t> wishes_once(const std::vector<int>& pauses, Way way) {
  std::array<int, 2> told{};
  REQUIRE(::pipe(told.data()) == 0);
  const base::UniqueFd told_out(told[0]);
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    cli::block_signals();
    count_wishes(told[1], 3);
  }
  const base::UniqueFd held(terminal);
  ::close(told[1]);
  char c = 0;
  REQUIRE(::read(told_out.get(), &c, 1) == 1);
  using Clock = std::chrono::steady_clock;
  bool in_time = true;
  for (const int pause : pauses) {
    const auto until = Clock::now() + std::chrono::milliseconds(pause);
    std::this_thread::sleep_until(until);
    in_time = in_time && Clock::now() - until < std::chrono::milliseconds(40);
    REQUIRE(::write(terminal, "\x03", 1) == 1);
    if (way == Way::terminal) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    ::kill(child, SIGINT);
  }
  std::size_t wishes = 0;
  while (::read(told_out.get(), &c, 1) == 1) ++wishes;
  CHECK(::waitpid(child, nullptr, 0) == child);
  return in_time ? std::optional(wishes) : std::nullopt;
}

std::size_t wishes_of(const std::vector<int>& pauses, Way way = Way::terminal) {
  for (int tries = 0; tries < 60; ++tries)
    if (const auto wishes = wishes_once(pauses, way)) return *wishes;
  FAIL("this machine is too busy to press a key in time");
  return 0;
}

}  // namespace

TEST_CASE("a key that is held is one wish, and two presses are two however quick") {
  // The first repeat comes after a pause, the others closely.
  std::vector<int> held{0, 400};
  held.insert(held.end(), 10, 30);
  CHECK(wishes_of(held) == 1);
  CHECK(wishes_of({0, 200}) == 2);
  held.push_back(400);
  CHECK(wishes_of(held) == 2);
}

TEST_CASE("a program around it that passes Ctrl-C on makes of each press no more and no less than one") {
  CHECK(wishes_of({0}, Way::passed_on_too) == 1);
  CHECK(wishes_of({0, 800}, Way::passed_on_too) == 2);
}

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
