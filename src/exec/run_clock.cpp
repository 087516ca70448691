#include "run_clock.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace staithe::exec {
namespace {

constexpr base::Duration longest_nap{3'600'000};

}  // namespace

RunClock::RunClock(base::Duration deadline, const Stops& stops) : deadline_(deadline), stops_(stops) {}

RunClock::~RunClock() {
  stop();
}

void RunClock::start(std::function<void()> told) {
  if (deadline_ == base::Duration::zero()) return;
  told_ = std::move(told);
  thread_ = std::jthread([this, until = std::chrono::steady_clock::now() + deadline_] { watch(until); });
}

void RunClock::stop() noexcept {
  if (!counts()) return;
  end_.request();
  thread_.join();
  passed_.store(false, std::memory_order_release);
}

void RunClock::watch(base::SteadyTime until) {
  std::array<pollfd, 4> watched{{{end_.fd(), POLLIN, 0},
                                 {stops_.late.fd(), POLLIN, 0},
                                 {stops_.soft.fd(), POLLIN, 0},
                                 {stops_.hard.fd(), POLLIN, 0}}};
  while (!end_.requested()) {
    const auto left = base::Scope{until, nullptr}.left();
    if (left == base::Duration::zero() || stops_.late.requested()) {
      passed_.store(true, std::memory_order_release);
      told_();
      soft_or_late_.request();
      hard_or_late_.request();
      return;
    }
    ::poll(watched.data(), watched.size(), static_cast<int>(std::min(left, longest_nap).count()));
    // A switch stays on: it is passed on once, and watched no longer.
    const auto pass_on = [](pollfd& entry, const base::Cancel& from, base::Cancel& to) {
      if (!from.requested()) return;
      to.request();
      entry.fd = -1;
    };
    pass_on(watched[2], stops_.soft, soft_or_late_);
    pass_on(watched[3], stops_.hard, hard_or_late_);
  }
}

}  // namespace staithe::exec
