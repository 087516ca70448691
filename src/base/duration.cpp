#include "staithe/base/duration.hpp"

#include "staithe/base/ascii.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>

namespace staithe::base {
namespace {

struct Unit {
  std::string_view name;
  long long milliseconds;
};
constexpr std::array<Unit, 5> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr long long longest = 365LL * 86'400'000;

std::optional<long long> unit_of(std::string_view name) {
  for (const auto& unit : units)
    if (unit.name == name) return unit.milliseconds;
  return std::nullopt;
}

/// Takes one "1.5s" from the front of `rest`.
std::optional<long long> take_part(std::string_view& rest) {
  long long whole = 0;
  size_t at = 0;
  while (at < rest.size() && is_digit(rest[at])) {
    whole = whole * 10 + (rest[at++] - '0');
    if (whole > longest) return std::nullopt;
  }
  if (at == 0) return std::nullopt;
  long long fraction = 0;
  long long scale = 1;
  if (at < rest.size() && rest[at] == '.') {
    const size_t first = ++at;
    while (at < rest.size() && is_digit(rest[at]) && at - first < 3) {
      fraction = fraction * 10 + (rest[at++] - '0');
      scale *= 10;
    }
    if (at == first) return std::nullopt;
  }
  const size_t name_at = at;
  while (at < rest.size() && std::isalpha(static_cast<unsigned char>(rest[at]))) ++at;
  const auto unit = unit_of(rest.substr(name_at, at - name_at));
  if (!unit || whole > longest / *unit) return std::nullopt;
  rest.remove_prefix(at);
  return whole * *unit + fraction * *unit / scale;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  long long total = 0;
  while (!text.empty()) {
    const auto part = take_part(text);
    if (!part) return std::nullopt;
    total += *part;
    if (total > longest) return std::nullopt;
  }
  return Duration{total};
}

std::string to_text(Duration duration) {
  long long left = duration.count();
  if (left <= 0) return "0s";
  std::string text;
  for (const auto& unit : units) {
    const long long count = left / unit.milliseconds;
    left %= unit.milliseconds;
    if (count > 0) text += fmt::format("{}{}", count, unit.name);
  }
  return text;
}

std::string elapsed_text(Duration duration) {
  const long long ms = duration.count();
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{}.{}s", ms / 1000, ms % 1000 / 100);
  const long long seconds = ms / 1000;
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m{:02}s", seconds / 3600, seconds % 3600 / 60, seconds % 60);
}

}  // namespace staithe::base
