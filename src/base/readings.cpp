#include "readings.hpp"

#include "spellings.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace staithe::base {
namespace {

struct Spelled {
  std::string_view text;
  char byte;
};

constexpr std::string_view of_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=";

/// All that are longer than a byte, in the order of their texts.
std::vector<Spelled> all_spelled() {
  std::vector<Spelled> all;
  for (unsigned value = 0; value < 256; ++value)
    for (const auto& text : byte_spellings()[value])
      if (text.size() > 1) all.push_back({text, static_cast<char>(value)});
  std::sort(all.begin(), all.end(), [](const Spelled& a, const Spelled& b) { return a.text < b.text; });
  return all;
}

std::unique_ptr<std::bitset<65536>> pairs_of_escapes() {
  auto pairs = std::make_unique<std::bitset<65536>>();
  for (const auto& spellings : byte_spellings())
    for (const auto& text : spellings)
      if (text.size() > 1) pairs->set(pair_of(text[0], text[1]));
  for (const auto line_break : breaks_of_base64)
    if (line_break.size() > 1) pairs->set(pair_of(line_break[0], line_break[1]));
  for (const auto line_break : breaks_of_mail) {
    pairs->set(pair_of(line_break[0], line_break[1]));
    pairs->set(pair_of('\n', line_break[0]));
  }
  // A bare end of a line is one in an encoding only where that goes on behind it.
  for (const char c : of_base64)
    for (const auto& text : byte_spellings()[byte_of(c)]) pairs->set(pair_of('\n', text[0]));
  return pairs;
}

}  // namespace

const std::bitset<65536>& escape_pairs() {
  static const auto pairs = pairs_of_escapes();
  return *pairs;
}

void read_back(std::string_view rest, Readings& into) {
  static const std::vector<Spelled> table = all_spelled();
  into.clear();
  auto low = table.begin(), high = table.end();
  // What is left of the table begins as the text does, up to `at`.
  for (std::size_t at = 0; low != high; ++at) {
    for (; low != high && low->text.size() == at; ++low) into.all.push_back({at, low->byte});
    if (at == rest.size()) {
      for (; low != high; ++low) into.cut.set(byte_of(low->byte));
      break;
    }
    const auto wanted = byte_of(rest[at]);
    low = std::partition_point(low, high, [&](const Spelled& one) { return byte_of(one.text[at]) < wanted; });
    high =
        std::partition_point(low, high, [&](const Spelled& one) { return byte_of(one.text[at]) == wanted; });
  }
  const auto breaks = [&](std::string_view one) {
    return rest.starts_with(one) || (rest.size() < one.size() && one.starts_with(rest));
  };
  into.breaks = std::any_of(breaks_of_base64.begin(), breaks_of_base64.end(), breaks) ||
                std::any_of(breaks_of_mail.begin(), breaks_of_mail.end(), breaks);
}

}  // namespace staithe::base
