#pragma once
#include "staithe/event/check_record.hpp"

#include <string>
#include <vector>

namespace staithe::report {

/// What Jenkins makes of a case.
enum class CaseOutcome { passed, failed, error, skipped };

/// A check as a test case of JUnit: in a report of checks, and in that of a run that has asked them.
struct CheckCase {
  event::CheckRecord check;
  std::string class_name, name;
  /// Why it did not pass in runs of its suite before this one, which was begun again.
  std::vector<std::string> before{};
  bool let_pass = false;  ///< the run is no failure for it
};

/// Its name among the cases of its suite.
std::string case_name(const event::CheckRecord& check);
CaseOutcome outcome_of(const CheckCase& one);
std::string case_xml(const CheckCase& one);

}  // namespace staithe::report
