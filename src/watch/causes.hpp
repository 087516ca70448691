#pragma once
#include "staithe/watch/state.hpp"

#include <map>
#include <string>
#include <vector>

namespace staithe::watch {

/// One thing that is wrong with a suite for a reason of its own: a check, or the suite as a whole. A check
/// that was not run because of another one is none.
struct Cause {
  std::string key;  ///< of the check; "": the suite as a whole
  Streak streak;
  std::string name, reason;  ///< shortened; what strangers wrote is in the reason
  std::string detail;        ///< both, the verdict and the place in one line; "" of what has no check
};

/// In the order of the plan, the suite as a whole last.
std::vector<Cause> failing_causes(const SuiteState& suite);
/// What does not block, but should be better.
std::vector<Cause> degraded_causes(const SuiteState& suite);

/// No check is to blame: nothing could be judged, or the run was cut off wherever it just was.
bool fails_as_a_whole(const SuiteState& suite);

/// What a run says of a check that was a cause before it.
enum class Condition { bad, well, unknown };
/// Of all checks of a suite, by key.
std::map<std::string, Condition> conditions(const SuiteState& suite, const std::vector<Cause>& causes,
                                            bool degraded_is_well);

/// A check's key without its suite: "charge", "cleanup: remove it".
std::string name_in(const std::string& suite, const std::string& key);

}  // namespace staithe::watch
