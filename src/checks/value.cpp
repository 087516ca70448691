#include "staithe/checks/value.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace staithe::checks {
namespace {

constexpr std::size_t longest_shown = 200;

std::string number_text(double value) {
  if (std::abs(value) < 1e15 && value == std::floor(value)) return std::to_string(std::llround(value));
  return fmt::format("{:.12g}", value);
}

std::string on_one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text)
    if (c == '\n')
      line += "\\n";
    else if (c == '\t')
      line += "\\t";
    else
      line += c;
  return line;
}

}  // namespace

std::string shown_text(const std::string& whole, const Clean& clean) {
  const auto cleaned = clean ? clean(whole) : whole;
  auto text = on_one_line(base::printable(cleaned));
  if (text.size() <= longest_shown && cleaned.size() <= enough_cleaned) return text;
  std::size_t end = std::min(text.size(), longest_shown);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + fmt::format("… ({} bytes)", whole.size());
}

Value Value::of(std::string text) {
  Value value;
  value.kind = Kind::text;
  value.text = std::move(text);
  return value;
}

Value Value::of(bool is) {
  Value value;
  value.kind = Kind::boolean;
  value.number = is ? 1 : 0;
  value.text = is ? "true" : "false";
  return value;
}

Value Value::of_number(double number) {
  Value value;
  value.kind = Kind::number;
  value.number = number;
  value.text = number_text(number);
  return value;
}

Value Value::count(std::uint64_t number) {
  Value value = of_number(static_cast<double>(number));
  value.text = std::to_string(number);
  return value;
}

Value Value::milliseconds(double number) {
  Value value = of_number(number);
  value.unit = Unit::duration;
  return value;
}

Value Value::bytes(std::uint64_t number) {
  Value value = count(number);
  value.unit = Unit::bytes;
  return value;
}

Value Value::list(std::vector<std::string> texts) {
  Value value;
  value.kind = Kind::list;
  value.number = static_cast<double>(texts.size());
  value.text = base::join(texts, ", ");
  for (auto& text : texts) value.items.push_back(of(std::move(text)));
  return value;
}

std::string Value::shown(const Clean& clean) const {
  switch (kind) {
    case Kind::absent:
      return "absent";
    case Kind::null:
      return "null";
    case Kind::number:
      if (unit == Unit::duration)
        return number < 10'000 ? fmt::format("{} ms", number_text(std::round(number * 10) / 10))
                               : fmt::format("{:.1f} s", number / 1000);
      if (unit == Unit::bytes) return base::bytes_text(static_cast<unsigned long long>(number));
      return text.empty() ? number_text(number) : shown_text(text, clean);
    case Kind::text:
      return "\"" + shown_text(text, clean) + "\"";
    case Kind::boolean:
    case Kind::list:
    case Kind::object:
      return shown_text(text, clean);
  }
  return {};
}

}  // namespace staithe::checks
