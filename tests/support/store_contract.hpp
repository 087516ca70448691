#pragma once
/// What every Store must do, whichever way it keeps its state. Runs in the unit tests on SQLite and in the
/// integration tests on PostgreSQL.
#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/store/store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace staithe::test {

using OpenStore = std::function<std::unique_ptr<store::Store>(const store::Settings&)>;

inline store::Run sample_run(const std::string& id) {
  store::Run run;
  run.id = id;
  run.kind = "deploy";
  run.environment = "production";
  run.service = "payments";
  run.title = "deploy payments £ to 4 hosts";
  run.plan_id = "0123456789ab";
  run.plan_json = R"({"actions":[]})";
  run.user = "ann";
  run.release = "r1";
  run.sha = std::string(40, 'a');
  return run;
}

inline store::LockRequest sample_request(const std::string& scope = "production/payments") {
  return {scope, "deploy r1", "run-1", "ann@build1 pid 1"};
}

template <class F>
base::ErrorCode code_of(F work, std::string* text = nullptr) {
  try {
    work();
  } catch (const base::Error& error) {
    if (text != nullptr) *text = error.what();
    return error.code();
  }
  FAIL("no error was thrown");
  return {};
}

/// Runs `work` in a child process and returns its wait status; what it throws becomes exit status 99. To be
/// called while this process has one thread only.
inline int in_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      work();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(99);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

inline void check_runs(const OpenStore& open) {
  const auto store = open({});
  store->begin_run(sample_run("run-1"));
  SECTION("a run is found as it was begun") {
    const auto run = store->run("run-1");
    REQUIRE(run);
    CHECK(run->kind == "deploy");
    CHECK(run->environment == "production");
    CHECK(run->service == "payments");
    CHECK(run->title == "deploy payments £ to 4 hosts");
    CHECK(run->plan_id == "0123456789ab");
    CHECK(run->plan_json == R"({"actions":[]})");
    CHECK(run->user == "ann");
    CHECK(run->release == "r1");
    CHECK(run->sha == std::string(40, 'a'));
    CHECK(std::chrono::abs(run->started - store::now()) < std::chrono::minutes(1));
    CHECK_FALSE(run->ended);
    CHECK_FALSE(run->exit_code);
    CHECK(run->owner == store::Owner::running);
    CHECK_FALSE(store->run("run-2"));
  }
  SECTION("an id is used once") {
    std::string text;
    CHECK(code_of([&] { store->begin_run(sample_run("run-1")); }, &text) == base::ErrorCode::conflict);
    CHECK_THAT(text, ContainsSubstring("run-1"));
    CHECK(code_of([&] { open({})->begin_run(sample_run("run-1")); }) == base::ErrorCode::conflict);
  }
  SECTION("an ended run is finished, and may be ended again") {
    CHECK(store->unfinished().size() == 1);
    CHECK(store->unfinished("production", "payments").size() == 1);
    CHECK(store->unfinished("staging").empty());
    store->end_run("run-1", "failed", 5, "{}");
    store->end_run("run-1", "recovered", 0, R"({"hosts":4})");
    CHECK(store->unfinished().empty());
    const auto run = store->run("run-1");
    REQUIRE(run);
    CHECK(run->ended);
    CHECK(run->outcome == "recovered");
    CHECK(run->exit_code == 0);
    CHECK(run->summary_json == R"({"hosts":4})");
    CHECK(code_of([&] { store->end_run("run-9", "done", 0, "{}"); }) == base::ErrorCode::not_found);
  }
  SECTION("history is newest first, filtered and limited") {
    for (int i = 2; i <= 5; ++i) {
      auto run = sample_run("run-" + std::to_string(i));
      run.started = store::now() + std::chrono::minutes(i);
      if (i == 4) run.environment = "staging";
      store->begin_run(run);
    }
    const auto all = store->history();
    REQUIRE(all.size() == 5);
    CHECK(all.front().id == "run-5");
    CHECK(all.back().id == "run-1");
    CHECK(all.front().plan_json.empty());
    CHECK(store->history({}, 2).size() == 2);
    store::HistoryFilter filter;
    filter.environment = "staging";
    REQUIRE(store->history(filter).size() == 1);
    CHECK(store->history(filter)[0].id == "run-4");
    filter = {};
    filter.since = store::now() + std::chrono::minutes(4) - std::chrono::seconds(30);
    CHECK(store->history(filter).size() == 2);
    filter = {};
    filter.outcome = "done";
    CHECK(store->history(filter).empty());
  }
  SECTION("text that a backend would not keep is refused by both") {
    for (const std::string& bad :
         {std::string("nul\0", 4), std::string("\xff"), std::string("\xc0\x80"), std::string("\xed\xa0\x80"),
          std::string("\xe2\x82"), std::string(5000, 'x')}) {
      auto run = sample_run("run-bad");
      run.title = bad;
      CHECK(code_of([&] { store->begin_run(run); }) == base::ErrorCode::invalid);
      CHECK(code_of([&] {
              store->append("run-1", {0, {}, bad, "", "note", ""});
            }) == base::ErrorCode::invalid);
    }
    store->append("run-1", {0, {}, "web1", "a", "note", "\xf0\x9f\x9a\xa2 \xed\x9f\xbf \t\n\x1b[0m"});
    CHECK(store->journal("run-1").at(0).body == "\xf0\x9f\x9a\xa2 \xed\x9f\xbf \t\n\x1b[0m");
  }
}

inline void check_journal(const OpenStore& open) {
  auto store = open({});
  store->begin_run(sample_run("run-1"));
  SECTION("entries come back in order, also to another process") {
    CHECK(store->append("run-1", {0, {}, "web1", "a1", "intent", R"({"say":"it's"})"}) == 1);
    CHECK(store->append("run-1", {0, store::Time{std::chrono::milliseconds(1234567890123)}, "", "a1",
                                  "outcome", ""}) == 2);
    store.reset();
    const auto entries = open({})->journal("run-1");
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].seq == 1);
    CHECK(entries[0].host == "web1");
    CHECK(entries[0].action_id == "a1");
    CHECK(entries[0].kind == "intent");
    CHECK(entries[0].body == R"({"say":"it's"})");
    CHECK(entries[1].time == store::Time{std::chrono::milliseconds(1234567890123)});
  }
  SECTION("a later process goes on where the first one stopped") {
    store->append("run-1", {0, {}, "web1", "a1", "intent", ""});
    const auto later = open({});
    CHECK(later->append("run-1", {0, {}, "web1", "a1", "note", ""}) == 2);
    // The first one is not dead after all: it must not write over the other's entry.
    CHECK(code_of([&] {
            store->append("run-1", {0, {}, "web1", "a1", "outcome", ""});
          }) == base::ErrorCode::conflict);
    CHECK(later->journal("run-1").at(1).kind == "note");
  }
  SECTION("pages") {
    for (int i = 0; i < 10; ++i) store->append("run-1", {0, {}, "web1", std::to_string(i), "note", ""});
    const auto page = store->journal("run-1", 4, 3);
    REQUIRE(page.size() == 3);
    CHECK(page[0].action_id == "4");
    CHECK(page[2].action_id == "6");
  }
  SECTION("no run, no journal") {
    CHECK(code_of([&] {
            store->append("run-9", {0, {}, "", "", "note", ""});
          }) == base::ErrorCode::not_found);
    CHECK(store->journal("run-9").empty());
  }
  SECTION("a body is at most 1 MiB") {
    store->append("run-1", {0, {}, "", "", "note", std::string(1 << 20, 'x')});
    CHECK(store->journal("run-1").at(0).body.size() == 1 << 20);
    CHECK(code_of([&] {
            store->append("run-1", {0, {}, "", "", "note", std::string((1 << 20) + 1, 'x')});
          }) == base::ErrorCode::invalid);
  }
  SECTION("many threads append to two runs: nothing is lost, each run is in order") {
    store->begin_run(sample_run("run-2"));
    constexpr int threads = 16;
    constexpr int each = 40;
    std::vector<std::vector<std::uint64_t>> given(threads);
    std::vector<std::thread> lanes;
    for (int lane = 0; lane < threads; ++lane) {
      lanes.emplace_back([&, lane] {
        for (int i = 0; i < each; ++i) {
          const std::string run = lane % 2 == 0 ? "run-1" : "run-2";
          given[static_cast<std::size_t>(lane)].push_back(
              store->append(run, {0, {}, std::to_string(lane), std::to_string(i), "note", "{}"}));
        }
      });
    }
    for (auto& lane : lanes) lane.join();
    for (const std::string run : {"run-1", "run-2"}) {
      const auto entries = store->journal(run);
      REQUIRE(entries.size() == threads * each / 2);
      for (std::size_t i = 0; i < entries.size(); ++i) CHECK(entries[i].seq == i + 1);
      std::vector<std::size_t> next(threads, 0);
      for (const auto& entry : entries) {
        const auto lane = static_cast<std::size_t>(std::stoi(entry.host));
        REQUIRE(entry.action_id == std::to_string(next[lane]));
        CHECK(given[lane][next[lane]++] == entry.seq);
      }
    }
  }
}

inline void check_releases(const OpenStore& open) {
  const auto store = open({});
  const auto at = [](int second) { return store::Time{std::chrono::seconds(1'700'000'000 + second)}; };
  store->record_release(
      {"production", "payments", "r1", "aaa", "main", store::ReleaseState::good, at(1), "run-1"});
  store->record_release(
      {"production", "payments", "r2", "bbb", "v2", store::ReleaseState::staged, at(2), "run-2"});
  store->record_release(
      {"staging", "payments", "r3", "ccc", "v3", store::ReleaseState::good, at(3), "run-3"});
  auto releases = store->releases("production", "payments");
  REQUIRE(releases.size() == 2);
  CHECK(releases[0].id == "r2");
  CHECK(releases[0].state == store::ReleaseState::staged);
  CHECK(releases[1].sha == "aaa");
  CHECK(releases[1].time == at(1));
  store->record_release(
      {"production", "payments", "r2", "bbb", "v2", store::ReleaseState::bad, at(4), "run-2"});
  releases = store->releases("production", "payments", 1);
  REQUIRE(releases.size() == 1);
  CHECK(releases[0].state == store::ReleaseState::bad);
  CHECK(store->releases("production", "web").empty());
  CHECK(code_of([&] { store->record_release({}); }) == base::ErrorCode::invalid);
}

inline void check_locks(const OpenStore& open) {
  store::Settings settings;
  settings.heartbeat = std::chrono::milliseconds(100);
  settings.lease = std::chrono::milliseconds(1500);
  SECTION("one holder at a time, told to the other") {
    const auto first = open(settings);
    const auto second = open(settings);
    auto taken = first->try_lock(sample_request());
    REQUIRE(std::holds_alternative<store::Lock>(taken));
    auto& lock = std::get<store::Lock>(taken);
    CHECK(lock.info().scope == "production/payments");
    CHECK_FALSE(lock.lost());
    CHECK_FALSE(lock.reclaimed_from());
    for (const auto* store : {first.get(), second.get()}) {
      const auto refused = const_cast<store::Store*>(store)->try_lock(sample_request());
      REQUIRE(std::holds_alternative<store::LockInfo>(refused));
      const auto& holder = std::get<store::LockInfo>(refused);
      CHECK(holder.holder == "ann@build1 pid 1");
      CHECK(holder.reason == "deploy r1");
      CHECK(holder.run_id == "run-1");
      CHECK(holder.token == lock.info().token);
      CHECK(holder.owner == store::Owner::running);
      CHECK_FALSE(holder.abandoned);
    }
    const auto other = second->try_lock(sample_request("production/web"));
    CHECK(std::holds_alternative<store::Lock>(other));
    CHECK(second->locks().size() == 2);
    CHECK(lock.confirm());
    lock.release();
    lock.release();
    CHECK_FALSE(second->lock_info("production/payments"));
    CHECK(std::holds_alternative<store::Lock>(second->try_lock(sample_request())));
    CHECK_FALSE(second->lock_info("production/payments"));  // the destructor has given it back
    CHECK(second->lock_events().empty());
  }
  SECTION("heartbeats go on while it is held") {
    const auto store = open(settings);
    const auto taken = store->try_lock(sample_request());
    const auto before = store->lock_info("production/payments");
    std::this_thread::sleep_for(std::chrono::milliseconds(1800));
    const auto after = store->lock_info("production/payments");
    REQUIRE((before && after));
    CHECK(after->heartbeat > before->heartbeat);
    CHECK_FALSE(std::get<store::Lock>(taken).lost());
  }
  SECTION("a stolen lock is lost, and its owner does not give the thief's back") {
    const auto owner = open(settings);
    const auto thief = open(settings);
    auto taken = owner->try_lock(sample_request());
    auto& lock = std::get<store::Lock>(taken);
    const auto victim = thief->steal("production/payments", "ann is on a plane", "bob");
    REQUIRE(victim);
    CHECK(victim->token == lock.info().token);
    CHECK_FALSE(thief->steal("production/payments", "again", "bob"));
    auto stolen = thief->try_lock({"production/payments", "deploy r2", "run-2", "bob"});
    REQUIRE(std::holds_alternative<store::Lock>(stolen));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!lock.lost() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(lock.lost());
    CHECK_FALSE(lock.confirm());
    lock.release();
    REQUIRE(thief->lock_info("production/payments"));
    CHECK(thief->lock_info("production/payments")->holder == "bob");
    const auto events = owner->lock_events("production/payments");
    REQUIRE(events.size() == 1);
    CHECK(events[0].what == "stolen");
    CHECK(events[0].who == "bob");
    CHECK(events[0].reason == "ann is on a plane");
    CHECK(events[0].from_holder == "ann@build1 pid 1");
    CHECK(events[0].from_run_id == "run-1");
    CHECK(owner->lock_events("production/web").empty());
  }
  SECTION("waiting tells the holder once, gets the lock when it is free, and ends at its deadline") {
    const auto first = open(settings);
    const auto second = open(settings);
    auto taken = first->try_lock(sample_request());
    int told = 0;
    const auto count = [&told](const store::LockInfo&) { ++told; };
    const auto late =
        second->lock(sample_request(), base::Scope::lasting(std::chrono::milliseconds(700)), count);
    CHECK(std::holds_alternative<store::LockInfo>(late));
    CHECK(told == 1);
    base::Cancel cancel;
    cancel.request();
    const auto scope = base::Scope::lasting(std::chrono::seconds(60), &cancel);
    CHECK(code_of([&] { second->lock(sample_request(), scope); }) == base::ErrorCode::cancelled);
    std::thread releaser([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      std::get<store::Lock>(taken).release();
    });
    const auto won = second->lock(sample_request(), base::Scope::lasting(std::chrono::seconds(20)));
    releaser.join();
    CHECK(std::holds_alternative<store::Lock>(won));
  }
  SECTION("eight threads want it at once: one has it at a time") {
    const auto store = open(settings);
    std::atomic<int> inside{0};
    std::atomic<int> had{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (std::chrono::steady_clock::now() < end) {
          const auto result = store->try_lock(sample_request());
          if (!std::holds_alternative<store::Lock>(result)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            continue;
          }
          if (++inside != 1) had += 1000;
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          --inside;
          ++had;
          return;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(had == 8);
  }
}

/// To be called with no thread running: it forks.
inline void check_dead_owner(const OpenStore& open) {
  const int status = in_child([&] {
    const auto store = open({});
    auto run = sample_run("run-1");
    store->begin_run(run);
    store->append("run-1", {0, {}, "web1", "a1", "intent", "{}"});
    const auto lock = store->try_lock(sample_request());
    ::kill(::getpid(), std::holds_alternative<store::Lock>(lock) ? SIGKILL : SIGTERM);
  });
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  const auto store = open({});
  const auto left = store->lock_info("production/payments");
  REQUIRE(left);
  CHECK(left->owner == store::Owner::gone);
  CHECK(left->abandoned);
  const auto taken = store->try_lock({"production/payments", "recover", "run-2", "bob"});
  REQUIRE(std::holds_alternative<store::Lock>(taken));
  REQUIRE(std::get<store::Lock>(taken).reclaimed_from());
  CHECK(std::get<store::Lock>(taken).reclaimed_from()->run_id == "run-1");
  REQUIRE(store->lock_events().size() == 1);
  CHECK(store->lock_events()[0].what == "reclaimed");
  const auto unfinished = store->unfinished();
  REQUIRE(unfinished.size() == 1);
  CHECK(unfinished[0].owner == store::Owner::gone);
  CHECK(store->journal("run-1").size() == 1);
}

/// Kills a child with SIGKILL at random moments while it appends: what it had acknowledged must be there.
/// Forks.
inline void check_killed_while_appending(const OpenStore& open, int rounds) {
  open({})->begin_run(sample_run("run-1"));
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < rounds; ++round) {
    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      try {
        const auto store = open({});
        for (;;) {
          const std::uint64_t seq =
              store->append("run-1", {0, {}, "web1", "a", "intent", std::string(300, 'x')});
          if (::write(pipe_ends[1], &seq, sizeof seq) != sizeof seq) ::_exit(1);
        }
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
        ::_exit(99);
      }
    }
    ::close(pipe_ends[1]);
    std::uint64_t seq = 0;
    REQUIRE(::read(pipe_ends[0], &seq, sizeof seq) == sizeof seq);
    std::this_thread::sleep_for(std::chrono::microseconds(std::rand() % 30'000));
    ::kill(child, SIGKILL);
    do acknowledged = seq;
    while (::read(pipe_ends[0], &seq, sizeof seq) == sizeof seq);
    ::close(pipe_ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const auto entries = open({})->journal("run-1");
    std::set<std::uint64_t> found;
    for (const auto& entry : entries) {
      found.insert(entry.seq);
      REQUIRE(entry.body.size() == 300);
    }
    for (std::uint64_t one = 1; one <= acknowledged; ++one) REQUIRE(found.count(one) == 1);
    CHECK(entries.size() <= acknowledged + 1);
  }
}

/// Two processes append to two runs of one state at once. Forks.
inline void check_two_processes(const OpenStore& open) {
  { open({}); }  // both find the tables made
  constexpr int each = 150;
  const auto work = [&](const std::string& run) {
    const auto store = open({});
    store->begin_run(sample_run(run));
    for (int i = 0; i < each; ++i) store->append(run, {0, {}, "web1", std::to_string(i), "note", "{}"});
    store->end_run(run, "done", 0, "{}");
  };
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      work("run-child");
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(99);
    }
  }
  work("run-parent");
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  const auto store = open({});
  for (const std::string run : {"run-child", "run-parent"}) CHECK(store->journal(run).size() == each);
  CHECK(store->unfinished().empty());
}

}  // namespace staithe::test
