#pragma once
#include "staithe/steps/step.hpp"

#include <optional>
#include <string>

/// The only part of this room that touches the disk; it reads.
namespace staithe::playbook {

/// The nearest staithe.yml in `directory` or above it; nothing when there is none.
std::optional<std::string> find_project(const std::string& directory);

/// Files of this machine, for the steps upload and template. Texts over 1 MiB are refused.
steps::Files disk_files();

}  // namespace staithe::playbook
