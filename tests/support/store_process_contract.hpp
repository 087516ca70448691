#pragma once
/// The part of the Store's contract that is about several owners: locks, and processes that die or run side
/// by side.
#include "support/store_contract.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>

namespace staithe::test {

inline void check_locks(const OpenStore& open) {
  store::Settings settings;
  settings.heartbeat = std::chrono::milliseconds(100);
  settings.lease = std::chrono::seconds(60);
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
    settings.lease = std::chrono::seconds(3);
    const auto store = open(settings);
    const auto taken = store->try_lock(sample_request());
    const auto before = store->lock_info("production/payments");
    std::this_thread::sleep_for(std::chrono::milliseconds(3300));
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
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
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
    const auto won = second->lock(sample_request(), base::Scope::lasting(std::chrono::seconds(60)));
    releaser.join();
    CHECK(std::holds_alternative<store::Lock>(won));
  }
  SECTION("eight want it at once: one has it at a time") {
    std::vector<std::unique_ptr<store::Store>> stores;
    for (int i = 0; i < 8; ++i) stores.push_back(open(settings));
    std::atomic<int> inside{0};
    std::atomic<int> had{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (std::chrono::steady_clock::now() < end) {
          const auto result = stores[static_cast<std::size_t>(i)]->try_lock(sample_request());
          if (!std::holds_alternative<store::Lock>(result)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
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
