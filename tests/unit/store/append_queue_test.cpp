#include "append_queue.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

using namespace staithe;
using store::AppendQueue;
using store::PendingEntry;

namespace {

/// For what a machine that does much else lets be seen only now and then.
template <class Seen>
bool once_in_ten(const Seen& seen) {
  for (int round = 0; round < 10; ++round)
    if (seen()) return true;
  return false;
}

}  // namespace

TEST_CASE("entries that arrive during a write share the next one, in order") {
  std::vector<std::size_t> batches;
  std::vector<std::uint64_t> order;
  std::atomic<int> running{32}, calling{0};
  AppendQueue queue([&](std::span<PendingEntry* const> entries) {
    batches.push_back(entries.size());
    for (const auto* pending : entries) order.push_back(pending->entry.seq);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    // On a busy machine the others take longer to come.
    for (int i = 0; i < 10'000 && calling < running; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  queue.learn("run", 41);
  queue.learn("run", 0);  // known already
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 4; ++k) {
        ++calling;
        queue.append("run", {});
        --calling;
      }
      --running;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(order.size() == 128);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(order.front() == 42);
  CHECK(batches.size() < 30);  // 128 without sharing
}

TEST_CASE("a crowd shares writes that are quick, too") {
  const auto writes_of_320 = [] {  // one every millisecond
    std::atomic<int> writes{0};
    AppendQueue queue([&](std::span<PendingEntry* const>) { ++writes; });
    queue.learn("run", 0);
    std::vector<std::thread> threads;
    for (int i = 0; i < 32; ++i) {
      threads.emplace_back([&, i] {
        std::this_thread::sleep_for(std::chrono::milliseconds(i));
        for (int k = 0; k < 10; ++k) {
          queue.append("run", {});
          std::this_thread::sleep_for(std::chrono::milliseconds(32));
        }
      });
    }
    for (auto& thread : threads) thread.join();
    return writes.load();
  };
  CHECK(once_in_ten([&] { return writes_of_320() < 160; }));
}

TEST_CASE("few threads do not wait for each other") {
  AppendQueue queue([](std::span<PendingEntry* const>) {});
  queue.learn("run", 0);
  const auto slow_of_200 = [&] {
    std::vector<std::thread> threads;
    std::atomic<int> slow{0};
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 50; ++k) {
          const auto before = std::chrono::steady_clock::now();
          queue.append("run", {});
          if (std::chrono::steady_clock::now() - before >= AppendQueue::gathers_for) ++slow;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    return slow.load();
  };
  CHECK(once_in_ten([&] { return slow_of_200() < 50; }));
}

TEST_CASE("flush waits for what was in line, not for what comes after it") {
  std::atomic<bool> enough{false};
  AppendQueue queue(
      [](std::span<PendingEntry* const>) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); });
  queue.learn("run", 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!enough) queue.append("run", {});
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::atomic<bool> flushed{false};
  std::thread flusher([&] {
    for (int i = 0; i < 5; ++i) {
      queue.enqueue("run", {});
      queue.flush();
    }
    flushed = true;
  });
  for (int i = 0; i < 6000 && !flushed; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(flushed);
  enough = true;
  flusher.join();
  for (auto& thread : threads) thread.join();
}

TEST_CASE("a write that fails fails for all who shared it, and only for them") {
  bool fail = true;
  AppendQueue queue([&](std::span<PendingEntry* const>) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (fail) throw base::Error(base::ErrorCode::io, "full");
  });
  queue.learn("run", 0);
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        queue.append("run", {});
      } catch (const base::Error&) {
        ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failed == 8);
  fail = false;
  CHECK(queue.append("run", {}) == 9);
  CHECK_THROWS_AS(queue.append("other", {}), base::Error);
}

TEST_CASE("what nobody waits for is written with the next entry, in order") {
  std::vector<std::string> written;
  bool full = false;
  store::AppendQueue queue([&](std::span<store::PendingEntry* const> entries) {
    if (full) throw base::Error(base::ErrorCode::io, "no space is left");
    for (const auto* pending : entries) written.push_back(pending->entry.action_id);
  });
  queue.learn("run", 0);
  const auto entry = [](const char* action) {
    store::JournalEntry made;
    made.action_id = action;
    return made;
  };

  CHECK(queue.enqueue("run", entry("a")) == 1);
  CHECK(written.empty());
  CHECK(queue.append("run", entry("b")) == 2);
  CHECK(written == std::vector<std::string>{"a", "b"});

  SECTION("flush writes what is left") {
    queue.enqueue("run", entry("c"));
    queue.flush();
    queue.flush();
    CHECK(written == std::vector<std::string>{"a", "b", "c"});
  }
  SECTION("what could not be written stays in line, and who waits is told") {
    full = true;
    queue.enqueue("run", entry("c"));
    CHECK_THROWS_AS(queue.append("run", entry("lost")), base::Error);
    CHECK_THROWS_AS(queue.flush(), base::Error);
    full = false;
    queue.append("run", entry("d"));
    CHECK(written == std::vector<std::string>{"a", "b", "c", "d"});
  }
  SECTION("the line has an end") {
    for (std::size_t i = 0; i <= store::AppendQueue::max_unwritten; ++i) queue.enqueue("run", entry("x"));
    CHECK(written.size() == 2 + store::AppendQueue::max_unwritten);
  }
}
