#include "staithe/base/cancel.hpp"

#include "staithe/base/error.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace staithe::base {

Cancel::Cancel() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw system_error(ErrorCode::failed, "eventfd", errno);
}

void Cancel::request() noexcept {
  if (requested_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // A fresh eventfd counter cannot overflow, so this write cannot fail.
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

Scope Scope::lasting(Duration duration, const Cancel* cancel) {
  return {std::chrono::steady_clock::now() + duration, cancel};
}

Scope Scope::at_most(Duration duration) const {
  return {std::min(deadline, std::chrono::steady_clock::now() + duration), cancel};
}

Duration Scope::left() const noexcept {
  const auto rest = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
  return std::max(rest, Duration::zero());
}

void Scope::check(const char* what) const {
  if (cancelled()) throw Error(ErrorCode::cancelled, "stopped");
  if (expired()) throw Error(ErrorCode::timeout, std::string(what) + " took too long");
}

Woke wait_for(int fd, short events, const Scope& scope) {
  for (;;) {
    if (scope.cancelled()) return Woke::cancelled;
    pollfd entries[2] = {{fd, events, 0}, {scope.cancel != nullptr ? scope.cancel->fd() : -1, POLLIN, 0}};
    const auto timeout = static_cast<int>(std::min<long long>(scope.left().count(), 3'600'000));
    const int ready = ::poll(entries, 2, timeout);
    if (ready < 0 && errno != EINTR) throw system_error(ErrorCode::io, "poll", errno);
    if (ready > 0 && entries[1].revents != 0) return Woke::cancelled;
    if (ready > 0 && entries[0].revents != 0) return Woke::ready;
    if (scope.expired()) return Woke::deadline;
  }
}

Woke sleep_for(Duration duration, const Scope& scope) {
  const Scope nap = scope.at_most(duration);
  const Woke woke = wait_for(-1, 0, nap);
  return woke == Woke::deadline && !scope.expired() ? Woke::ready : woke;
}

}  // namespace staithe::base
