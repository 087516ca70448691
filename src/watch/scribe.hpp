#pragma once
#include "backlog.hpp"
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

/// Writes down what a watch knows and what its runs have found, in a thread of its own: a store that hangs
/// keeps nobody else waiting. And looks, with the same thread, whether the watch is still ours. What is wrong
/// with a way, whatever it throws, is trouble to be told, and is tried again.
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
    /// Puts results into the history: all or none; throws base::Error. Empty: there is none.
    std::function<void(const Records& results)> keep{};
    /// Called when that begins to fail, with the reason, when it is over, with "", and when results were left
    /// out for good: `lost` of them since the last call.
    std::function<void(const std::string& why, std::size_t lost)> history{};
    /// Every second or so, when nothing waits to be written; may block as the store does. What it throws is
    /// dropped.
    std::function<void()> idle{};
  };

  Scribe(Claim& claim, Ways ways);
  ~Scribe();
  /// Writes what is left, if the store lets it, for ten seconds after what is in hand. Twice is as once.
  void end();
  Scribe(const Scribe&) = delete;
  Scribe& operator=(const Scribe&) = delete;

  /// Something is to be written soon; of these suites too. Returns at once. Any thread.
  void changed(const std::vector<std::string>& suites = {});
  /// Results for the history, which wait as long as the backlog has room. Returns at once. Any thread.
  void found(Records results);

 private:
  enum class Took { all, later, never };
  /// What is written in one go.
  struct Load {
    bool notes = false;
    std::set<std::string> suites;
    std::deque<Records> results;
  };

  void work();
  void rest();
  /// What is left of the load is to be tried again.
  void carry(Load& load);
  void look();
  /// False when it is to be tried again.
  bool write(const std::set<std::string>& suites);
  /// Leaves those that are to be tried again.
  void keep(std::deque<Records>& runs);
  Took offer(const Records& results, std::string& why);
  void tell(const std::string& why, std::size_t lost);

  Claim& claim_;
  Ways ways_;
  Claim::State known_ = Claim::State::ours;
  std::string notes_trouble_, history_trouble_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::set<std::string> suites_;
  Backlog backlog_;
  bool changed_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace staithe::watch
