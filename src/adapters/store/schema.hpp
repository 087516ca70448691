#pragma once
#include "database.hpp"

#include <span>
#include <vector>

namespace staithe::store {

/// The statements that lead from one version of the tables to the next.
using Migration = std::vector<const char*>;

/// What this version of staithe knows; version n is the state after the first n. Append, never edit.
std::span<const Migration> migrations();

/// Brings the tables up to the last of `steps`. One process at a time does it, in one transaction. Tables
/// that a newer staithe made are refused with base::Error{conflict}.
void migrate(Database& database, std::span<const Migration> steps, const base::Scope& scope);

}  // namespace staithe::store
