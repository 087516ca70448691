#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <string_view>
#include <vector>

/// The way back from spellings: which byte the beginning of a text may be written for.
namespace staithe::base {

/// Something other than a byte as it is.
struct Reading {
  std::size_t length;
  char byte;
};

struct Readings {
  std::vector<Reading> all;
  std::bitset<256> cut;  ///< bytes of which the text ends inside a spelling
  bool breaks = false;   ///< a line may be broken here

  void clear() {
    all.clear();
    cut.reset();
    breaks = false;
  }
};

/// Pairs of bytes with which an escape, or the end of a line in an encoding, may begin: see pair_of(). One
/// byte that stands for another one, as '+' and '_' do for ' ', is none: see alike().
const std::bitset<65536>& escape_pairs();

constexpr std::size_t pair_of(char first, char second) {
  return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U |
         static_cast<unsigned char>(second);
}

/// Every reading of the beginning of `rest` but the byte itself. Code points of several bytes, when they are
/// written by their number, are left out.
void read_back(std::string_view rest, Readings& into);

/// The same for bytes that stand for each other.
constexpr char alike(char c) {
  return c == '+' || c == '_' ? ' ' : c;
}

/// How a line is broken inside of base64, and of quoted-printable.
inline constexpr std::array<std::string_view, 4> breaks_of_base64{"\n", "\r\n", "\\n", "\\r\\n"};
inline constexpr std::array<std::string_view, 2> breaks_of_mail{"=\n", "=\r\n"};

}  // namespace staithe::base
