#pragma once
#include "staithe/checks/request.hpp"

#include <nlohmann/json_fwd.hpp>

namespace staithe::checks {

/// All that makes a request what it is: two requests that ask differently are written differently.
nlohmann::json json_of(const Request& request);

}  // namespace staithe::checks
