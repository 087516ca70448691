#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace load {

using Clock = std::chrono::steady_clock;

/// How a request can fail, as its client sees it.
enum class Failure : std::uint8_t { refused, status, reset, cut, timeout, garbage };
inline constexpr std::array<std::string_view, 6> failure_names{"refused", "status",  "reset",
                                                               "cut",     "timeout", "garbage"};

/// What was seen from the first request to the last. Memory is bounded whatever the length of the run.
class Tally {
 public:
  explicit Tally(Clock::time_point start);

  void answered(const std::string& version, const std::string& host, Clock::duration took,
                Clock::time_point now);
  /// `where` is the target, `detail` for people. Of the failures the first 50 are kept in words.
  void failed(Failure kind, const std::string& where, const std::string& detail, Clock::time_point now);
  /// A kept connection that the server closed as the request was on its way, with no byte of an answer: RFC
  /// 9112 9.3.1 lets clients send an idempotent request again, so this one was; its second try counts by
  /// itself.
  void retried() { ++retried_; }

  std::uint64_t requests() const { return answered_ + failures(); }
  std::uint64_t failures() const;
  std::string json(Clock::time_point now) const;
  /// One line for people.
  std::string line(Clock::time_point now) const;

 private:
  struct Seen {
    std::uint64_t count = 0;
    double first_s = 0, last_s = 0;
  };
  double seconds(Clock::time_point now) const;
  double percentile_ms(double part) const;
  static void see(std::map<std::string, Seen>& all, const std::string& name, double at);

  Clock::time_point start_;
  std::uint64_t answered_ = 0, retried_ = 0;
  std::array<std::uint64_t, failure_names.size()> failed_{};
  /// One bucket for each 0.1 ms up to 60 s.
  std::vector<std::uint32_t> buckets_;
  Clock::duration max_{};
  std::map<std::string, Seen> versions_, hosts_;
  std::vector<std::string> examples_;
};

}  // namespace load
