#pragma once
#include "staithe/event/check_record.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::world {

/// Reads the records of checks from the bytes that a suite's own process writes. What it writes is not
/// trusted: lines, records and the whole are bounded, and what is none is counted and left out.
class CheckRecords {
 public:
  /// Gets what came together.
  using Sink = std::function<void(std::vector<event::CheckRecord>&&)>;

  static constexpr std::size_t longest_line = 256U << 10U;
  static constexpr std::size_t most_records = 20'000;
  static constexpr std::size_t most_bytes = 32U << 20U;  ///< of the records that are handed on

  /// An empty sink: everything is read, and nothing is made of it.
  explicit CheckRecords(Sink sink) : sink_(std::move(sink)) {}

  void push(std::string_view bytes);
  /// What was left out, and why; "" for nothing.
  std::string trouble() const;

 private:
  void take(std::string_view line);
  void hand_on();

  Sink sink_;
  std::vector<event::CheckRecord> read_;
  std::string partial_;
  bool too_long_ = false;  ///< the line that partial_ was the beginning of
  std::size_t records_ = 0, bytes_ = 0, unread_ = 0, beyond_ = 0;
};

}  // namespace staithe::world
