#include "catch.hpp"
#include "narrate.hpp"
#include "recording.hpp"

#include <cstdlib>
#include <ctime>

using namespace staithe;
using namespace staithe::test;

namespace {

std::string lines_of(const Recording& run, int verbosity = 0, report::Color color = report::Color::off) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  Capture capture;
  const auto sink = report::make_lines(capture.output(), {verbosity, color, seconds(30)});
  run.play(*sink);
  return capture.text();
}

}  // namespace

TEST_CASE("lines: a run that goes well") {
  CHECK(lines_of(success()) ==
        R"(12:04:01 run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
12:04:01 1/1 lock production/web ok 20ms
12:04:01 stage stage
12:04:01 web1 1/1 checkout: 9d1f3c2 to /srv/web ok 900ms
12:04:02 web2 1/1 checkout: 9d1f3c2 to /srv/web ok 900ms
12:04:03 web3 1/1 checkout: 9d1f3c2 to /srv/web ok 900ms
12:04:03 stage roll
12:04:03 batch 1 of 2: web1
12:04:03 web1 1/2 drain web1 ok 100ms
12:04:03 web1 attempt 1 of 3 failed: exit status 1: busy
12:04:10 web1 2/2 reload: systemctl reload web ok 5.3s
12:04:10 web1 ok (roll) in 5.4s, out of rotation for 5.1s
12:04:10 web2 warning: was drained by another before
done: 3 hosts on 9d1f3c2 in 1m12s
)");
}

TEST_CASE("lines: a failure ends with what is to be done") {
  CHECK(lines_of(failure()) ==
        R"(12:04:01 run 20260304-120401-3f9c: deploy web, plan 3f9c0a1be2d4, 9 actions on 3 hosts
12:04:01 stage roll
12:04:01 batch 1 of 1: web[1-3]
12:04:13 web1 1/2 drain web1 ok 12.3s
12:05:02 web1 2/2 reload: systemctl reload web FAILED after 47.0s: exit status 1
         | Job for web.service failed.
12:05:02 web1 3 activate: the release before TIMED OUT after 100ms
12:05:02 web1 OUT (roll) in 1m01s, out of rotation for 49.0s: exit status 1
FAILED at web1: systemctl reload web: exit status 1
  OUT        web1   (NOT serving, out of rotation on one balancer at least; release being changed)
  untouched  web[2-3]   (on what ran before)
  next       staithe restore web1      put it back with the old code
             staithe deploy --resume      go on
exit 5 (needs a person)
)");
}

TEST_CASE("lines: hostile bytes stay text") {
  CHECK(lines_of(interrupted(), 1) ==
        "12:04:01 run 20260304-120401-3f9c: evil line two, plan 3f9c0a1be2d4, 9 actions on 3 hosts\n"
        "12:04:01 stage roll\n"
        "12:04:01 batch 1 of 3: web1\n"
        "12:04:01 web1 | 10%\n"
        "12:04:01 web1 | 100% red \xEF\xBF\xBD & <b>\n"
        "12:04:03 web1 1/1 run: printf '' cancelled after 2.0s: stopped\n"
        "12:04:03 web1 restored (roll) in 2.0s\n"
        "interrupted\n"
        "  restored   web1   (as it was, nothing altered)\n"
        "  untouched  web[2-3]   (on what ran before)\n"
        "exit 130 (interrupted)\n");
  CHECK_THAT(lines_of(interrupted(), 0),
             ContainsSubstring("         | tail one\n         | two\n         | three\n"));
}

TEST_CASE("lines: quiet says warnings and failures only") {
  CHECK(lines_of(success(), -1) == "12:04:10 web2 warning: was drained by another before\n");
  const auto text = lines_of(failure(), -1);
  CHECK(text.find("12:05:02 web1 2/2 reload") == 0);
  CHECK_THAT(text, ContainsSubstring("exit 5 (needs a person)\n"));
}

TEST_CASE("lines: verbose shows output as it comes and not again") {
  CHECK_THAT(lines_of(success(), 1), ContainsSubstring("web1 | reloading\n"));
  const auto text = lines_of(failure(), 1);
  CHECK_THAT(text, ContainsSubstring("12:04:13 web1 | Job for web.service failed.\n"));
  CHECK(text.find("         | ") == std::string::npos);
}

TEST_CASE("lines: colour adds nothing but colour") {
  const auto strip = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('\x1b', at)) != std::string::npos;)
      text.erase(at, text.find('m', at) + 1 - at);
    return text;
  };
  const auto colored = lines_of(failure(), 0, report::Color::on);
  CHECK_THAT(colored, ContainsSubstring("\x1b[1;31mFAILED\x1b[0m"));
  CHECK(strip(colored) == lines_of(failure()));
}

TEST_CASE("lines: a heartbeat tells what is waited for") {
  Capture capture;
  const auto sink = report::make_lines(capture.output(), {0, report::Color::off, seconds(30)});
  Recording run;
  run.send(ActionStarted{"web1", "roll/web1/2", "ssh", "reload", "systemctl reload web", 2, 4, seconds(300)});
  run.send(Progress{"web1", "roll/web1/2", "sessions 14 -> 2", 2, 14, "sessions"});
  for (const auto& event : run.events()) sink->on_event(event);
  const auto began = std::chrono::steady_clock::now();
  sink->on_tick(began + seconds(29));
  CHECK(capture.text().empty());
  sink->on_tick(began + seconds(45));
  CHECK_THAT(
      capture.text(),
      ContainsSubstring(" web1 still in 2/4 reload: systemctl reload web (sessions 14 -> 2), 45s of 5m\n"));
  // What is left of a longer time is no round number.
  CHECK(report::limit_text(base::Duration{28'799'822}) == "8h");
  CHECK(report::limit_text(base::Duration{11'400}) == "11s");
  CHECK(report::limit_text(base::Duration{1'500}) == "1s500ms");
  const auto once = capture.text();
  sink->on_tick(began + seconds(46));
  CHECK(capture.text() == once);
}

TEST_CASE("lines: many hosts share a heartbeat") {
  Capture capture;
  const auto sink = report::make_lines(capture.output(), {0, report::Color::off, seconds(30)});
  Recording run;
  for (int i = 1; i <= 9; ++i)
    run.send(ActionStarted{"web" + std::to_string(i), "a", "ssh", "run", "true", 1, 1, seconds(300)});
  for (const auto& event : run.events()) sink->on_event(event);
  sink->on_tick(std::chrono::steady_clock::now() + seconds(31));
  CHECK_THAT(capture.text(),
             ContainsSubstring(" still at work on web[1-9]; longest: web1 1/1 run: true, 31s of 5m\n"));
}

TEST_CASE("lines: a recovery does not say that hosts are on the release that they were brought back from") {
  Recording run;
  auto started = deploy_started();
  started.kind = "recover";
  run.send(started);
  run.send(RunFinished{0, "done", "", "", "", {}, {{"web1", HostState::done, ""}}, {}, milliseconds(640)});
  const auto text = lines_of(run);
  CHECK(text.substr(text.find("done:")) == "done: 1 host put right in 640ms\n");
}

TEST_CASE("lines: a recovery that put right what it could and leaves the rest to a person says both") {
  Recording run;
  auto started = deploy_started();
  started.kind = "recover";
  run.send(started);
  run.send(RunFinished{
      5, "needs a person", "", "", "", {}, {{"web1", HostState::done, ""}}, {}, milliseconds(640)});
  const auto text = lines_of(run);
  CHECK(text.substr(text.find("done:")) == "done: 1 host put right in 640ms\nexit 5 (needs a person)\n");
}

TEST_CASE("lines: the deadline of a run is said at its beginning, and in its last lines once it has passed") {
  const auto text = lines_of(late());
  CHECK_THAT(text, ContainsSubstring("9 actions on 3 hosts, deadline 30m\n"));
  CHECK(text.substr(text.find("FAILED")) ==
        "FAILED: roll: the run's deadline of 30m has passed\n"
        "  changed    web1   (on 9d1f3c2)\n"
        "  untouched  web2   (on what ran before)\n"
        "  deadline   30m for the whole run, passed\n"
        "exit 5 (needs a person)\n");
}

TEST_CASE("lines: what steps before a roll that was refused have done is in the last lines") {
  Recording run;
  run.send(RunFinished{1,
                       "failed",
                       "guard",
                       "web1",
                       "too few",
                       {},
                       {{"web1", HostState::restored, ""}},
                       {},
                       milliseconds(640),
                       {},
                       {"before", "prepare"}});
  const auto text = lines_of(run);
  CHECK(text.substr(text.find("FAILED")) ==
        "FAILED at web1: guard: too few\n"
        "  restored   web1   (as it was, nothing altered)\n"
        "  stays      before, prepare   (what its steps did is not taken back)\n"
        "exit 1 (failed)\n");
}
