#pragma once
#include "staithe/watch/state.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>

namespace staithe::watch {

/// What a note of the store holds with ease, in bytes.
inline constexpr std::size_t most_kept = std::size_t{3} * 1024 * 1024;

/// What a kept record says of itself. Both throw nlohmann::json::exception for what is no record.
Severity severity_of(const nlohmann::json& record);
Time time_of(const nlohmann::json& record, const char* key);

}  // namespace staithe::watch
