#include "whole.hpp"

#include "staithe/checks/expectation.hpp"

#include <algorithm>

namespace staithe::checks {
namespace {

struct Parts {
  bool negative = false;
  std::string_view digits;  ///< without zeros in front; "" is 0
};

Parts parts_of(std::string_view text) {
  Parts parts;
  parts.negative = text.starts_with('-');
  if (parts.negative) text.remove_prefix(1);
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  parts.digits = text;
  parts.negative = parts.negative && !text.empty();
  return parts;
}

int order(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

/// The digit that stands `place` from the right.
int digit(std::string_view digits, std::size_t place) {
  return place < digits.size() ? digits[digits.size() - 1 - place] - '0' : 0;
}

/// `a` and `sign` times `b`; `a` is the larger one where they are subtracted.
std::string sum(std::string_view a, std::string_view b, int sign) {
  std::string made;
  int carried = 0;
  for (std::size_t place = 0; place < std::max(a.size(), b.size()) || carried > 0; ++place) {
    const int here = digit(a, place) + sign * digit(b, place) + carried;
    made += static_cast<char>('0' + (here + 10) % 10);
    carried = here < 0 ? -1 : here / 10;
  }
  while (made.size() > 1 && made.back() == '0') made.pop_back();
  std::reverse(made.begin(), made.end());
  return made.empty() ? "0" : made;
}

}  // namespace

bool is_whole(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

int order_of_whole(std::string_view a, std::string_view b) {
  const auto left = parts_of(a), right = parts_of(b);
  if (left.negative != right.negative) return left.negative ? -1 : 1;
  return left.negative ? order(right.digits, left.digits) : order(left.digits, right.digits);
}

std::string distance_of_whole(std::string_view a, std::string_view b) {
  const auto left = parts_of(a), right = parts_of(b);
  if (left.negative != right.negative) return sum(left.digits, right.digits, 1);
  const bool larger = order(left.digits, right.digits) >= 0;
  return larger ? sum(left.digits, right.digits, -1) : sum(right.digits, left.digits, -1);
}

bool same_number(std::string_view a, std::string_view b) {
  if (is_whole(a) && is_whole(b)) return order_of_whole(a, b) == 0;
  const auto left = parse_number(a), right = parse_number(b);
  return left && right ? *left == *right : a == b;
}

}  // namespace staithe::checks
