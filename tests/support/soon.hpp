#pragma once
#include "staithe/base/cancel.hpp"

#include <chrono>

namespace staithe::test {

/// Longer than anything here takes on a busy machine. Counts from the call.
inline base::Scope soon() {
  return base::Scope::lasting(std::chrono::seconds(60));
}

}  // namespace staithe::test
