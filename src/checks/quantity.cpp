#include "staithe/base/duration.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/expectation.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

namespace staithe::checks {
namespace {

struct SizeUnit {
  std::string_view name;
  double bytes;
};
constexpr std::array<SizeUnit, 7> size_units{{{"B", 1},
                                              {"kB", 1e3},
                                              {"MB", 1e6},
                                              {"GB", 1e9},
                                              {"KiB", 1024},
                                              {"MiB", 1024.0 * 1024},
                                              {"GiB", 1024.0 * 1024 * 1024}}};

/// A decimal number in front of `text`, which loses it.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<double> with_format(const std::string& text, const char* format) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), format, &time);
  if (end == nullptr) return std::nullopt;
  const auto day = time.tm_mday;
  const bool is_leap_second = time.tm_sec > 59;
  const auto seconds = static_cast<double>(::timegm(&time));
  if (time.tm_mday != day && !is_leap_second) return std::nullopt;  // "2026-02-30"
  std::string_view rest(end);
  double fraction = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    double digit = 0.1;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      fraction += digit * (rest.front() - '0');
      digit /= 10;
      rest.remove_prefix(1);
    }
  }
  if (rest.empty() || rest == "Z" || rest == "z" || rest == " GMT" || rest == " UTC")
    return seconds + fraction;
  int hours = 0, minutes = 0;
  if ((rest.front() == '+' || rest.front() == '-') && (rest.size() == 6 || rest.size() == 5)) {
    const auto digits = [&](std::size_t at, int& into) {
      return std::from_chars(rest.data() + at, rest.data() + at + 2, into).ec == std::errc();
    };
    if (!digits(1, hours) || !digits(rest.size() - 2, minutes)) return std::nullopt;
    const double offset = hours * 3600.0 + minutes * 60.0;
    return seconds + fraction - (rest.front() == '+' ? offset : -offset);
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  const auto value = take_number(text);
  if (!value || !text.empty()) return std::nullopt;
  return value;
}

bool is_beyond_numbers(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc::result_out_of_range && end == text.data() + text.size();
}

std::optional<Value> parse_quantity(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  if (text.empty()) {
    Value value = Value::of_number(*number);
    value.text = std::string(whole);
    return value;
  }
  for (const auto& unit : size_units)
    if (text == unit.name || text == std::string(" ") + std::string(unit.name)) {
      Value value = Value::of_number(*number * unit.bytes);
      value.unit = Value::Unit::bytes;
      return value;
    }
  if (const auto duration = base::parse_duration(whole))
    return Value::milliseconds(static_cast<double>(duration->count()));
  // A certificate may be good for 398 days, and a date lie decades off: only waits end after a year.
  if (text == "d" && *number > 0 && *number <= 100 * 366)
    return Value::milliseconds(std::round(*number * 86'400'000));
  return std::nullopt;
}

std::optional<double> parse_date(std::string_view text) {
  const std::string trimmed(base::trim(text));
  if (const auto seconds = parse_number(trimmed)) {
    // Milliseconds since 1970 are told by their size: as seconds they would lie after the year 5000.
    return *seconds > 1e11 ? *seconds / 1000 : *seconds;
  }
  for (const char* format :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%a, %d %b %Y %H:%M:%S", "%b %d %H:%M:%S %Y"})
    if (const auto seconds = with_format(trimmed, format)) return seconds;
  return std::nullopt;
}

}  // namespace staithe::checks
