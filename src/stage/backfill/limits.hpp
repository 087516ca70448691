#pragma once
#include "staithe/stage/backfill.hpp"

#include <string>

namespace staithe::stage {

/// As it stands beside the checkpoint: what was said, and nothing else.
std::string to_json(const BackfillLimits& limits);
/// Nothing of what cannot be understood.
BackfillLimits backfill_limits(const std::string& text);

}  // namespace staithe::stage
