#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::base {

/// Which texts stand for a set of secrets.
class SecretForms {
 public:
  struct Match {
    std::size_t length = 0;  ///< of the longest form that begins here; 0: none
    bool partial = false;    ///< with more text behind its end, a (longer) form may begin here
  };

  /// All forms of one secret, which is not blank.
  void add(std::string_view secret);

  bool empty() const noexcept { return forms_.empty(); }

  /// A quick look at two bytes; false says surely not.
  bool may_start(std::string_view text, std::size_t at) const noexcept {
    if (at + 1 == text.size()) return !by_first_[static_cast<unsigned char>(text[at])].empty();
    return pairs_[pair_of(text[at], text[at + 1])];
  }
  Match match(std::string_view text, std::size_t at) const;

 private:
  enum class Kind {
    plain,    ///< as it is
    escaped,  ///< each byte or code point in any of its spellings
    base64,   ///< likewise, and lines may be broken anywhere
    hex,      ///< `text` holds the digits in lower case
  };
  struct Form {
    std::string text;
    Kind kind;
  };

  static std::size_t pair_of(char first, char second) noexcept {
    return static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U |
           static_cast<unsigned char>(second);
  }

  void add_form(std::string text, Kind kind);
  void index(const Form& form, std::uint32_t number);
  void may_begin(std::string_view spelling, const std::string& then, std::uint32_t number);
  void add_base64(std::string_view secret);
  static void match_spelled(const Form& form, std::string_view rest, Match& match);
  static void match_hex(const Form& form, std::string_view rest, Match& match);

  std::vector<Form> forms_;
  /// For each byte the forms that can begin with it, and which pairs of bytes can begin a form.
  std::array<std::vector<std::uint32_t>, 256> by_first_;
  std::bitset<65536> pairs_;
};

}  // namespace staithe::base
