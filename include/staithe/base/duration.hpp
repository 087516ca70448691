#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::base {

/// Every time span of the project: milliseconds are fine enough for people and for polls.
using Duration = std::chrono::milliseconds;

/// Reads "250ms", "5s", "1.5s", "2m", "1h30m", "1d". The unit is required; empty, negative, unknown
/// units and spans over 365 days are refused with nullopt.
std::optional<Duration> parse_duration(std::string_view text);

/// The shortest exact text that parse_duration reads back: "1m30s", "250ms", "0s".
std::string to_text(Duration duration);

/// For people: "85ms" below a second, one decimal below a minute ("12.3s"), whole seconds above ("2m05s").
std::string elapsed_text(Duration duration);

}  // namespace staithe::base
