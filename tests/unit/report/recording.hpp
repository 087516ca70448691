#pragma once
#include "staithe/base/unique_fd.hpp"
#include "staithe/event/event.hpp"
#include "staithe/report/sinks.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

/// Runs as they were sent, with a fixed clock, and where sinks write to in a test.
namespace staithe::test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace event;

/// An Output whose bytes can be read back.
class Capture {
 public:
  report::Output& output() { return output_; }
  std::string text() const {
    std::string all;
    char bytes[65536];
    for (off_t at = 0;;) {
      const auto got = ::pread(fd_.get(), bytes, sizeof bytes, at);
      if (got <= 0) return all;
      all.append(bytes, static_cast<std::size_t>(got));
      at += got;
    }
  }

 private:
  base::UniqueFd fd_{::memfd_create("capture", MFD_CLOEXEC)};
  report::Output output_{fd_.get()};
};

/// Events from 2026-03-04 12:04:01.000 UTC on.
class Recording {
 public:
  Recording& at(milliseconds since_start) {
    now_ = since_start;
    return *this;
  }
  Recording& send(Payload payload) {
    events_.push_back({std::chrono::system_clock::from_time_t(1772625841) + now_, ++seq_,
                       "20260304-120401-3f9c", std::move(payload)});
    return *this;
  }
  /// An action from its start to its end; returns what it sent last, to be altered.
  ActionFinished& act(const std::string& host, const std::string& id, const std::string& kind,
                      const std::string& step, const std::string& title, std::uint64_t index,
                      std::uint64_t of, milliseconds lasts) {
    send(ActionStarted{host, id, kind, step, title, index, of, seconds(300)});
    at(now_ + lasts);
    send(ActionFinished{host, id, kind, step, title, index, of, Outcome::ok, "", {}, lasts, {}});
    return std::get<ActionFinished>(events_.back().payload);
  }
  const std::vector<Event>& events() const { return events_; }
  void play(report::Sink& sink) const {
    for (const auto& event : events_) sink.on_event(event);
    sink.finish();
  }

 private:
  std::vector<Event> events_;
  milliseconds now_{0};
  std::uint64_t seq_ = 0;
};

inline RunStarted deploy_started() {
  return {"20260304-120401-3f9c",
          "3f9c0a1be2d4",
          "deploy",
          "deploy web",
          "production",
          "web",
          "9d1f3c2",
          "9d1f3c2aa",
          9,
          {"web1", "web2", "web3"}};
}

/// The deadline of the whole run has passed before web2 had its turn.
inline Recording late() {
  Recording run;
  auto started = deploy_started();
  started.deadline = std::chrono::minutes(30);
  run.send(started);
  RunFinished finished{5,  "needs a person", "roll", "", "the run's deadline of 30m has passed", {}, {},
                       {}, seconds(1800)};
  finished.hosts = {{"web1", HostState::done, ""}, {"web2", HostState::untouched, ""}};
  finished.deadline = started.deadline;
  run.send(finished);
  return run;
}

/// Two of three hosts are done; a retry on the way.
inline Recording success() {
  Recording run;
  run.send(deploy_started());
  run.act("", "open/1", "lock", "lock", "lock production/web", 1, 1, milliseconds(20));
  run.send(StageStarted{"stage", 3});
  for (const std::string host : {"web1", "web2", "web3"}) {
    run.act(host, "stage/" + host + "/1", "ssh", "checkout", "9d1f3c2 to /srv/web", 1, 1, milliseconds(900));
    run.send(HostFinished{host, "stage", HostState::done, "", 1, milliseconds(900), milliseconds(0)});
  }
  run.send(StageStarted{"roll", 3});
  run.send(BatchStarted{1, 2, {"web1"}});
  run.act("web1", "roll/web1/1", "haproxy", "drain", "drain web1", 1, 2, milliseconds(100));
  run.send(ActionStarted{"web1", "roll/web1/2", "ssh", "reload", "systemctl reload web", 2, 2, seconds(300)});
  run.send(event::Output{"web1", "roll/web1/2", "reloading", false});
  run.send(Retried{"web1", "roll/web1/2", "exit status 1: busy", 1, 3});
  run.at(milliseconds(9000));
  run.send(ActionFinished{"web1",
                          "roll/web1/2",
                          "ssh",
                          "reload",
                          "systemctl reload web",
                          2,
                          2,
                          Outcome::ok,
                          "",
                          0,
                          milliseconds(5300),
                          {}});
  run.send(HostFinished{"web1", "roll", HostState::done, "", 2, milliseconds(5400), milliseconds(5100)});
  run.send(Message{Level::warning, "web2", "was drained by another before"});
  run.send(RunFinished{
      0,
      "done",
      "",
      "",
      "",
      {},
      {{"web1", HostState::done, ""}, {"web2", HostState::done, ""}, {"web3", HostState::done, ""}},
      {},
      seconds(72)});
  return run;
}

/// web1's reload fails and the host stays out of rotation.
inline Recording failure() {
  Recording run;
  run.send(deploy_started());
  run.send(StageStarted{"roll", 3});
  run.send(BatchStarted{1, 1, {"web1", "web2", "web3"}});
  run.act("web1", "roll/web1/1", "haproxy", "drain", "drain web1", 1, 2, milliseconds(12300));
  run.send(ActionStarted{"web1", "roll/web1/2", "ssh", "reload", "systemctl reload web", 2, 2, seconds(300)});
  run.send(event::Output{"web1", "roll/web1/2", "Job for web.service failed.", true});
  run.at(milliseconds(61000));
  run.send(ActionFinished{"web1",
                          "roll/web1/2",
                          "ssh",
                          "reload",
                          "systemctl reload web",
                          2,
                          2,
                          Outcome::failed,
                          "exit status 1",
                          1,
                          milliseconds(47000),
                          {"Job for web.service failed."}});
  run.act("web1", "roll/web1/repair-1", "ssh", "activate", "the release before", 3, 2, milliseconds(100))
      .outcome = Outcome::timed_out;
  run.send(HostFinished{"web1", "roll", HostState::out, "exit status 1", 3, milliseconds(61000),
                        milliseconds(49000)});
  run.send(RunFinished{
      5,
      "needs a person",
      "systemctl reload web",
      "web1",
      "exit status 1",
      {},
      {{"web1", HostState::out, "exit status 1", {}, true},
       {"web2", HostState::untouched, ""},
       {"web3", HostState::untouched, ""}},
      {"staithe restore web1      put it back with the old code", "staithe deploy --resume      go on"},
      milliseconds(61200)});
  return run;
}

/// Stopped after web1; what peers say is hostile.
inline Recording interrupted() {
  Recording run;
  auto started = deploy_started();
  started.title = "evil\x1b]0;title\x07\nline two";
  run.send(started);
  run.send(StageStarted{"roll", 3});
  run.send(BatchStarted{1, 3, {"web1"}});
  run.send(ActionStarted{"web1", "roll/web1/1", "ssh", "run", "printf '\x1b[2J'", 1, 1, seconds(60)});
  run.send(event::Output{"web1", "roll/web1/1", "10%\r100%\x1b[31m red \xff & <b>", false});
  run.at(seconds(2));
  run.send(ActionFinished{"web1",
                          "roll/web1/1",
                          "ssh",
                          "run",
                          "printf '\x1b[2J'",
                          1,
                          1,
                          Outcome::cancelled,
                          "stopped\x1b[1A",
                          {},
                          seconds(2),
                          {"tail\x1b[2K one", "two\rthree"}});
  run.send(
      HostFinished{"web1", "roll", HostState::restored, "stopped\x1b[1A", 1, seconds(2), milliseconds(0)});
  run.send(RunFinished{130,
                       "interrupted",
                       "",
                       "",
                       "",
                       {},
                       {{"web1", HostState::restored, ""},
                        {"web2", HostState::untouched, ""},
                        {"web3", HostState::untouched, ""}},
                       {},
                       seconds(2)});
  return run;
}

}  // namespace staithe::test
