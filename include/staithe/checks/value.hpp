#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// Takes secrets out of a text. It must see the whole text: of a secret that was cut in two nothing is found.
/// Where more than `enough_cleaned` bytes come of it, it may give only those and one more.
using Clean = std::function<std::string(std::string_view text)>;
inline constexpr std::size_t enough_cleaned = 4096;
/// What a system said, for one line of a report: cleaned, printable, without line breaks, at most about 200
/// bytes, no character cut.
std::string shown_text(const std::string& whole, const Clean& clean = {});

/// One thing that a check has found out, or that an expectation compares it with.
struct Value {
  enum class Kind { absent, null, boolean, number, text, list, object };
  /// What a number counts. Durations are milliseconds, sizes bytes.
  enum class Unit { none, duration, bytes };

  Kind kind = Kind::absent;
  Unit unit = Unit::none;
  double number = 0;         ///< also 1 or 0 of a boolean, and the size of a list or an object
  std::string text;          ///< as it was written; of lists and objects their JSON
  std::vector<Value> items;  ///< of a list that a probe made; those of a JSON list stay in its text

  static Value of(std::string text);
  static Value of(bool value);
  static Value count(std::uint64_t value);
  static Value of_number(double value);
  static Value milliseconds(double value);
  static Value bytes(std::uint64_t value);
  static Value list(std::vector<std::string> texts);

  bool operator==(const Value&) const = default;
  /// For people, on one line: "absent", "12 ms", "\"text\\n\"", cleaned, then cut to 200 bytes.
  std::string shown(const Clean& clean = {}) const;
};

/// What a probe measured, by name: "status", "days_left".
using Facts = std::map<std::string, Value, std::less<>>;

}  // namespace staithe::checks
