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
  std::uint64_t release = 0;  ///< what was judged: mark_of(release), where "" is that nobody knew
  Time time{};
  float milliseconds = 0;
  Verdict verdict = Verdict::pass;
  bool flaky = false;
  bool excused = false;       ///< a neighbour's absence was in evidence
  std::uint8_t attempts = 1;  ///< at most 255 are told apart
};

/// Equal texts have equal marks, and none has 0. Good for comparing within one process only.
std::uint64_t mark_of(std::string_view text);

/// Flips and runs of one check, oldest run first, of one text. A flip is a failure that a later attempt of
/// its run, or the next run, did not have. There is none between runs of different releases, also of a run in
/// between that was not judged; nor where a run between them, or one of them, was an error or excused by a
/// neighbour. Runs without a known release count as one unchanged release; counted as clean, they would make
/// a flaky check look reliable.
Past past_of(const std::vector<PastRun>& runs, std::uint64_t text);

/// The flips that this result adds to its `past`: 0 to 2.
std::uint64_t flips_of(const CheckResult& one, std::string_view release);

/// What earlier runs found, kept in the process instead of being read again before every run. At most the
/// window of each suite, and besides since when a neighbour excuses a check, which may be longer ago. Any
/// thread.
class Memory {
 public:
  /// Reads what the store knows of a plan's checks that was not read yet. Throws base::Error: what could not
  /// be read then is read by the next call. Runs go on beside it. Calls beside each other may read the same
  /// twice, and come to the same.
  void load(store::Store& store, const checks::SuitePlan& plan);
  void add(const RunResult& run);
  /// Of a check by its key, oldest first.
  std::vector<PastRun> of(const std::string& key) const;
  /// As Past has it, of that text of a check.
  Time tolerated_since(const std::string& key, std::uint64_t text) const;

 private:
  struct Known {
    std::vector<PastRun> runs;
    Time tolerated_since{};
    std::uint64_t text = 0;  ///< of tolerated_since
    bool loaded = false;
  };
  bool has_read(const std::string& key) const;
  static void take(Known& known, const PastRun& run, std::size_t window);

  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;
};

}  // namespace staithe::verify
