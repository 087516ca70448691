#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::stage {

/// RFC 3339 in UTC with whole seconds: "2026-11-20T20:45:12Z".
std::string instant_text(std::chrono::system_clock::time_point time);
/// Strictly the same.
std::optional<std::chrono::system_clock::time_point> instant_from(std::string_view text);

}  // namespace staithe::stage
