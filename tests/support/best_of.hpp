#pragma once
#include <algorithm>
#include <chrono>

namespace staithe::test {

/// How long `work` takes: the best of ten rounds, or the first that was quick `enough`. A machine that is
/// busy with others makes one slow, and not all of them.
template <typename Work>
std::chrono::milliseconds best_of_ten(std::chrono::milliseconds enough, const Work& work) {
  auto best = std::chrono::milliseconds::max();
  for (int round = 0; round < 10 && best >= enough; ++round) {
    const auto began = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration_cast<std::chrono::milliseconds>(
                              std::chrono::steady_clock::now() - began));
  }
  return best;
}

}  // namespace staithe::test
