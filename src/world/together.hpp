#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace staithe::world {

/// Calls `work(0)` to `work(count - 1)`, at most `at_once` at a time, and returns when all are done. `work`
/// must not throw.
template <class Work>
void together(std::size_t count, std::size_t at_once, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(at_once, count); ++i) threads.emplace_back(take);
  take();
}

}  // namespace staithe::world
