#pragma once
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
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
  /// A line of a secret: without what was encoded twice.
  void add_line(std::string_view line);
  /// Only as it is, and only where no letter or digit stands beside it.
  void add_word(std::string_view secret);
  /// After adding, before looking.
  void ready();

  bool empty() const noexcept { return forms_.empty(); }

  /// A quick look at two bytes; false says surely not.
  bool may_start(std::string_view text, std::size_t at) const noexcept {
    const auto first = static_cast<unsigned char>(text[at]);
    return at + 1 == text.size() ? firsts_[first] : pairs_[pair_of(text[at], text[at + 1])];
  }
  /// `before`: what stands in front of that place; '\0' for nothing.
  Match match(std::string_view text, std::size_t at, char before) const;

 private:
  enum class Kind : unsigned char {
    plain,    ///< as it is
    word,     ///< likewise, by itself
    escaped,  ///< each byte or code point in any of its spellings
    base64,   ///< likewise, and lines may be broken anywhere
    base32,   ///< in any case, and lines may be broken anywhere
    hex,      ///< the bytes as hexadecimal numbers, with or without something between them
    decimal,  ///< the bytes as decimal numbers with something between them
  };
  struct Form {
    std::string text;
    Kind kind;
  };
  /// Two bytes with which a form can begin.
  struct Start {
    std::uint16_t pair;
    std::uint32_t form;
    bool operator<(const Start& other) const noexcept {
      return pair != other.pair ? pair < other.pair : form < other.form;
    }
    bool operator==(const Start&) const = default;
  };

  static std::uint16_t pair_of(char first, char second) noexcept {
    return static_cast<std::uint16_t>(static_cast<unsigned>(static_cast<unsigned char>(first)) << 8U |
                                      static_cast<unsigned char>(second));
  }

  void add_form(std::string text, Kind kind);
  void add_base64(std::string_view secret);
  void add_base32(std::string_view secret);
  void add_twice(std::string_view secret);
  void index(const Form& form, std::uint32_t number);
  void index_numbers(const Form& form, std::uint32_t number);
  void may_begin(std::string_view spelling, const std::string& then, std::uint32_t number);
  void may_begin(char first, char second, std::uint32_t number);
  static void match_form(const Form& form, std::string_view rest, char before, Match& match);
  static bool surely_not(const Form& form, std::string_view rest);
  static void match_spelled(const Form& form, std::string_view rest, Match& match);
  static void match_word(const Form& form, std::string_view rest, char before, Match& match);
  static void match_base32(const Form& form, std::string_view rest, Match& match);
  static void match_numbers(const Form& form, std::string_view rest, Match& match);

  /// Shared by the sets that are made of this one by adding to it.
  std::vector<std::shared_ptr<const Form>> forms_;
  std::vector<Start> starts_;  ///< sorted up to `sorted_`
  std::size_t sorted_ = 0;
  std::bitset<65536> pairs_;
  std::bitset<256> firsts_;
};

}  // namespace staithe::base
