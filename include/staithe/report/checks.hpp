#pragma once
#include "staithe/event/check_record.hpp"
#include "staithe/report/output.hpp"
#include "staithe/report/sinks.hpp"
#include "staithe/verify/result.hpp"

#include <functional>
#include <memory>
#include <string>

/// Who listens to a run of checks. An Output must outlive the listener that writes to it.
namespace staithe::report {

/// Lines for a person or a CI log: one for every check that is done, the failures again at the end with all
/// that is known of them, and what the verdict is worth.
struct CheckTextOptions {
  /// 1: also what was judged of checks that passed, and every point that was lost; -1: only what is not well
  int verbosity = 0;
  Color color = Color::off;
  std::chrono::seconds heartbeat{10};
};
std::unique_ptr<verify::Listener> make_check_text(Output& output, CheckTextOptions options);

/// JSON Lines, as staithe-events(7) describes them. One listener for each run; where several runs share an
/// output, the first record, the version, is written by one of them.
struct CheckJsonlOptions {
  bool version = true;
  bool passed = true;  ///< false: records only of checks and suites that did not pass, none of runs
};
std::unique_ptr<verify::Listener> make_check_jsonl(Output& output, std::string version,
                                                   CheckJsonlOptions options = {});

/// Hears of a report that was lost; must not throw.
using Trouble = std::function<void(const std::string& text)>;

/// Annotations of GitHub's log, at most ten of a kind, the worst first; and a table for the summary of the
/// job when `summary_path` names its file. That it could not be written is told to `trouble`.
std::unique_ptr<verify::Listener> make_check_github(Output& output, std::string summary_path,
                                                    Trouble trouble = {});

enum class CheckFile { junit, tap, html };
/// A file, written under a temporary name and renamed: at the end, and before anything is cleaned up when the
/// run is stopped. Until then it says that the run did not end, for it may be killed. Throws base::Error when
/// it cannot be written now; that it could not later is told to `trouble`.
std::unique_ptr<verify::Listener> make_check_file(CheckFile kind, const std::string& path,
                                                  Trouble trouble = {});

/// The texts of those files.
std::string check_junit(const verify::RunResult& run);
std::string check_tap(const verify::RunResult& run);
std::string check_html(const verify::RunResult& run);

/// Why a check ended as it did, in one line: of one that failed the first expectation that did not hold, else
/// its reason; "" when there is nothing to say.
std::string check_reason(const verify::CheckResult& check);
std::string check_reason(const event::CheckRecord& check);

/// What is written down of a check that ended; `release` is the commit.
event::CheckRecord check_record(const verify::SuiteResult& suite, const verify::CheckResult& check,
                                const std::string& release = {});

/// What a check that is not well has to say, a line each, without indentation.
std::vector<std::string> check_details(const event::CheckRecord& check);
/// "staithe check FILE --only 'NAME'"; of what sets up or puts right, which belongs to all steps, the suite.
std::string check_again(const verify::SuiteResult& suite, const verify::CheckResult& check);
/// "its quarantine ended 2026-11-01 (payments: the sandbox is slow), it counts again"; "" of one that is in
/// none.
std::string check_quarantine_ended(const verify::CheckResult& check);
/// The confidence of a suite or run is of a pass: how far to believe it. Of a fail there is none.
bool has_confidence(verify::Verdict verdict);
/// How many of the lost points are told one by one: those that cost most, where lines are few.
enum class Itemised { most, all };
/// The three plain statements about what the verdict is worth, and quarantines that have ended.
std::vector<std::string> check_worth(const verify::RunResult& run, Itemised itemised = Itemised::most);

}  // namespace staithe::report
