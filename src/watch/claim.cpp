#include "claim.hpp"

#include "staithe/base/error.hpp"

namespace staithe::watch {

using Clock = std::chrono::steady_clock;

Claim::State Claim::state() const noexcept {
  if (lock_ == nullptr) return State::ours;
  if (lost_) return State::lost;
  if (!lock_->lost()) {
    unsure_since_ = 0;
    return State::ours;
  }
  Clock::rep sure = 0;
  unsure_since_.compare_exchange_strong(sure, Clock::now().time_since_epoch().count());
  return State::unsure;
}

bool Claim::may_alert() const noexcept {
  const auto now = state();
  if (now != State::unsure) return now == State::ours;
  const auto since = unsure_since_.load();
  return since != 0 && Clock::now().time_since_epoch() - Clock::duration(since) >= patience_;
}

Claim::State Claim::confirm() {
  if (state() != State::unsure) return state();
  try {
    if (!lock_->confirm()) lose();
  } catch (const std::exception&) {
    // It cannot be asked: as unsure as before.
  }
  return state();
}

}  // namespace staithe::watch
