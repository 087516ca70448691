#pragma once
#include "staithe/base/duration.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::event {

// Not inside CheckRecord: clang 14 knows their initialisers only behind the end of what they stand in.

/// What came of one expectation.
struct CheckJudged {
  std::string subject, wanted, got;
  std::string outcome;  ///< "held", "differs" or "unjudged"
  std::string why;      ///< of "unjudged"
  bool warns = false;
  bool operator==(const CheckJudged&) const = default;
};
/// One attempt.
struct CheckTry {
  std::string started;  ///< RFC 3339
  std::string note, reason;
  bool judged = false;  ///< there was something to judge
  bool operator==(const CheckTry&) const = default;
};
struct CheckHistory {
  std::uint64_t runs = 0, flips = 0;
  std::optional<double> noise;  ///< of a failure: the chance that it is none of the release's
  bool operator==(const CheckHistory&) const = default;
};

/// What is written down of one check that ended: the record `check` of JSON Lines, staithe-events(7) has the
/// meaning of its fields. Printable, and without secrets.
struct CheckRecord {
  using Judged = CheckJudged;
  using Try = CheckTry;
  using History = CheckHistory;

  std::string suite, name, key, part, severity;
  std::string owner, runbook;  ///< of the suite, of what did not pass
  std::string verdict;         ///< one of checks::Verdict by name
  std::string file;
  std::uint64_t line = 0;
  std::string request;
  std::string release;  ///< the commit that was judged; "" when it is not known
  std::string started;  ///< RFC 3339
  base::Duration duration{0};
  std::uint64_t attempts = 0;
  bool flaky = false, quarantined = false;
  std::string quarantine, quarantine_ended, reason, tolerated;
  std::uint64_t samples = 1, samples_good = 1;
  std::optional<History> history;
  std::vector<Judged> judged;
  std::vector<Try> tries;  ///< when it took more than one: the first and the last
  std::string note;        ///< of the last
  std::string again;       ///< the command that runs it again; "" for none
  std::string curl;
  bool operator==(const CheckRecord&) const = default;
};

/// A JSON object on one line: the record but for what says where it stands ("type", "run_id").
std::string to_json(const CheckRecord& record);

/// Reads what another process has written, which may be anything: unknown fields are skipped, control
/// characters are taken away. None: it is a record of another type. Throws base::Error{protocol} for what is
/// no record, or one whose fields are not what they should be. The line's length is the caller's to bound.
std::optional<CheckRecord> read_check_record(std::string_view line);

}  // namespace staithe::event
