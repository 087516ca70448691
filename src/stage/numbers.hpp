#pragma once
#include "staithe/pg/connection.hpp"

#include <charconv>
#include <cstdint>

namespace staithe::stage {

/// A number as the server writes it; 0 for NULL and for anything else.
inline std::uint64_t number_of(const pg::Value& value) {
  std::uint64_t result = 0;
  if (value) std::from_chars(value->data(), value->data() + value->size(), result);
  return result;
}

}  // namespace staithe::stage
