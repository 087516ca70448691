#pragma once
#include "outcome.hpp"

#include "staithe/store/store.hpp"

namespace staithe::world {

/// Looks into the history of the project's rehearsals; refuses with what is missing and the command that
/// makes it good.
exec::EffectResult require_rehearsal(store::Store* store, const std::string& project,
                                     const plan::RequireRehearsal& wanted);

}  // namespace staithe::world
