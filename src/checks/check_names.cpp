#include "check_names.hpp"

#include <fmt/format.h>

#include <map>
#include <string>

namespace staithe::checks {
namespace {

void append(Check& check, const std::string& ending) {
  for (auto* name : {&check.name, &check.step, &check.key}) *name += ending;
}

}  // namespace

void tell_apart(Suite& suite) {
  std::map<std::string, std::size_t> times;
  for (auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
    for (auto& check : *part) {
      if (!check.unnamed || check.name.find("***") == std::string::npos) continue;
      const auto time = ++times[check.key];
      if (time == 1) continue;
      const auto number = fmt::format(" ({})", time);
      append(check, number);
      for (auto& undo : check.undo)
        if (undo.unnamed) append(undo, number);
    }
}

void require_unique_names(const Suite& suite, diag::Diagnostics& diagnostics) {
  std::map<std::string, diag::Position> seen;
  const auto see = [&](const Check& check) {
    const auto [found, added] = seen.emplace(check.key, check.position);
    if (!added)
      diagnostics.error(
          check.position, fmt::format("two checks are called '{}'", check.name), "",
          fmt::format("the other one stands in line {}; their histories would be one", found->second.line));
  };
  for (const auto* part : {&suite.setup, &suite.steps, &suite.cleanup})
    for (const auto& check : *part) {
      see(check);
      for (const auto& undo : check.undo) see(undo);
    }
}

}  // namespace staithe::checks
