#pragma once
#include "staithe/base/cancel.hpp"

#include <chrono>

/// Longer than anything here takes on a busy machine.
inline staithe::base::Scope soon() {
  return staithe::base::Scope::lasting(std::chrono::seconds(60));
}
