#include "catch.hpp"
#include "recording.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <semaphore>
#include <sstream>
#include <thread>

using namespace staithe;
using namespace staithe::test;

namespace {

class Recorder final : public report::Sink {
 public:
  void on_event(const Event& event) noexcept override {
    entered_ += 1;
    if (entered_ != 1) overlapped = true;
    events.push_back(event);
    entered_ -= 1;
  }
  void on_tick(std::chrono::steady_clock::time_point) noexcept override { ++ticks; }
  void finish() noexcept override { ++finished; }

  std::vector<Event> events;
  std::atomic<int> ticks{0};
  int finished = 0;
  bool overlapped = false;

 private:
  std::atomic<int> entered_{0};
};

struct Pipe {
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  base::UniqueFd read, write;
};

}  // namespace

TEST_CASE("pump: every event of many threads arrives once, each thread's in its order") {
  constexpr std::uint64_t threads = 8;
  constexpr std::uint64_t each = 5000;
  Recorder recorder;
  {
    report::Pump pump({&recorder});
    std::vector<std::thread> senders;
    for (std::uint64_t t = 0; t < threads; ++t)
      senders.emplace_back([&pump, t] {
        for (std::uint64_t i = 0; i < each; ++i)
          pump.on_event({{}, i, std::to_string(t), Message{Level::info, "", ""}});
      });
    for (auto& sender : senders) sender.join();
  }
  REQUIRE(recorder.events.size() == threads * each);
  CHECK_FALSE(recorder.overlapped);
  CHECK(recorder.finished == 1);
  std::map<std::string, std::uint64_t> next;
  bool in_order = true;
  for (const auto& event : recorder.events) in_order = in_order && next[event.run_id]++ == event.seq;
  CHECK(in_order);
}

TEST_CASE("pump: it ticks while nothing happens, and ignores what comes too late") {
  Recorder recorder;
  report::Pump pump({&recorder});
  for (int i = 0; i < 3000 && recorder.ticks < 2; ++i) std::this_thread::sleep_for(milliseconds(20));
  CHECK(recorder.ticks >= 2);
  pump.close();
  pump.on_event({{}, 1, "", Message{Level::info, "", ""}});
  pump.close();
  CHECK(recorder.events.empty());
  CHECK(recorder.finished == 1);
}

TEST_CASE("pump: a closed pipe is remembered and hurts nobody") {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.read.reset();
  report::Output output(pipe.write.get());
  const auto sink = report::make_lines(output, {});
  {
    report::Pump pump({sink.get()});
    const auto run = success();
    for (const auto& event : run.events()) pump.on_event(event);
  }
  CHECK(output.failed());
  CHECK(output.error() == EPIPE);
  CHECK_THAT(sink->problem(), ContainsSubstring("roken pipe"));
}

TEST_CASE("output: what goes on after errors writes again when there is room, on a line of its own") {
  const std::string large(1'000'000, 'x');
  for (const bool goes_on : {false, true}) {
    CAPTURE(goes_on);
    Pipe pipe;
    REQUIRE(::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK) == 0);
    report::Output output(pipe.write.get());
    if (goes_on) output.go_on_after_errors();
    output.write(large);
    CHECK(output.error() == EAGAIN);
    output.write("lost\n");
    CHECK(output.error() == EAGAIN);
    std::string got(large.size(), '\0');
    CHECK(::read(pipe.read.get(), got.data(), got.size()) > 0);
    output.write("again\n");
    output.write("and again\n");
    CHECK(output.failed() != goes_on);
    pipe.write.reset();
    const auto n = ::read(pipe.read.get(), got.data(), got.size());
    got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    CHECK(got == (goes_on ? "\nagain\nand again\n" : ""));
  }
}

TEST_CASE("output: who has stopped reading keeps nobody waiting, and what is left out is said in its place") {
  using namespace std::chrono_literals;
  const auto begun = std::chrono::steady_clock::now();
  const auto within = [&](auto limit) { return std::chrono::steady_clock::now() - begun < limit; };
  Pipe pipe;
  std::string got;
  {
    report::Output output(pipe.write.get());
    output.write_behind(200'000, [](std::size_t texts) { return fmt::format("{} left out\n", texts); });
    for (int i = 0; i < 10'000; ++i) output.write(fmt::format("{:099}\n", i));  // 1 MB
    CHECK(within(60s));
    std::thread reader([&, fd = pipe.read.get()] {
      char bytes[65536];
      for (ssize_t n = 0; (n = ::read(fd, bytes, sizeof bytes)) > 0;)
        got.append(bytes, static_cast<std::size_t>(n));
    });
    output.write_through();
    output.write("at once\n");
    pipe.write.reset();
    reader.join();
  }
  std::istringstream lines(got);
  std::size_t next = 0, left_out = 0;
  for (std::string line; std::getline(lines, line) && line != "at once";) {
    if (line.ends_with(" left out"))
      next += std::stoul(line), left_out += std::stoul(line);
    else
      CHECK(std::stoul(line) == next++);
  }
  CHECK(next == 10'000);
  CHECK(left_out > 5'000);
  CHECK(left_out < 9'000);
  CHECK(got.ends_with("at once\n"));
}

TEST_CASE("output: the end does not wait for a reader who never reads again") {
  using namespace std::chrono_literals;
  const Pipe pipe;
  const auto begun = std::chrono::steady_clock::now();
  {
    report::Output output(pipe.write.get());
    output.write_behind(1'000'000, [](std::size_t) { return std::string(); });
    output.write(std::string(900'000, 'x'));
  }
  CHECK(std::chrono::steady_clock::now() - begun < 60s);
}

TEST_CASE("output: the end does not wait for a terminal that takes nothing more") {
  using namespace std::chrono_literals;
  int master = -1, slave = -1;
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  const base::UniqueFd ours(master);
  base::UniqueFd terminal(slave);
  // Also when it has room for some, but not for what is to be written.
  std::atomic<bool> over{false};
  std::thread saviour([&] {
    for (int i = 0; i < 1200 && !over; ++i) std::this_thread::sleep_for(50ms);
    char bytes[4096];
    while (!over && ::read(ours.get(), bytes, sizeof bytes) > 0) continue;
  });
  const auto begun = std::chrono::steady_clock::now();
  {
    report::Output output(terminal.get());
    output.write_behind(1'000'000, [](std::size_t) { return std::string(); });
    for (int i = 0; i < 200; ++i) output.write(std::string(1'000, 'x') + "\n");
  }
  CHECK(std::chrono::steady_clock::now() - begun < 50s);
  // Whoever else has it open writes as before.
  CHECK((::fcntl(terminal.get(), F_GETFL) & O_NONBLOCK) == 0);
  over = true;
  saviour.join();
}

TEST_CASE("pump: what is being handed out counts with what waits") {
  struct Held final : report::Sink {
    void on_event(const Event& event) noexcept override {
      gate.acquire();
      gate.release();
      if (std::holds_alternative<event::Output>(event.payload)) ++lines;
    }
    void on_tick(std::chrono::steady_clock::time_point) noexcept override {}
    void finish() noexcept override {}
    std::binary_semaphore gate{0};
    std::size_t lines = 0;
  } held;
  report::Pump pump({&held});
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) pump.on_event({{}, 0, "r", event::Output{"web1", "a", line, false}});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // these are in hand now
  for (int i = 0; i < 60'000; ++i) pump.on_event({{}, 0, "r", event::Output{"web1", "a", line, false}});
  held.gate.release();
  pump.close();
  CHECK(held.lines > 20'000);
  CHECK(held.lines * (line.size() + sizeof(Event)) <= 32U << 20U);
}

TEST_CASE("pump: a reader who has stopped reading neither blocks the run nor fills the memory", "[volume]") {
  Pipe pipe;
  report::Output output(pipe.write.get());
  Capture errors;
  const auto sink = report::make_exec(output, errors.output(), report::Fold::prefixed, report::Color::off);
  report::Pump pump({sink.get()});
  const std::string line(1000, 'x');
  for (int i = 0; i < 100'000; ++i)  // 100 MB: it would wait for ever in the pipe
    pump.on_event({{}, 0, "r", event::Output{"web1", "a", line, false}});
  std::size_t got = 0;
  std::thread reader([&] {
    char bytes[65536];
    for (ssize_t n = 0; (n = ::read(pipe.read.get(), bytes, sizeof bytes)) > 0;)
      got += static_cast<std::size_t>(n);
  });
  pump.close();
  pipe.write.reset();
  reader.join();
  CHECK(got > 20U << 20U);
  CHECK(got < 40U << 20U);
  CHECK_THAT(errors.text(),
             ContainsSubstring("lines of output dropped here: 32 MiB of it waited to be written\n"));
}

namespace {

/// Reads to the end, a piece now and then. Counts the lines.
std::size_t lines_read_slowly(int fd) {
  std::size_t lines = 0;
  char bytes[65536];
  int pieces = 0;
  for (ssize_t n = 0; (n = ::read(fd, bytes, sizeof bytes)) > 0;) {
    lines += static_cast<std::size_t>(std::count(bytes, bytes + n, '\n'));
    if (++pieces % 64 == 0) std::this_thread::sleep_for(milliseconds(5));
  }
  return lines;
}

/// 100 MB, more than may wait.
void send_output(report::Pump& pump, int events = 100'000) {
  const std::string line(1000, 'x');
  for (int i = 0; i < events; ++i) pump.on_event({{}, 0, "r", event::Output{"web1", "a", line, false}});
}

}  // namespace

TEST_CASE("pump: with patience a slow reader gets every line", "[volume]") {
  Pipe pipe;
  report::Output output(pipe.write.get());
  Capture errors;
  const auto sink = report::make_exec(output, errors.output(), report::Fold::prefixed, report::Color::off);
  report::Pump pump({sink.get()}, std::chrono::seconds(60));
  std::size_t lines = 0;
  std::thread reader([&] { lines = lines_read_slowly(pipe.read.get()); });
  send_output(pump);
  pump.close();
  pipe.write.reset();
  reader.join();
  CHECK(lines == 100'000);
  CHECK(errors.text().empty());
}

TEST_CASE("pump: patience ends with a reader who has stopped, once, and with a run that is to stop",
          "[volume]") {
  using namespace std::chrono_literals;
  Pipe pipe;
  report::Output output(pipe.write.get());
  Capture errors;
  const auto sink = report::make_exec(output, errors.output(), report::Fold::prefixed, report::Color::off);
  base::Cancel stop;
  const bool stops = GENERATE(false, true);
  report::Pump pump({sink.get()}, stops ? 1h : 300ms, &stop);
  std::thread stopper([&] {
    std::this_thread::sleep_for(100ms);
    if (stops) stop.request();
  });
  const auto begun = std::chrono::steady_clock::now();
  send_output(pump);
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  stopper.join();
  std::size_t lines = 0;
  std::thread reader([&] { lines = lines_read_slowly(pipe.read.get()); });
  pump.close();
  pipe.write.reset();
  reader.join();
  const auto told = errors.text();
  const auto why = stops ? ", and the run was to stop\n" : ", and for 300ms nothing of it was read\n";
  CHECK_THAT(told, ContainsSubstring("32 MiB of it waited to be written" + std::string(why)));
  CHECK(lines + std::stoul(told.substr(told.find(' '))) == 100'000);
}

TEST_CASE("pump: a stop is heard while a slow reader goes on") {
  using namespace std::chrono_literals;
  struct Slow final : report::Sink {
    void on_event(const Event&) noexcept override {
      if (slow) std::this_thread::sleep_for(20ms);
    }
    std::atomic<bool> slow{true};
  } sink;
  base::Cancel stop;
  report::Pump pump({&sink}, 1h, &stop);
  std::thread stopper([&] {
    std::this_thread::sleep_for(100ms);
    stop.request();
  });
  const auto begun = std::chrono::steady_clock::now();
  const std::string text(100'000, 'x');
  for (int i = 0; i < 2'000; ++i) pump.on_event({{}, 0, "r", event::Output{"web1", "a", text, false}});
  CHECK(std::chrono::steady_clock::now() - begun < 15s);  // not the 33 s that 1,600 more would take
  sink.slow = false;
  stopper.join();
}

TEST_CASE("pump: what is no output is written though another one's output is not taken") {
  struct Held final : report::Sink {
    void on_event(const Event& event) noexcept override {
      if (!std::holds_alternative<event::Output>(event.payload)) return;
      gate.acquire();
      gate.release();
    }
    std::binary_semaphore gate{0};
  } held;
  Capture file;
  const auto sink = report::make_jsonl(file.output(), "1");
  report::Pump pump({&held, sink.get()});
  pump.on_event({{}, 0, "r", Message{Level::info, "", "told"}});
  pump.on_event({{}, 0, "r", event::Output{"web1", "a", "line", false}});
  const auto written = [&] { return file.text().find("told") != std::string::npos; };
  for (int i = 0; i < 500 && !written(); ++i) std::this_thread::sleep_for(milliseconds(20));
  CHECK(written());
  held.gate.release();
}

TEST_CASE("pump: what waits is written together, in its order, as soon as nothing waits") {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC | O_DIRECT) == 0);  // a read gives what one write wrote
  const base::UniqueFd read(fds[0]);
  base::UniqueFd write(fds[1]);
  report::Output output(write.get());
  const auto sink = report::make_exec(output, output, report::Fold::prefixed, report::Color::off);
  report::Pump pump({sink.get()});
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    pump.on_event({{}, 0, "r", event::Output{"web1", "a", fmt::format("{}\nmore", i), i % 2 == 1}});
    expected += fmt::format("web1: {}\nweb1: more\n", i);
  }
  std::string got;
  int pieces = 0;
  char bytes[65536];
  while (got.size() < expected.size()) {  // without an end: it is there all the same
    const auto n = ::read(read.get(), bytes, sizeof bytes);
    REQUIRE(n > 0);
    got.append(bytes, static_cast<std::size_t>(n));
    ++pieces;
  }
  CHECK(got == expected);
  CHECK(pieces < 20);
}
