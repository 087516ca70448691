#include "instant.hpp"

#include "staithe/base/utc.hpp"

#include <fmt/format.h>

#include <ctime>

namespace staithe::stage {

std::string instant_text(std::chrono::system_clock::time_point time) {
  return base::utc_text(time);
}

std::optional<std::chrono::system_clock::time_point> instant_from(std::string_view text) {
  std::tm utc{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0' || copy.size() != 20) return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&utc));
}

}  // namespace staithe::stage
