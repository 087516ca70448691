#pragma once
#include "staithe/store/records.hpp"

#include <semaphore.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace staithe::store {

/// How one thread waits for a word from the one that writes. A semaphore and not a condition: who is told
/// need not queue for anybody's lock, may be gone as soon as it has been told, and costs two calls of the
/// kernel instead of three.
class Turn {
 public:
  enum class Word {
    write,  ///< the next write is yours
    done,   ///< your entry was in the last one
  };
  Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();
  /// Once.
  void say(Word word) noexcept;
  /// Blocks until something was said.
  Word wait() noexcept;

 private:
  sem_t told_{};
  Word word_ = Word::done;
};

struct PendingEntry {
  std::string run_id;
  JournalEntry entry;
  Turn* turn = nullptr;     ///< of the thread that waits for it; null when it belongs to the queue
  std::uint64_t place = 0;  ///< in line
  bool done = false;
  std::exception_ptr error{};
};

/// Group commit: threads that append while a write is under way share the next one, so the cost of reaching
/// the disk is paid once for all of them. One of the waiting threads does the writing, and names the next.
/// What nobody waits for is written with the next entry that somebody does wait for. In a crowd, whoever
/// writes waits a moment for the others first, and another one if some came, until as many wait as make a
/// crowd: reaching the disk costs more processor time than all else together.
class AppendQueue {
 public:
  /// Makes the entries durable, all or none, or throws.
  using Write = std::function<void(std::span<PendingEntry* const>)>;
  static constexpr std::size_t max_batch = 200;
  /// So many entries that nobody waits for are written by whoever adds the next one.
  static constexpr std::size_t max_unwritten = 100;
  /// It is crowded when so many different threads have appended in so short a time.
  static constexpr std::size_t crowd = 8;
  static constexpr std::chrono::milliseconds crowd_within{40};
  static constexpr std::chrono::milliseconds gathers_for{6};
  static constexpr int most_gathers = 2;

  explicit AppendQueue(Write write) : write_(std::move(write)) {}

  bool knows(std::string_view run_id) const;
  /// Says that the run's last seq on the disk is `last_seq`; ignored when the run is known already.
  void learn(std::string_view run_id, std::uint64_t last_seq);

  /// Blocks until the entry is written; rethrows what the write threw. The run must be known.
  std::uint64_t append(std::string_view run_id, JournalEntry entry);
  /// Puts the entry in line, after those before it and before those after it. One that could not be written
  /// stays in line.
  std::uint64_t enqueue(std::string_view run_id, JournalEntry entry);
  /// Blocks until everything that was in line is written; rethrows what the write threw.
  void flush();

 private:
  std::uint64_t next_seq(std::string_view run_id);
  void line_up(PendingEntry& pending);
  bool in_line(std::uint64_t place) const;
  void flush(std::unique_lock<std::mutex>& lock);
  // Out of memory in one of these ends the process: others wait for what it would leave half done, and what
  // is on the disk is what a recovery goes by.
  void note_arrival() noexcept;
  bool crowded() const noexcept;
  void gather(std::unique_lock<std::mutex>& lock) noexcept;
  std::exception_ptr write_batch(std::unique_lock<std::mutex>& lock, const Turn* mine) noexcept;
  void settle(std::span<PendingEntry* const> unasked, const std::exception_ptr& error);
  void pass_on(std::unique_lock<std::mutex>& lock);

  static constexpr std::uint64_t nothing = std::numeric_limits<std::uint64_t>::max();

  Write write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< for those who wait for no entry of their own
  bool writing_ = false;             ///< a thread writes, or has been told to
  std::deque<std::pair<std::thread::id, std::chrono::steady_clock::time_point>> latest_;  ///< who appended
  std::uint64_t places_ = 0;         ///< the last place in line that was given away
  std::uint64_t in_hand_ = nothing;  ///< the first place of what is being written; `nothing` otherwise
  std::deque<PendingEntry*> waiting_;
  std::map<const PendingEntry*, std::unique_ptr<PendingEntry>> own_;  ///< those that nobody waits for
  std::map<std::string, std::uint64_t, std::less<>> last_seq_;
};

}  // namespace staithe::store
