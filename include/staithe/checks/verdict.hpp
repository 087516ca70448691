#pragma once
#include <cstdint>
#include <string_view>

namespace staithe::checks {

/// How a check, a suite or a run ended; the worse, the later. See staithe-suite(5).
enum class Verdict { pass, skipped, tolerated, degraded, aborted, error, fail };
/// "pass", "skipped", ... Stable: they stand in reports and in the history.
std::string_view name_of(Verdict verdict) noexcept;
bool parse_verdict(std::string_view text, Verdict& verdict) noexcept;

enum class Severity { minor, major, critical };
std::string_view name_of(Severity severity) noexcept;
/// What a check counts in coverage and confidence: 1, 3, 5.
double weight_of(Severity severity) noexcept;

}  // namespace staithe::checks
