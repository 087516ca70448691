#pragma once
#include "staithe/base/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::report {

class Behind;

/// A file descriptor that reporters write to. Short writes are completed; failing ones (a closed pipe, a full
/// disk) are remembered, never thrown: nothing is written after the first, unless it goes on. SIGPIPE must be
/// ignored. Thread safe; each call reaches the descriptor as one piece.
class Output {
 public:
  explicit Output(int fd);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text) noexcept;
  /// From now on every text is tried, whatever became of the one before: for what runs for months, whose disk
  /// may have room again. A text that was cut off ends with its line.
  void go_on_after_errors() noexcept { goes_on_ = true; }

  /// From now on a thread writes, and write() returns at once: a reader who has stopped reading keeps nobody
  /// waiting. Of what waits `most_bytes` are kept; texts beyond are left out, and `gap` says so in their
  /// place. Not for a terminal with a status.
  void write_behind(std::size_t most_bytes, std::function<std::string(std::size_t texts)> gap);
  /// Ends that: what waits is written, for two seconds at the most. Not beside write().
  void write_through();

  /// Lines that stay below everything written from now on: they are erased before a text and drawn again
  /// after it. For a terminal only. Each is without '\n' and, to be erased wholly, narrower than the
  /// terminal; SGR colour is allowed. No line: the status is taken away.
  void set_status(std::vector<std::string> lines) noexcept;

  bool failed() const noexcept { return error_ != 0; }
  /// errno of the write that failed, 0 for none.
  int error() const noexcept { return error_; }

  /// No status is shown while one of these lives: somebody asks a question on the terminal.
  class Pause {
   public:
    explicit Pause(Output& output) noexcept;
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Output& output_;
  };

 private:
  bool may_show() const noexcept { return paused_ == 0 && !mid_line_ && !status_.empty(); }
  std::string erasure(bool clear) const;
  void write_now(std::string_view text) noexcept;
  void send(std::string_view bytes) noexcept;
  /// False when nobody reads and there is no more time.
  bool may_send() noexcept;
  bool late() const noexcept;

  int fd_;
  std::mutex mutex_;
  std::atomic<int> error_{0};
  std::atomic<bool> goes_on_{false};
  std::vector<std::string> status_;  ///< wanted
  std::vector<std::string> shown_;   ///< on the terminal, just above the cursor
  int paused_ = 0;
  bool cut_ = false;                  ///< of the last text only a beginning was written
  bool mid_line_ = false;             ///< the last text did not end its line
  std::atomic<bool> careful_{false};  ///< a write may not block for ever
  base::UniqueFd patient_;            ///< the terminal once more, where a write never blocks
  /// Of the steady clock; 0: there is no hurry.
  std::atomic<std::chrono::steady_clock::rep> give_up_at_{0};
  std::unique_ptr<Behind> behind_;
};

}  // namespace staithe::report
