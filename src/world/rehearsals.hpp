#pragma once
#include "outcome.hpp"

#include "staithe/store/store.hpp"

namespace staithe::world {

/// Looks into the history of rehearsals; refuses with what is missing and the command that makes it good.
exec::EffectResult require_rehearsal(store::Store* store, const plan::RequireRehearsal& wanted);

}  // namespace staithe::world
