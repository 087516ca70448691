#pragma once
#include "staithe/base/duration.hpp"

namespace staithe::ssh {

/// How long who was refused waits before attempt number `attempt` + 1, which is 1 at first: 150 ms, doubled
/// each time, at most 3 s, each half to one and a half of that, so that many who were refused together do not
/// come back together. Any thread.
base::Duration pause_before(int attempt);

}  // namespace staithe::ssh
