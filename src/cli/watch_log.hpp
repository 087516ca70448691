#pragma once
#include "app.hpp"

#include "staithe/verify/result.hpp"
#include "staithe/watch/watcher.hpp"

#include <memory>

namespace staithe::cli {

/// The log of `watch` on stdout: JSON Lines, the events of runs and its own. Any thread.
class WatchLog {
 public:
  explicit WatchLog(App& app);
  ~WatchLog();
  WatchLog(const WatchLog&) = delete;
  WatchLog& operator=(const WatchLog&) = delete;

  void note(const watch::Note& note);
  /// For one run more. With --quiet what passed is left out.
  std::unique_ptr<verify::Listener> listener() const;

 private:
  App& app_;
};

}  // namespace staithe::cli
