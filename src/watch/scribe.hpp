#pragma once
#include "claim.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace staithe::watch {

/// Writes down what a watch knows, in a thread of its own: a store that hangs keeps nobody else waiting. And
/// looks, with the same thread, whether the watch is still ours.
class Scribe {
 public:
  using Notes = std::map<std::string, std::string>;
  /// All are called from the scribe's thread.
  struct Ways {
    /// What is to be written: of these suites, and of everything that is no suite's. All of one moment.
    std::function<Notes(const std::set<std::string>& suites)> notes;
    std::function<void(const Notes& notes)> write;        ///< all or none; throws base::Error
    std::function<void(const std::string& why)> trouble;  ///< why it could not be written; "": it is over
    std::function<void(Claim::State state)> claim;        ///< it has become another
  };

  Scribe(Claim& claim, Ways ways);
  ~Scribe();
  /// Writes what is left, if the store lets it. Twice is as once.
  void end();
  Scribe(const Scribe&) = delete;
  Scribe& operator=(const Scribe&) = delete;

  /// Something is to be written soon; of these suites too. Returns at once. Any thread.
  void changed(const std::vector<std::string>& suites = {});

 private:
  void work();
  void look();
  /// False when it is to be tried again.
  bool write(const std::set<std::string>& suites);

  Claim& claim_;
  Ways ways_;
  Claim::State known_ = Claim::State::ours;
  bool troubled_ = false;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::set<std::string> suites_;
  bool changed_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace staithe::watch
