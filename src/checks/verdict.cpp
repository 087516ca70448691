#include "staithe/checks/verdict.hpp"

#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 7> verdicts{"pass",    "skipped", "tolerated", "degraded",
                                                   "aborted", "error",   "fail"};

}  // namespace

std::string_view name_of(Verdict verdict) noexcept {
  return verdicts[static_cast<std::size_t>(verdict)];
}

bool parse_verdict(std::string_view text, Verdict& verdict) noexcept {
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i] != text) continue;
    verdict = static_cast<Verdict>(i);
    return true;
  }
  return false;
}

std::string_view name_of(Severity severity) noexcept {
  constexpr std::array<std::string_view, 3> names{"minor", "major", "critical"};
  return names[static_cast<std::size_t>(severity)];
}

double weight_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::minor:
      return 1;
    case Severity::major:
      return 3;
    case Severity::critical:
      return 5;
  }
  return 1;
}

}  // namespace staithe::checks
