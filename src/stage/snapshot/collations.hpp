#pragma once
#include "staithe/stage/snapshot.hpp"

namespace staithe::stage {

/// Collations whose library is of another version on the target: text may come in another order there.
std::vector<Difference> collation_differences(const Catalogue& source, const TargetFacts& target);

/// Collations of the source whose library is no longer the one its indexes were built with; `why` is what to
/// do about it.
std::vector<Difference> stale_collations(const Catalogue& source);

}  // namespace staithe::stage
