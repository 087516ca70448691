#pragma once
#include "kinds.hpp"

#include <string>

namespace staithe::checks {

/// The keys that every method has.
std::optional<Request> read_http(Fields& fields, const yaml::Reader& value, const std::string& method);

}  // namespace staithe::checks
