#pragma once
#include "script.hpp"

#include "staithe/stage/snapshot.hpp"

namespace staithe::stage {

/// Makes an entry of a dump that names owners speak of staging's roles instead of production's: who owns the
/// object, who may do what with it, whom a policy is for. An owner without a mapping is left out, so that the
/// object belongs to the role that makes it; a grantee without one stays as it is. `drop` leaves out either.
/// A policy for dropped roles alone is left out as a whole: for nobody means for everybody.
void map_roles(Entry& entry, const RoleMap& roles);

/// One entry for each GRANT: a role that staging does not have costs its own rights, not all that others
/// have.
void split_rights(std::vector<Entry>& entries);

/// What map_roles does, for the plan.
std::vector<Difference> role_differences(const Catalogue& source, const SnapshotSettings& settings);

}  // namespace staithe::stage
