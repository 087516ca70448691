#pragma once
#include "staithe/base/unique_fd.hpp"
#include "staithe/exec/runner.hpp"

#include <functional>
#include <thread>

namespace staithe::cli {

/// Blocks SIGINT, SIGTERM and SIGHUP for this thread and all that it will start; ignores SIGPIPE, SIGXFSZ. To
/// be called before any thread exists.
void block_signals();

/// The one thread that takes signals: the first asks softly, the second abandons, the third ends the process
/// at once with _exit. Several at once are one wish, and so is a key that is held, however long.
class SignalThread {
 public:
  using Say = std::function<void(int count, int signal)>;

  /// Whether somebody took SIGHUP for himself; where nobody does, it asks to stop as the others do.
  using HangUp = std::function<bool()>;

  /// Throws base::Error where the process may open no more files.
  SignalThread(exec::Stops& stops, Say say, HangUp hang_up);
  ~SignalThread();

 private:
  class Wishes;

  void listen();
  void act(int number);

  exec::Stops& stops_;
  Say say_;
  HangUp hang_up_;
  base::UniqueFd signals_;
  base::Cancel end_;
  int count_ = 0;
  std::jthread thread_;
};

}  // namespace staithe::cli
