#include "staithe/base/cancel.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

using namespace staithe::base;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

Duration spent(SteadyTime since) {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - since);
}

}  // namespace

TEST_CASE("a wait ends when the descriptor is ready") {
  Pipe pipe;
  REQUIRE(::write(pipe.write.get(), "x", 1) == 1);
  CHECK(wait_for(pipe.read.get(), POLLIN, Scope::lasting(10s)) == Woke::ready);
  pipe.write.reset();
  char byte = 0;
  REQUIRE(::read(pipe.read.get(), &byte, 1) == 1);
  // The other side has hung up: that counts as ready.
  CHECK(wait_for(pipe.read.get(), POLLIN, Scope::lasting(10s)) == Woke::ready);
}

TEST_CASE("a wait ends at its deadline and not before") {
  const Pipe pipe;
  const auto start = std::chrono::steady_clock::now();
  CHECK(wait_for(pipe.read.get(), POLLIN, Scope::lasting(30ms)) == Woke::deadline);
  CHECK(spent(start) >= 30ms);
  CHECK(wait_for(-1, 0, Scope::lasting(-1s)) == Woke::deadline);
}

TEST_CASE("a request from another thread ends a wait, now and for ever") {
  Cancel cancel;
  const Scope scope = Scope::lasting(1min, &cancel);
  CHECK_FALSE(scope.cancelled());
  const auto start = std::chrono::steady_clock::now();
  std::thread other([&] { cancel.request(); });
  CHECK(wait_for(-1, 0, scope) == Woke::cancelled);
  other.join();
  CHECK(spent(start) < 30s);
  cancel.request();
  CHECK(sleep_for(1min, scope) == Woke::cancelled);
  CHECK(scope.cancelled());
  // Without the canceller the same work is shielded.
  CHECK(sleep_for(1ms, Scope::lasting(1min)) == Woke::ready);
}

TEST_CASE("a sleep is ready after its time and cut at the scope's") {
  CHECK(sleep_for(5ms, Scope::lasting(1min)) == Woke::ready);
  const auto start = std::chrono::steady_clock::now();
  CHECK(sleep_for(1min, Scope::lasting(5ms)) == Woke::deadline);
  CHECK(spent(start) < 30s);
}

TEST_CASE("scopes only become narrower") {
  Cancel cancel;
  const Scope scope = Scope::lasting(1min, &cancel);
  CHECK(scope.at_most(1h).deadline == scope.deadline);
  CHECK(scope.at_most(1s).deadline < scope.deadline);
  CHECK(scope.at_most(1s).cancel == &cancel);
  CHECK(Scope::lasting(-1h).left() == 0ms);
  CHECK(Scope::lasting(-1h).expired());
  CHECK_NOTHROW(scope.check("the test"));
}

TEST_CASE("check says what was waited for") {
  Cancel cancel;
  try {
    Scope::lasting(-1s, &cancel).check("the answer");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::timeout);
    CHECK_THAT(error.what(), ContainsSubstring("the answer took too long"));
  }
  cancel.request();
  try {
    Scope::lasting(-1s, &cancel).check("the answer");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::cancelled);
  }
}

TEST_CASE("errors carry their contexts, outermost first") {
  const Error error(ErrorCode::host_key, "host key changed");
  const Error outer = error.within("connect").within("web1");
  CHECK(std::string(outer.what()) == "web1: connect: host key changed");
  CHECK(outer.code() == ErrorCode::host_key);
  CHECK(name_of(outer.code()) == "host_key");
  CHECK(std::string(system_error(ErrorCode::not_found, "f", ENOENT).what()) ==
        "f: No such file or directory");
}

TEST_CASE("a descriptor is closed once, by its last owner") {
  Pipe pipe;
  const int number = pipe.read.get();
  UniqueFd moved = std::move(pipe.read);
  CHECK_FALSE(pipe.read);
  CHECK(::fcntl(number, F_GETFD) >= 0);
  moved = UniqueFd();
  CHECK(::fcntl(number, F_GETFD) == -1);
  UniqueFd released = std::move(pipe.write);
  const int raw = released.release();
  CHECK_FALSE(released);
  CHECK(::close(raw) == 0);
}
