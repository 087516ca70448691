#pragma once
#include "catch.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

namespace staithe::test {

/// Runs `work(scope)` with a canceller that is pulled after 50 ms; how long the work took after that. It must
/// end with base::Error{cancelled}. The best of fifty, because the machine may be busy with others.
template <typename Work>
std::chrono::milliseconds cancelled_after(const Work& work) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds soon{50};
  auto best = std::chrono::milliseconds::max();
  for (int round = 0; round < 50 && best >= soon; ++round) {
    base::Cancel cancel;
    Clock::time_point pulled;
    std::thread canceller([&] {
      std::this_thread::sleep_for(soon);
      pulled = Clock::now();
      cancel.request();
    });
    std::optional<base::ErrorCode> ended_with;
    try {
      work(base::Scope::lasting(std::chrono::seconds(60), &cancel));
    } catch (const base::Error& error) {
      ended_with = error.code();
    }
    const auto now = Clock::now();
    canceller.join();
    CHECK(ended_with == base::ErrorCode::cancelled);
    best = std::min(best, std::chrono::duration_cast<std::chrono::milliseconds>(now - pulled));
  }
  return best;
}

}  // namespace staithe::test
