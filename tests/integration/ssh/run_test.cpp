#include "catch.hpp"
#include "fixture.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

long peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// A command that sleeps longer than any test waits, and that no other program on the machine runs, nor
/// another run of this one.
std::string nap(int number) {
  return "sleep " + std::to_string(number) + "." + std::to_string(::getpid());
}

bool naps(int number) {
  std::string line = nap(number);
  line[line.find(' ')] = '\0';
  return process_with(line);
}

}  // namespace

TEST_CASE("a script's streams, status and signal come back apart and exact") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());

  Exit exit = run(*session, "echo out; echo err >&2; exit 3");
  CHECK(exit.status == 3);
  CHECK(exit.signal.empty());
  CHECK(exit.out == "out\n");
  CHECK(exit.err == "err\n");

  exit = run(*session, "kill -KILL $$");
  CHECK(exit.status == -1);
  CHECK(exit.signal == "KILL");
  CHECK(describe(exit) == "signal KILL");

  const std::string odd = "it's \"odd\" $HOME `id` \\n * ~";
  exit = run(*session, "cat <<'END'\n" + odd + "\nEND\nprintf '%s' \"a'b\"");
  CHECK(exit.out == odd + "\na'b");

  CHECK(run(*session, "cat; echo end").out == "end\n");  // standard input is empty
  CHECK(run(*session, "trap 'echo int' INT; kill -INT $$").out == "int\n");
  CHECK(run(*session, "sleep 0.05 & wait; echo done").out == "done\n");
  // A program that waits for any child must not see the leash as one.
  CHECK(run(*session, "exec perl -e '1 while wait() != -1; print qq(none)'").out == "none");
  // Nor does a search of command lines find it.
  CHECK(run(*session, "exec pgrep -f staithe-no-such-program-" + std::to_string(::getpid())).status == 1);

  CHECK(session->alive());
  CHECK(session->timings().first_command.count() > 0);
  CHECK(session->negotiated().cipher_out == "aes128-gcm@openssh.com");
  CHECK(session->negotiated().identity == server.key());
  CHECK(session->negotiated().server_banner.find("OpenSSH") != std::string::npos);
}

TEST_CASE("the first command does not wait for an acknowledgement that is delayed by 40 ms") {
  const Server server;
  Engine engine(accept_all());
  const auto none = std::chrono::microseconds::max();
  auto first = none, second = none;
  // How long the machine takes for a command says the next one, for which nothing is delayed. One pair that
  // was lucky on a busy machine is enough; without quick acknowledgements none is.
  const auto delayed = [&] { return first - second > std::chrono::milliseconds(25); };
  for (int i = 0; i < 20 && (i == 0 || delayed()); ++i) {
    const auto session = engine.connect(server.endpoint(), soon());
    CHECK(run(*session, ":").ok());
    first = std::min(first, session->timings().first_command);
    const auto began = Clock::now();
    CHECK(run(*session, ":").ok());
    second = std::min(second, std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began));
  }
  CHECK_FALSE(delayed());
}

TEST_CASE("inputs reach the script as variables whatever they hold, and no command line") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  std::string every;
  for (int byte = 1; byte < 256; ++byte) every += static_cast<char>(byte);
  Command command;
  command.inputs = {
      {"TOKEN", "s3cret-of-ssh-\\n-\\\\x\nline two\n\n"}, {"EVERY", every}, {"EMPTY", ""}, {"_a1", " x "}};
  command.script =
      "printf '%s|%s|%s' \"$TOKEN\" \"$EMPTY\" \"$_a1\"; printf %s \"$EVERY\" | od -An -tx1 -v | tr -d ' "
      "\\n' >&2\n"
      "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 's3cret-of-ss[h]'; true";
  const Exit exit = session->run(command, nullptr, soon());
  CHECK(exit.out == "s3cret-of-ssh-\\n-\\\\x\nline two\n\n|| x 0\n");
  std::string hex;
  for (int byte = 1; byte < 256; ++byte) {
    hex += "0123456789abcdef"[byte / 16];
    hex += "0123456789abcdef"[byte % 16];
  }
  CHECK(exit.err == hex);
  CHECK(leash(command).find("s3cret-of-ssh") == std::string::npos);

  Command piped;
  piped.inputs = {{"NAME", "value"}};
  piped.stdin_bytes = std::string(300'000, 'x') + "\n\\end";
  piped.script = "echo $NAME; cat | wc -c; cat";
  CHECK(session->run(piped, nullptr, soon()).out == "value\n300005\n");
}

TEST_CASE("a flood on both streams is drained, counted, and kept only in part") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Exit small = run(*session, "head -c 5000000 /dev/zero >&2; echo end");
  CHECK(small.err_bytes == 5'000'000);
  CHECK(small.err_truncated);
  CHECK(small.out == "end\n");

  const long before = peak_kilobytes();
  std::uint64_t seen = 0;
  Command command;
  command.script = "echo first; head -c 104857600 /dev/zero; echo last";
  const Exit exit = session->run(
      command, [&](Stream, std::string_view bytes) { seen += bytes.size(); }, within(120'000));
  CHECK(exit.status == 0);
  CHECK(exit.out_bytes == 104'857'600 + 11);
  CHECK(seen == exit.out_bytes);
  CHECK(exit.out.size() < 66'000);
  CHECK(exit.out.substr(0, 6) == "first\n");
  CHECK(exit.out.substr(exit.out.size() - 5) == "last\n");
  CHECK(exit.out.find("left out]") != std::string::npos);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(peak_kilobytes() - before < 8 * 1024);
#else
  CHECK(before > 0);
#endif
}

TEST_CASE("a child left in the background with the output open does not hold the step") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Exit exit = run(*session, nap(531) + " & echo started");  // it sleeps longer than this waits
  CHECK(exit.out == "started\n");
  // It was left on purpose: the leash lets it be.
  base::sleep_for(base::Duration(300), soon());
  CHECK(naps(531));
  shell("pkill -f '^" + nap(531) + "$'");
}

TEST_CASE("the time that who takes the output needs for it does not cut its end off") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  constexpr std::size_t whole = 4'000'000;
  std::size_t got = 0;
  // On a busy machine the server itself may need longer than a child in the background may hold a step.
  for (int round = 0; round < 5 && got < whole; ++round) {
    got = 0;
    int slow = 4;
    Command command;
    command.script = "(sleep 0.05; head -c " + std::to_string(whole) + " /dev/zero) & exit 0";
    const auto sink = [&](Stream, std::string_view bytes) {
      got += bytes.size();
      if (slow-- > 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    };
    CHECK(session->run(command, sink, soon()).status == 0);
  }
  CHECK(got == whole);
}

TEST_CASE("a deadline, a stop and silence end the whole process group and keep the session") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  Command command;
  command.script = nap(532) + " & sh -c '" + nap(532) + "; :' | cat";

  SECTION("deadline") {
    const Caught error = caught([&] { session->run(command, nullptr, within(500)); });
    CHECK(error.code == ErrorCode::timeout);
  }
  SECTION("stop") {
    base::Cancel cancel;
    std::thread stopper([&] {
      CHECK(eventually([] { return naps(532); }));
      cancel.request();
    });
    const Caught error = caught([&] { session->run(command, nullptr, soon(&cancel)); });
    stopper.join();
    CHECK(error.code == ErrorCode::cancelled);
  }
  SECTION("silence") {
    command.silence_timeout = base::Duration(400);
    const Caught error = caught([&] { session->run(command, nullptr, soon()); });
    CHECK(error.code == ErrorCode::timeout);
    CHECK(error.text == "no output for 400ms");
  }
  SECTION("what the sink throws") {
    command.script += " & echo out; wait";
    const Caught error = caught([&] {
      session->run(
          command, [](Stream, std::string_view) { throw base::Error(ErrorCode::failed, "full"); }, soon());
    });
    CHECK(error.text == "full");
  }
  CHECK(eventually([] { return !naps(532); }));
  CHECK(session->alive());
  CHECK(run(*session, "echo again").out == "again\n");
}

TEST_CASE("a process group that ignores TERM is killed after three seconds, which nobody waits for") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  Command command;
  command.script = "trap '' TERM; " + nap(533) + "; " + nap(533);
  bool left_running = false;
  // On a busy machine the three seconds may be over before this thread is back.
  for (int round = 0; round < 5 && !left_running; ++round) {
    base::Cancel cancel;
    Clock::time_point stopped;
    std::thread stopper([&] {
      CHECK(eventually([] { return naps(533); }));
      stopped = Clock::now();
      cancel.request();
    });
    const Caught error = caught([&] { session->run(command, nullptr, soon(&cancel)); });
    stopper.join();
    CHECK(error.code == ErrorCode::cancelled);
    left_running = naps(533);
    CHECK(eventually([] { return !naps(533); }));
    CHECK(Clock::now() - stopped >= std::chrono::milliseconds(2900));
  }
  CHECK(left_running);
  CHECK(run(*session, "echo again").out == "again\n");
}

TEST_CASE("the client's sudden death ends what it started") {
  const Server server;
  const std::string command = nap(534) + "; :";
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      Engine engine(accept_all());
      const auto session = engine.connect(server.endpoint(), soon());
      run(*session, command);
    } catch (...) {
    }
    ::_exit(1);
  }
  CHECK(eventually([] { return naps(534); }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(eventually([] { return !naps(534); }));
}

TEST_CASE("a server that dies in a step is an error, not an end") {
  Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  std::thread killer([&] {
    CHECK(eventually([] { return naps(535); }));
    server.kill_all();
  });
  const Caught error = caught([&] { run(*session, "echo before; " + nap(535) + "; :"); });
  killer.join();
  CHECK(error.code == ErrorCode::io);
  CHECK_THAT(error.text, ContainsSubstring("connection lost"));
  CHECK_FALSE(session->alive());
  CHECK(caught([&] { run(*session, "true"); }).code == ErrorCode::io);
  CHECK(eventually([] { return !naps(535); }));
}

TEST_CASE("after the first, a command costs one round trip, and a second for its inputs") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  run(*session, "true");
  const auto trips_of_fifty = [&](const Command& command) {
    const auto before = session->traffic().round_trips;
    for (int i = 0; i < 50; ++i) CHECK(session->run(command, nullptr, soon()).ok());
    return session->traffic().round_trips - before;
  };
  Command command;
  command.script = "true";
  const auto at_most = [&](std::uint64_t most) {
    constexpr std::uint64_t split_answers =
        2;  // a busy server may send one in two pieces, or many in this round
    for (int round = 0; round < 10; ++round)
      if (trips_of_fifty(command) <= most + split_answers) return true;
    return false;
  };
  CHECK(at_most(50));
  command.inputs = {{"A", "b"}};
  CHECK(at_most(100));
}

TEST_CASE("for the last command no channel is asked for ahead") {
  const Server server;
  Engine engine(accept_all());
  const auto sent_by = [&](bool more_follow) {
    const auto session = engine.connect(server.endpoint(), soon());
    const auto before = session->traffic().sent_bytes;
    Command command;
    command.script = "true";
    command.more_follow = more_follow;
    CHECK(session->run(command, nullptr, soon()).ok());
    return session->traffic().sent_bytes - before;
  };
  // The request to open a channel: "session", three numbers, padding and a MAC.
  constexpr std::uint64_t opening = 48;
  const auto last = sent_by(false);
  // Nothing is asked for ahead either when the answer was there at once, as on a busy machine.
  auto others = sent_by(true);
  for (int round = 0; round < 30 && others < last + opening; ++round) others = sent_by(true);
  CHECK(last + opening <= others);
}

TEST_CASE("a server without free channels is asked again, then named") {
  const Server server("MaxSessions 1");
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  for (int i = 0; i < 20; ++i) CHECK(run(*session, "true").ok());

  const Server none("MaxSessions 0");
  const auto closed = engine.connect(none.endpoint(), soon());
  CHECK(caught([&] { run(*closed, "true"); }).code == ErrorCode::channel_denied);
}

TEST_CASE("a stop at any moment is obeyed at once and leaves nothing running") {
  const Server server;
  Engine engine(accept_all());
  std::minstd_rand random(7);
  for (int trial = 0; trial < 30; ++trial) {
    base::Cancel cancel;
    const base::Duration delay(std::uniform_int_distribution<int>(0, 120)(random));
    base::SteadyTime stopped_at;
    std::thread stopper([&] {
      base::sleep_for(delay, soon());
      stopped_at = Clock::now();
      cancel.request();
    });
    const Caught error = caught([&] {
      const base::Scope scope = soon(&cancel);
      const auto session = engine.connect(server.endpoint(), scope);
      session->upload(Upload::of(server.directory() / "file", "text"), scope);
      Command command;
      command.inputs = {{"A", "b"}};
      command.script = nap(536) + "; :";
      session->run(command, nullptr, scope);
    });
    stopper.join();
    CHECK(error.code == ErrorCode::cancelled);
    CHECK(Clock::now() - stopped_at < std::chrono::seconds(20));
  }
  CHECK(eventually([] { return !naps(536); }));
}
