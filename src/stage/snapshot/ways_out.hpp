#pragma once
#include "staithe/stage/snapshot.hpp"

#include <string>
#include <vector>

namespace staithe::stage {

/// What a person can do about `error`, judged by its SQLSTATE, as the last lines of a run say it: the
/// servers' texts may be in any language. Empty when there is nothing better than another try.
std::vector<std::string> ways_out(const base::Error& error, const SnapshotPlan& plan);

}  // namespace staithe::stage
