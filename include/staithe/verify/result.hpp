#pragma once
#include "staithe/checks/confidence.hpp"
#include "staithe/checks/judge.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/store/records.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace staithe::verify {

using checks::Verdict;
using store::Time;

/// One asking: a request, or all polls of one `until`.
struct Attempt {
  Time started{};
  base::Duration duration{0};
  std::string note;  ///< "500 in 12 ms from 127.0.0.1:80", or why there was no answer
  std::vector<checks::Judged> judged;
  bool held = false;
  bool unjudged = false;  ///< could not be judged at all
  std::string reason;     ///< of `unjudged`, or of no answer
};

/// What the history says of a check's unchanged text.
struct Past {
  std::uint64_t runs = 0, flips = 0;
  /// Attempts that followed a failure which later turned out to be none of the release's, and how many of
  /// them failed too.
  std::uint64_t retried = 0, failed_again = 0;
  /// The release, as memory.hpp marks it, on which a pass now would be a flip; 0: on none.
  std::uint64_t failed_on = 0;
  Time tolerated_since{};  ///< the first excused run after the last that held; zero: none
  bool known = false;      ///< a history was there to be asked
};

struct CheckResult {
  const checks::Check* check = nullptr;  ///< of the plan, which outlives the result
  std::string suite;
  Verdict verdict = Verdict::skipped;
  bool flaky = false;        ///< passed, but not at once
  bool quarantined = false;  ///< judged and recorded, not counted
  std::string quarantine;    ///< until when, or for what, and why
  std::string reason;        ///< of skipped, tolerated, error, aborted, degraded
  std::string tolerated;     ///< the neighbour
  Time started{};
  base::Duration duration{0};
  std::vector<Attempt> attempts;  ///< at most the first 3 and the last 7
  std::uint32_t attempts_made = 0;
  std::vector<checks::Judged> judged;       ///< what the verdict was made of
  std::size_t declared = 1, evaluated = 0;  ///< expectations
  std::uint32_t samples = 1, samples_good = 1;
  std::string title;  ///< the request as it was sent, without secrets
  std::string curl;   ///< to ask again by hand; "" for what is no HTTP
  Past past;
  /// Earlier runs, newest first: for pictures.
  struct Point {
    Verdict verdict = Verdict::pass;
    double milliseconds = 0;
  };
  std::vector<Point> recent;

  /// As severe as its suite, and no mere tidying: its failure is the suite's.
  bool blocking = false;
};

struct SuiteResult {
  const checks::Suite* suite = nullptr;
  std::string arguments;  ///< of the command line that ran it, but for its name: " -e staging"
  Verdict verdict = Verdict::pass;
  std::string reason;    ///< of skipped, and of error when a check that counts was not run
  bool blocked = false;  ///< not run at all: a suite that it needs did not end well
  Time started{};
  base::Duration duration{0};
  std::vector<CheckResult> checks;
  checks::Score confidence;
  bool finished = false;
};

struct RunResult {
  std::string run_id, release, environment;
  Time started{};
  base::Duration duration{0};
  std::vector<SuiteResult> suites;
  Verdict verdict = Verdict::pass;
  bool interrupted = false;
  /// Why too little could be judged to say anything; "" when enough was.
  std::string inconclusive;
  checks::Score confidence;
  std::string history_trouble;         ///< why it was not, or not all, kept or read
  std::vector<std::string> proposals;  ///< checks to put in quarantine, with the reason

  std::size_t count(Verdict verdict) const;
};

/// "3 pass, 1 degraded, 2 fail": those that there are, worst last.
std::string counts_text(const RunResult& run);

/// Who listens to a run. One call at a time; none may throw.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void run_started(const RunResult& /*run*/, const checks::SuitePlan& /*plan*/) noexcept {}
  virtual void suite_started(const SuiteResult& /*suite*/) noexcept {}
  virtual void check_started(const checks::Suite& /*suite*/, const checks::Check& /*check*/) noexcept {}
  virtual void check_finished(const SuiteResult& /*suite*/, const CheckResult& /*check*/) noexcept {}
  virtual void suite_finished(const SuiteResult& /*suite*/) noexcept {}
  /// A stop was asked for: what is known is written down before anything is cleaned up.
  virtual void interrupted(const RunResult& /*so_far*/) noexcept {}
  virtual void message(const std::string& /*text*/) noexcept {}
  virtual void tick() noexcept {}
  virtual void run_finished(const RunResult& /*run*/) noexcept {}
};

}  // namespace staithe::verify
