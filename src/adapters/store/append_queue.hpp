#pragma once
#include "staithe/store/records.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace staithe::store {

struct PendingEntry {
  std::string run_id;
  JournalEntry entry;
  bool waited_for = true;  ///< somebody is told when it is done; else it belongs to the queue
  bool done = false;
  std::exception_ptr error{};
  std::condition_variable* told = nullptr;  ///< by which whoever waits for it is woken
};

/// Group commit: threads that append while a write is under way share the next one, so the cost of reaching
/// the disk is paid once for all of them. One of the waiting threads does the writing. What nobody waits for
/// is written with the next entry that somebody does wait for. While several threads append, whoever writes
/// waits a moment for the others first: reaching the disk costs more processor time than all else together.
class AppendQueue {
 public:
  /// Makes the entries durable, all or none, or throws.
  using Write = std::function<void(std::span<PendingEntry* const>)>;
  static constexpr std::size_t max_batch = 200;
  /// So many entries that nobody waits for are written by whoever adds the next one.
  static constexpr std::size_t max_unwritten = 100;
  static constexpr std::chrono::milliseconds gathers_for{4};

  explicit AppendQueue(Write write) : write_(std::move(write)) {}

  bool knows(std::string_view run_id) const;
  /// Says that the run's last seq on the disk is `last_seq`; ignored when the run is known already.
  void learn(std::string_view run_id, std::uint64_t last_seq);

  /// Blocks until the entry is written; rethrows what the write threw. The run must be known.
  std::uint64_t append(std::string_view run_id, JournalEntry entry);
  /// Puts the entry in line, after those before it and before those after it. One that could not be written
  /// stays in line.
  std::uint64_t enqueue(std::string_view run_id, JournalEntry entry);
  /// Blocks until everything in line is written; rethrows what the write threw.
  void flush();

 private:
  std::uint64_t next_seq(std::string_view run_id);
  void flush(std::unique_lock<std::mutex>& lock);
  std::exception_ptr write_batch(std::unique_lock<std::mutex>& lock);
  void settle(std::span<PendingEntry* const> batch, const std::exception_ptr& error);
  void wake_next();

  Write write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< for those who wait for no entry of their own
  bool writing_ = false;
  bool shared_ = false;  ///< the last write was for several threads
  std::deque<PendingEntry*> waiting_;
  std::map<const PendingEntry*, std::unique_ptr<PendingEntry>> own_;  ///< those that nobody waits for
  std::map<std::string, std::uint64_t, std::less<>> last_seq_;
};

}  // namespace staithe::store
