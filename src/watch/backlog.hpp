#pragma once
#include "staithe/store/records.hpp"

#include <cstddef>
#include <deque>
#include <vector>

namespace staithe::watch {

using Records = std::vector<store::CheckRecord>;

/// Results of runs that are not in the history yet, oldest first, run by run. A store that stays away must
/// not cost all memory: of what is too much the oldest are left out, and counted; the newest run is kept
/// whatever its size. One thread at a time.
class Backlog {
 public:
  static constexpr std::size_t most_bytes = std::size_t{4} * 1024 * 1024;
  /// So many results are written at once, if there are; of one run always all.
  static constexpr std::size_t most_at_once = 1000;

  void add(Records run);
  bool empty() const noexcept { return runs_.empty(); }
  /// The oldest that are written together; they are in the backlog no more.
  std::deque<Records> take();
  /// They could not be written: as if they had never been taken.
  void put_back(std::deque<Records> taken);
  /// How many results were left out since this was last asked.
  std::size_t take_lost() noexcept;
  /// Leaves everything out.
  void give_up();

 private:
  void fit();

  std::deque<Records> runs_;
  std::size_t bytes_ = 0, lost_ = 0;
};

}  // namespace staithe::watch
