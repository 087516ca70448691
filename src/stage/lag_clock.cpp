#include "lag_clock.hpp"

namespace staithe::stage {
namespace {

constexpr std::size_t most_positions = 10'000;

}  // namespace

base::Duration LagClock::behind(std::uint64_t written, std::uint64_t replayed, Time now) {
  while (!written_.empty() && written_.front().second <= replayed) written_.pop_front();
  if (written > replayed && (written_.empty() || written_.back().second < written)) {
    if (written_.size() >= most_positions) written_.pop_back();  // the oldest are those that tell
    written_.emplace_back(now, written);
  }
  return written_.empty() ? base::Duration{0}
                          : std::chrono::duration_cast<base::Duration>(now - written_.front().first);
}

}  // namespace staithe::stage
