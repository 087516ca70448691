#pragma once
#include "staithe/checks/suite.hpp"
#include "staithe/store/store.hpp"
#include "staithe/verify/memory.hpp"
#include "staithe/verify/result.hpp"

#include <map>
#include <string>

namespace staithe::verify {

/// What is known of earlier runs of a plan's checks.
class PastOfChecks {
 public:
  PastOfChecks() = default;
  /// Reads at most the window of each suite, and since when neighbours excuse. `trouble` says why nothing
  /// could be read.
  PastOfChecks(store::Store& store, const checks::SuitePlan& plan, std::string& trouble);
  PastOfChecks(const Memory& memory, const checks::SuitePlan& plan);

  Past of(const checks::Check& check) const;
  const std::vector<CheckResult::Point>& recent(const checks::Check& check) const;

 private:
  void add(const checks::Check& check, const std::vector<PastRun>& runs, Time tolerated_since);

  std::map<std::string, Past> by_key_;
  std::map<std::string, std::vector<CheckResult::Point>> recent_;
};

/// Flips and runs of one check's records, newest first, of one text.
Past past_of(const std::vector<store::CheckRecord>& records, const std::string& text_id);

/// Newest first as the store has them, to each check's runs, oldest first.
std::map<std::string, std::vector<PastRun>> past_runs(const std::vector<store::CheckRecord>& records);

/// Checks whose flips reach their suite's limit, in words.
std::vector<std::string> proposals(const RunResult& run);

}  // namespace staithe::verify
