#include "staithe/base/utc.hpp"

#include <fmt/format.h>

namespace staithe::base {
namespace {

using Instant = std::chrono::system_clock::time_point;

std::string seconds_text(Instant time) {
  const auto parts = utc(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

std::tm utc(Instant time) {
  const auto seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

std::string utc_text(Instant time) {
  return seconds_text(time) + "Z";
}

std::string utc_text_ms(Instant time) {
  const auto within =
      std::chrono::floor<std::chrono::milliseconds>(time - std::chrono::floor<std::chrono::seconds>(time));
  return fmt::format("{}.{:03}Z", seconds_text(time), within.count());
}

}  // namespace staithe::base
