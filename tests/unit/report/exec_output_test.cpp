#include "catch.hpp"
#include "recording.hpp"

using namespace staithe;
using namespace staithe::test;

namespace {

/// `uname` on five hosts: web2 fails, web4 differs, web5 is not reached, db was not begun.
Recording exec_run() {
  Recording run;
  RunStarted started{"r", "p", "exec", "uname", "production",
                     "",  "",  "",     5,       {"web1", "web2", "web3", "web4", "web5", "db"}};
  run.send(started);
  for (const std::string host : {"web1", "web2", "web3", "web4"}) {
    run.send(ActionStarted{host, "exec/" + host, "ssh", "run", "uname", 1, 1, seconds(60)});
    run.send(event::Output{host, "exec/" + host, host == "web4" ? "FreeBSD" : "Linux", false});
  }
  run.send(event::Output{"web2", "exec/web2", "oops", true});
  for (const std::string host : {"web1", "web2", "web3", "web4", "web5"}) {
    ActionFinished finished{host, "exec/" + host, "ssh", "run", "uname",           1,
                            1,    Outcome::ok,    "",    0,     milliseconds(200), {}};
    if (host == "web2") {
      finished.outcome = Outcome::failed;
      finished.exit_status = 3;
      finished.detail = "exit status 3: oops";
    }
    if (host == "web5") {
      finished.outcome = Outcome::unreachable;
      finished.exit_status.reset();
      finished.detail = "connect: timed out";
    }
    run.send(finished);
  }
  run.send(RunFinished{1,
                       "failed",
                       "uname",
                       "web2",
                       "exit status 3: oops",
                       {},
                       {{"web1", HostState::done, ""},
                        {"web2", HostState::failed, ""},
                        {"web3", HostState::done, ""},
                        {"web4", HostState::done, ""},
                        {"web5", HostState::failed, ""},
                        {"db", HostState::untouched, ""}},
                       {},
                       milliseconds(1200)});
  return run;
}

struct Streams {
  std::string out, err;
};

Streams play(const Recording& run, report::Fold fold, int verbosity = 0) {
  Capture out;
  Capture err;
  run.play(*report::make_exec(out.output(), err.output(), fold, report::Color::off, verbosity));
  return {out.text(), err.text()};
}

const std::string failures = R"(FAILED web2: exit status 3
UNREACHABLE web5: connect: timed out
not run db
exit 1 (failed): 3 of 6 hosts ok in 1.2s
)";

}  // namespace

TEST_CASE("exec: each line with its host, the streams apart") {
  const auto streams = play(exec_run(), report::Fold::prefixed);
  CHECK(streams.out == "web1: Linux\nweb2: Linux\nweb3: Linux\nweb4: FreeBSD\n");
  CHECK(streams.err == "web2: oops\n" + failures);
}

TEST_CASE("exec: a signal is named, and hosts that it ended alike are told together") {
  Recording run;
  run.send(RunStarted{"r", "p", "exec", "true", "", "", "", "", 2, {"web1", "web2"}});
  for (const std::string host : {"web1", "web2"}) {
    ActionFinished finished{host, "exec/" + host,  "ssh", "run", "true", 1,
                            1,    Outcome::failed, "",    {},    {},     {}};
    finished.detail = "killed by SIGKILL: last words of " + host;
    finished.output_tail = {"before", "last words of " + host, ""};
    run.send(finished);
  }
  CHECK(play(run, report::Fold::prefixed).err == "");
  run.send(RunFinished{1,
                       "failed",
                       "",
                       "",
                       "",
                       {},
                       {{"web1", HostState::failed, ""}, {"web2", HostState::failed, ""}},
                       {},
                       {}});
  CHECK_THAT(play(run, report::Fold::prefixed).err,
             ContainsSubstring("FAILED web[1-2]: killed by SIGKILL\n"));
}

TEST_CASE("exec: folded, what is the same is shown once") {
  const auto streams = play(exec_run(), report::Fold::folded);
  CHECK(streams.out == "--- web[1-3] (3 hosts)\nLinux\n--- web4 (1 host)\nFreeBSD\n");
  CHECK(streams.err == "--- web2 (1 host, stderr)\noops\n" + failures);
}

TEST_CASE("exec: quiet and well is silent on stderr") {
  Recording run;
  run.send(RunStarted{"r", "p", "exec", "true", "", "", "", "", 1, {"web1"}});
  run.send(RunFinished{0, "done", "", "", "", {}, {{"web1", HostState::done, ""}}, {}, milliseconds(100)});
  CHECK(play(run, report::Fold::prefixed, -1).err.empty());
  CHECK(play(run, report::Fold::prefixed).err == "1 of 1 host ok in 100ms\n");
}

TEST_CASE("exec: folded output is bounded, and what is left out is said") {
  Recording run;
  run.send(RunStarted{"r", "p", "exec", "yes", "", "", "", "", 1, {"web1"}});
  for (int i = 0; i < 2048; ++i) run.send(event::Output{"web1", "a", std::string(1023, 'y'), false});
  const auto streams = play(run, report::Fold::folded);
  CHECK(streams.out.size() < (1U << 20U) + 100);
  CHECK_THAT(streams.err, ContainsSubstring("warning: 1024 lines more of web1 left out"));
}

TEST_CASE("exec: a run that broke off shows what it had") {
  Recording run;
  run.send(event::Output{"web1", "a", "half", false});
  CHECK(play(run, report::Fold::folded).out == "--- web1 (1 host)\nhalf\n");
}

TEST_CASE("exec: one chunk may hold several lines, and escape sequences") {
  Recording run;
  run.send(event::Output{"web1", "a", "10%\r20%\x1b[2J", false});
  CHECK(play(run, report::Fold::prefixed).out == "web1: 10%\nweb1: 20%\n");
}
