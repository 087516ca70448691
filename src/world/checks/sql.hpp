#pragma once
#include "staithe/checks/request.hpp"
#include "staithe/world/secrets.hpp"

namespace staithe::world {

/// A query in a transaction that cannot write, on a connection of its own. Throws as pg::Connection does.
checks::Reply ask_sql(const checks::SqlRequest& request, Secrets& secrets, const base::Scope& scope);

/// Two queries by their key. See checks::CompareRequest.
checks::Reply ask_compare(const checks::CompareRequest& request, Secrets& secrets, const base::Scope& scope);

}  // namespace staithe::world
