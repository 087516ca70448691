#include "staithe/checks/suite.hpp"

#include <fmt/format.h>

#include <algorithm>

/// What the parts of a suite are called, and how many of them count.
namespace staithe::checks {

std::string_view name_of(Part part) noexcept {
  switch (part) {
    case Part::setup:
      return "setup";
    case Part::steps:
      return "steps";
    case Part::cleanup:
      return "cleanup";
    case Part::undo:
      return "undo";
    case Part::sweep:
      return "sweep";
  }
  return "steps";
}

std::string name_for_host(std::string_view name, std::string_view host) {
  return fmt::format("{} [{}]", name, host);
}

std::string_view Save::written() const {
  const auto behind = host.empty() ? 0 : name_for_host("", host).size();
  return std::string_view(name).substr(0, name.size() - behind);
}

std::size_t declared(const Check& check) {
  return std::max<std::size_t>(check.expect.size() + check.warn.size() + check.until.size(), 1);
}

}  // namespace staithe::checks
