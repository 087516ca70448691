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

TEST_CASE("entries that arrive during a write share the next one, in order") {
  std::vector<std::size_t> batches;
  std::vector<std::uint64_t> order;
  AppendQueue queue([&](std::span<PendingEntry* const> entries) {
    batches.push_back(entries.size());
    for (const auto* pending : entries) order.push_back(pending->entry.seq);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  queue.learn("run", 41);
  queue.learn("run", 0);  // known already
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 4; ++k) queue.append("run", {});
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(order.size() == 128);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(order.front() == 42);
  CHECK(batches.size() < 30);  // 128 without sharing
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
