#pragma once
#include "staithe/verify/result.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::store {
class Store;
}

namespace staithe::verify {

/// One earlier run of one check, as small as it can be: a process that watches keeps hundreds of thousands.
struct PastRun {
  std::uint64_t text = 0;     ///< of what it asked and expected: mark_of(text_id)
  std::uint64_t release = 0;  ///< what was judged; 0 when nobody knew
  Time time{};
  float milliseconds = 0;
  Verdict verdict = Verdict::pass;
  bool flaky = false;
  bool excused = false;       ///< a neighbour's absence was in evidence
  std::uint8_t attempts = 1;  ///< at most 255 are told apart
};

/// Equal texts have equal marks; "" has 0. Good for comparing within one process only.
std::uint64_t mark_of(std::string_view text);

/// Flips and runs of one check, oldest run first, of one text: fail, then pass, on the same release.
Past past_of(const std::vector<PastRun>& runs, std::uint64_t text);

/// What earlier runs found, kept in the process instead of being read again before every run. At most the
/// window of each suite. Any thread.
class Memory {
 public:
  /// Reads what the store knows of a plan's checks that are not known here yet. Throws base::Error.
  void load(store::Store& store, const checks::SuitePlan& plan);
  void add(const RunResult& run);
  /// Of a check by its key, oldest first.
  std::vector<PastRun> of(const std::string& key) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<PastRun>> runs_;
};

}  // namespace staithe::verify
