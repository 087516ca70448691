#include "catch.hpp"
#include "columns.hpp"
#include "recording.hpp"
#include "screen.hpp"

#include <pty.h>
#include <sys/ioctl.h>

#include <sstream>

using namespace staithe;
using namespace staithe::test;

namespace {

/// Plays a run with a tick after each event; what the terminal shows at the end. Throws when a sequence
/// appears that has no business there.
std::string screen_of(const Recording& run, unsigned columns, report::Color color = report::Color::off,
                      int verbosity = 0) {
  Capture capture;
  const auto sink =
      report::make_live(capture.output(), {verbosity, color, [&] { return columns; }, [] { return 24U; }});
  for (const auto& event : run.events()) {
    sink->on_event(event);
    sink->on_tick(std::chrono::steady_clock::now());
  }
  sink->finish();
  Screen screen(columns);
  screen.take(capture.text());
  CHECK(screen.column() == 0);
  return screen.text();
}

/// `text` as a terminal of that width wraps it.
std::string wrapped(const std::string& text, std::size_t columns) {
  Screen screen(columns);
  screen.take(text);
  return screen.text();
}

const std::string success_screen =
    R"(run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
  ok        lock production/web   20ms
  ok        stage   3 hosts   2.7s
batch 1 of 2: web1
web1 attempt 1 of 3 failed: exit status 1: busy
  ok        web1   2 actions   5.4s   out of rotation 5.1s
web2 warning: was drained by another before
done: 3 hosts on 9d1f3c2 in 1m12s
)";

}  // namespace

TEST_CASE("live: what is left on the terminal is what happened") {
  CHECK(screen_of(success(), 100) == success_screen);
  CHECK(screen_of(success(), 100, report::Color::on) == success_screen);
}

TEST_CASE("live: a terminal narrower than the text is not garbled") {
  for (unsigned columns = 3; columns < 100; columns += 4) {
    CAPTURE(columns);
    CHECK(screen_of(success(), columns) == wrapped(success_screen, columns));
    CHECK(screen_of(success(), columns, report::Color::on) == wrapped(success_screen, columns));
  }
}

TEST_CASE("live: a failure scrolls up with its output and ends in the summary") {
  CHECK(screen_of(failure(), 100) ==
        R"(run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
web1 2/2 reload: systemctl reload web FAILED after 47.0s: exit status 1
         | Job for web.service failed.
web1 3 activate: the release before TIMED OUT after 100ms
  OUT       web1   3 actions   1m01s   out of rotation 49.0s   exit status 1
FAILED at web1: systemctl reload web: exit status 1
  OUT        web1   (NOT serving, out of rotation on one balancer at least; release being changed)
  untouched  web[2-3]   (on what ran before)
  next       staithe restore web1      put it back with the old code
             staithe deploy --resume      go on
exit 5 (needs a person)
)");
}

TEST_CASE("live: hostile bytes reach no terminal") {
  CHECK_NOTHROW(screen_of(interrupted(), 60, report::Color::off, 1));
  CHECK_THAT(screen_of(interrupted(), 60, report::Color::off, 1),
             ContainsSubstring("web1 | 10%\nweb1 | 100% red"));
}

TEST_CASE("live: hosts in hand stand below, with what they do") {
  Capture capture;
  const auto sink =
      report::make_live(capture.output(), {0, report::Color::off, [] { return 90U; }, [] { return 24U; }});
  Recording run;
  run.send(deploy_started());
  run.send(StageStarted{"roll", 3});
  run.send(BatchStarted{1, 1, {"web1", "web2", "web3"}});
  run.send(HostFinished{"web1", "roll", HostState::done, "", 6, milliseconds(41200), milliseconds(12300)});
  run.send(ActionStarted{"web1", "roll/web1/1", "haproxy", "drain", "drain web1", 1, 6, seconds(60)});
  run.send(ActionStarted{"web2", "roll/web2/3", "wait", "drain", "web2 is calm", 3, 6, seconds(60)});
  run.send(Progress{"web2", "roll/web2/3", "sessions 14 -> 2", 2, 14, "sessions"});
  for (const auto& event : run.events()) sink->on_event(event);
  sink->on_tick(std::chrono::steady_clock::now() + milliseconds(8100));
  Screen screen(90);
  screen.take(capture.text());
  CHECK(screen.text() ==
        R"(run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
  ok        web1   6 actions   41.2s   out of rotation 12.3s
  ..        web1   1/6  drain web1   8s of 1m
  ..        web2   3/6  drain: web2 is calm: sessions 14 -> 2   8s of 1m
            web3   queued
[roll 1/3 hosts]  8s  plan 3f9c0a1be2d4   Ctrl-C once to stop after web[1-2]
)");
}

TEST_CASE("live: what is done once on a host names it, and leaves no row behind") {
  Recording run;
  run.send(deploy_started());
  run.send(StageStarted{"prepare", 1});
  ActionStarted started{"web2", "prepare/1", "ssh", "run", "bin/migrate up", 1, 1, seconds(60)};
  started.alone = true;
  run.send(started);
  run.send(ActionFinished{
      "web2", "prepare/1", "ssh", "run", "bin/migrate up", 1, 1, Outcome::ok, "", 0, seconds(4), {}});
  CHECK(screen_of(run, 90) == R"(run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
  ok        web2   run: bin/migrate up   4.0s
)");
}

TEST_CASE("live: no more rows than the terminal has, however many hosts are in hand") {
  Capture capture;
  const auto sink =
      report::make_live(capture.output(), {0, report::Color::off, [] { return 60U; }, [] { return 10U; }});
  Recording run;
  run.send(deploy_started());
  for (int i = 1; i <= 200; ++i)
    run.send(ActionStarted{"web" + std::to_string(i), "a", "ssh", "run", std::string(300, 'x'), 1, 1,
                           seconds(60)});
  for (const auto& event : run.events()) sink->on_event(event);
  const auto before = capture.text().size();
  sink->on_tick(std::chrono::steady_clock::now());
  std::istringstream status(capture.text().substr(before));
  int rows = 0;
  for (std::string line; std::getline(status, line); ++rows) {
    line.resize(line.size() - 3);  // ESC [ K
    CHECK(report::columns_of(line) < 60);
  }
  CHECK(rows <= 9);
  CHECK_THAT(capture.text(), ContainsSubstring("and 195 more"));
}

TEST_CASE("output: a status below texts, a question, and a text without end of line") {
  Capture capture;
  auto& output = capture.output();
  Screen screen(40);
  output.write("one\n");
  output.set_status({"working", "on it"});
  output.write("two\n");
  screen.take(capture.text());
  CHECK(screen.text() == "one\ntwo\nworking\non it\n");

  output.write("half a ");
  output.write("line\n");
  {
    const report::Output::Pause pause(output);
    output.set_status({"working still"});
    output.write("question? ");
  }
  output.write("no\n");
  Screen after(40);
  after.take(capture.text());
  CHECK(after.text() == "one\ntwo\nhalf a line\nquestion? no\nworking still\n");
  output.set_status({});
  Screen end(40);
  end.take(capture.text());
  CHECK(end.text() == "one\ntwo\nhalf a line\nquestion? no\n");
}

TEST_CASE("output: a terminal that was made narrower has wrapped the status") {
  int master = -1;
  int slave = -1;
  winsize size{24, 40, 0, 0};
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, &size) == 0);
  const base::UniqueFd terminal(slave);
  const base::UniqueFd keeper(master);
  report::Output output(slave);
  output.set_status({std::string(30, 'x'), "short"});
  size.ws_col = 20;
  REQUIRE(::ioctl(slave, TIOCSWINSZ, &size) == 0);
  output.write("text\n");
  char bytes[4096];
  std::string all;
  while (all.find("text") == std::string::npos) {
    const auto got = ::read(master, bytes, sizeof bytes);
    REQUIRE(got > 0);
    all.append(bytes, static_cast<std::size_t>(got));
  }
  CHECK_THAT(all, ContainsSubstring("\x1b[3A\x1b[Jtext"));
}
