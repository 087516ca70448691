#pragma once
#include "staithe/base/redact.hpp"
#include "staithe/verify/probes.hpp"
#include "staithe/verify/result.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace staithe::store {
class Store;
}

namespace staithe::verify {

class Memory;

struct Options {
  std::string run_id;
  /// What a person must say besides the suite to run it so again: " -e staging".
  std::function<std::string(const checks::Suite&)> arguments{};
  std::size_t suites_at_once = 8;
  const base::Cancel* soft = nullptr;  ///< no further check; what was made is cleaned up
  const base::Cancel* hard = nullptr;  ///< cleaning up ends too
  Memory* memory = nullptr;            ///< what is known of earlier runs; null: the history is asked
  double least_coverage = 0.5;         ///< below that, a run that did not fail is inconclusive
};

/// Runs a plan: suites as their graph allows, a thread for each in hand; every text that leaves is redacted.
/// Saved values that are used as credentials are secrets too: the redactor is told of them. `history` may be
/// null: then nothing is read from it, and who calls keeps the results (records_of). Blocks until everything
/// is cleaned up.
RunResult run(const checks::SuitePlan& plan, const Options& options, Probes& probes, store::Store* history,
              base::Redactor& redactor, const std::vector<Listener*>& listeners);

/// What a run found, as the history keeps it.
std::vector<store::CheckRecord> records_of(const RunResult& run);

/// A new id: "20261120t104106-3fa9c2", letters, digits and '-'; it says when the run began.
std::string new_run_id(Time now);
/// When the run of that id began; zero when the text is no such id.
Time began(std::string_view run_id);
/// Who marks what its runs make: project and environment.
std::string owner_of(const checks::SuitePlan& plan);
/// What $(run.id) stands for: the run's id, and six digits more that depend on it and its owner. So what
/// looks like the mark of a run is not taken for one, nor is what another project has made.
std::string mark_of_run(std::string_view run_id, std::string_view owner);
/// The first mark of that owner that stands in the text as a word of its own; "" for none.
std::string mark_in(std::string_view text, std::string_view owner);

}  // namespace staithe::verify
