#pragma once
#include "app.hpp"

#include "staithe/verify/result.hpp"
#include "staithe/watch/watcher.hpp"

#include <memory>
#include <string>
#include <vector>

namespace staithe::cli {

/// The log of `watch` on stdout: JSON Lines, the events of runs and its own. Any thread.
class WatchLog {
 public:
  explicit WatchLog(App& app);
  ~WatchLog();

  void note(const watch::Note& note);
  /// For one run more. With --quiet what passed is left out.
  std::vector<verify::Listener*> listeners() const;

 private:
  class Worst;

  App& app_;
  std::unique_ptr<verify::Listener> records_;
  std::unique_ptr<Worst> worst_;
};

}  // namespace staithe::cli
