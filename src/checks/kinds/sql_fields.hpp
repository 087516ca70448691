#pragma once
#include "kinds.hpp"

namespace staithe::checks {

/// The connection that `connection` names, and `query` and `args` of `map`.
std::optional<SqlRequest> read_sql(Fields& fields, yaml::Mapping& map, const yaml::Reader& connection);

}  // namespace staithe::checks
