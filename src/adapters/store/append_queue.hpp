#pragma once
#include "staithe/store/records.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace staithe::store {

struct PendingEntry {
  std::string run_id;
  JournalEntry entry;
  bool done = false;
  std::exception_ptr error{};
};

/// Group commit: threads that append while a write is under way share the next one, so the cost of reaching
/// the disk is paid once for all of them. One of the waiting threads does the writing.
class AppendQueue {
 public:
  /// Makes the entries durable, all or none, or throws.
  using Write = std::function<void(std::span<PendingEntry* const>)>;
  static constexpr std::size_t max_batch = 200;

  explicit AppendQueue(Write write) : write_(std::move(write)) {}

  bool knows(std::string_view run_id) const;
  /// Says that the run's last seq on the disk is `last_seq`; ignored when the run is known already.
  void learn(std::string_view run_id, std::uint64_t last_seq);

  /// Blocks until the entry is written; rethrows what the write threw. The run must be known.
  std::uint64_t append(std::string_view run_id, JournalEntry entry);

 private:
  void write_batch(std::unique_lock<std::mutex>& lock);

  Write write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool writing_ = false;
  std::deque<PendingEntry*> waiting_;
  std::map<std::string, std::uint64_t, std::less<>> last_seq_;
};

}  // namespace staithe::store
