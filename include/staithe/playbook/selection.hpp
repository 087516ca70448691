#pragma once
#include "staithe/playbook/project.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::playbook {

/// The hosts that an expression means, in the order of the inventory:
///   web1  app  all        a host, a group, every host
///   web[1-3,7]  web*      a range, a wildcard
///   !A   A & B   A | B    not, and, or; a comma is another or. '!' binds most, '|' and ',' least
///   ( … )
/// Unknown names and an empty result are findings, with a suggestion; then nothing comes back.
/// `what` names the expression in messages when it stands in no file ("--limit").
std::optional<std::vector<std::string>> select(const Environment& environment, const Text& expression,
                                               diag::Diagnostics& diagnostics, const std::string& what = "");

/// The same, where an empty result is an answer too.
std::optional<std::vector<std::string>> select_any(const Environment& environment, const Text& expression,
                                                   diag::Diagnostics& diagnostics,
                                                   const std::string& what = "");

}  // namespace staithe::playbook
