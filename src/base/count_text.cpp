#include "staithe/base/count_text.hpp"

#include <fmt/format.h>

namespace staithe::base {

std::string count_text(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace staithe::base
