#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>

namespace staithe::base {
namespace {

constexpr std::size_t most_names = 10'000;
constexpr std::size_t most_digits = 9;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= most_digits && std::all_of(text.begin(), text.end(), is_digit);
}

std::uint32_t number_of(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<std::uint32_t>(c - '0');
  return value;
}

/// Digits that every number of a range is padded to: those of its first when that has leading zeros.
std::size_t width_of(std::string_view digits) {
  return digits.size() > 1 && digits.front() == '0' ? digits.size() : 0;
}

std::string padded(std::uint32_t value, std::size_t width) {
  return fmt::format("{:0{}}", value, width);
}

/// Appends the numbers of one item, "7" or "08-10".
bool expand_item(std::string_view item, std::vector<std::string>& numbers) {
  const std::size_t dash = item.find('-');
  const std::string_view low = item.substr(0, dash);
  if (!is_number(low)) return false;
  if (dash == std::string_view::npos) {
    numbers.emplace_back(low);
    return true;
  }
  const std::string_view high = item.substr(dash + 1);
  if (!is_number(high) || (width_of(high) != 0 && high.size() != low.size())) return false;
  const std::uint32_t first = number_of(low);
  const std::uint32_t last = number_of(high);
  if (last < first || last - first >= most_names - std::min(most_names, numbers.size())) return false;
  for (std::uint32_t value = first; value <= last; ++value) numbers.push_back(padded(value, width_of(low)));
  return true;
}

std::optional<std::vector<std::string>> expand_numbers(std::string_view list) {
  std::vector<std::string> numbers;
  if (list.empty()) return std::nullopt;
  for (const auto& item : split(list, ','))
    if (!expand_item(item, numbers) || numbers.size() > most_names) return std::nullopt;
  return numbers;
}

/// A name seen as prefix, number, suffix.
struct Parts {
  std::string prefix;
  std::string digits;
  std::string suffix;

  bool operator<(const Parts& other) const {
    return std::tie(prefix, suffix) < std::tie(other.prefix, other.suffix);
  }
};

/// Every way to see a name so; none when the result could not be told from the notation.
std::vector<Parts> ways_to_part(const std::string& name) {
  std::vector<Parts> ways;
  if (name.find_first_of("[],") != std::string::npos) return ways;
  for (std::size_t at = 0; at < name.size();) {
    if (!is_digit(name[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end - at <= most_digits)
      ways.push_back({name.substr(0, at), name.substr(at, end - at), name.substr(end)});
    at = end;
  }
  return ways;
}

/// "1-3,7" of numbers that are sorted and unique.
std::string fold_numbers(const std::vector<std::string>& numbers) {
  std::vector<std::string> items;
  for (std::size_t first = 0; first < numbers.size();) {
    const std::size_t width = width_of(numbers[first]);
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == padded(number_of(numbers[last]) + 1, width))
      ++last;
    items.push_back(first == last ? numbers[first] : numbers[first] + "-" + numbers[last]);
    first = last + 1;
  }
  return join(items, ",");
}

struct Group {
  Parts parts;  ///< of a name that stands alone: only the prefix
  std::vector<std::string> numbers;
};

std::string group_text(Group& group) {
  auto& numbers = group.numbers;
  std::sort(numbers.begin(), numbers.end(), [](const std::string& a, const std::string& b) {
    const auto x = number_of(a);
    const auto y = number_of(b);
    return x != y ? x < y : a.size() < b.size();
  });
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.empty()) return group.parts.prefix;
  if (numbers.size() == 1) return group.parts.prefix + numbers.front() + group.parts.suffix;
  return fmt::format("{}[{}]{}", group.parts.prefix, fold_numbers(numbers), group.parts.suffix);
}

}  // namespace

std::optional<std::vector<std::string>> expand_range(std::string_view pattern) {
  if (pattern.empty()) return std::nullopt;
  std::vector<std::string> names{""};
  while (!pattern.empty()) {
    const std::size_t open = pattern.find_first_of("[]");
    for (auto& name : names) name += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = pattern.find(']', open);
    if (pattern[open] != '[' || close == std::string_view::npos) return std::nullopt;
    const auto numbers = expand_numbers(pattern.substr(open + 1, close - open - 1));
    if (!numbers || names.size() * numbers->size() > most_names) return std::nullopt;
    std::vector<std::string> longer;
    longer.reserve(names.size() * numbers->size());
    for (const auto& name : names)
      for (const auto& number : *numbers) longer.push_back(name + number);
    names = std::move(longer);
    pattern.remove_prefix(close + 1);
  }
  return names;
}

std::string fold_names(std::span<const std::string> names) {
  // A name with several numbers ("web1.dc2") is folded at the one that most names share a frame around.
  std::map<Parts, std::size_t> popularity;
  for (const auto& name : names)
    for (const auto& way : ways_to_part(name)) ++popularity[way];

  std::vector<Group> groups;
  std::map<Parts, std::size_t> group_of;
  for (const auto& name : names) {
    Parts chosen{name, "", ""};
    std::size_t best = 0;
    for (const auto& way : ways_to_part(name)) {
      if (popularity[way] < best) continue;
      best = popularity[way];
      chosen = way;
    }
    // A lone name and a frame without its number may read alike; a suffix no name can have keeps them apart.
    Parts key = chosen;
    if (chosen.digits.empty()) key.suffix = std::string(1, '\0');
    const auto [found, added] = group_of.emplace(key, groups.size());
    if (added) groups.push_back({chosen, {}});
    if (!chosen.digits.empty()) groups[found->second].numbers.push_back(chosen.digits);
  }
  std::vector<std::string> texts;
  for (auto& group : groups) texts.push_back(group_text(group));
  return join(texts, ",");
}

}  // namespace staithe::base
