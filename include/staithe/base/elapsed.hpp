#pragma once
#include "staithe/base/duration.hpp"

#include <chrono>

namespace staithe::base {

/// How long ago `begun` was, in whole milliseconds.
inline Duration since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
}

}  // namespace staithe::base
