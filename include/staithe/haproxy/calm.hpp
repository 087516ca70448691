#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace staithe::haproxy {

/// Counters of one server in one process, at one poll.
struct Load {
  std::uint64_t sessions = 0;
  std::uint64_t queued = 0;
  std::uint64_t total_sessions = 0;
  std::uint64_t chosen = 0;
  bool operator==(const Load&) const = default;
};

/// Drained means: over several polls nothing in hand, nothing queued, and no total has moved; in the same
/// processes. Totals matter because persistent visitors leave `sessions` at 0 between two requests.
class CalmDetector {
 public:
  explicit CalmDetector(std::uint32_t polls = 3) : needed_(polls) {}

  /// The loads of one poll by "balancer pid backend/server": a new process is a new key and starts the count
  /// again. A key that disappears (an old worker has gone) does not.
  void feed(const std::map<std::string, Load>& loads);
  void reset() noexcept;
  bool calm() const noexcept { return streak_ >= needed_; }
  std::uint32_t streak() const noexcept { return streak_; }

 private:
  std::uint32_t needed_;
  std::uint32_t streak_ = 0;
  std::map<std::string, Load> last_;
};

}  // namespace staithe::haproxy
