#pragma once
#include "kinds.hpp"

#include <string_view>

namespace staithe::checks {

/// Whether two names are of one header: they have no case.
bool same_name(std::string_view a, std::string_view b);

/// The keys that every method has.
std::optional<Request> read_http(Fields& fields, const yaml::Reader& value, const std::string& method);

}  // namespace staithe::checks
