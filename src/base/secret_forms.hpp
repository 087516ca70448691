#pragma once
#include <algorithm>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace staithe::base {

/// Which windows there surely are not: two bits of a word for each that there is.
class WindowFilter {
 public:
  void make_room(std::size_t windows) {
    words_.assign(std::bit_ceil(std::max<std::size_t>(windows / 4, 16)), 0);
    shift_ = 64U - static_cast<unsigned>(std::countr_zero(words_.size()));
  }
  void add(std::uint32_t window) { words_[word_of(window)] |= bits_of(window); }
  bool may_have(std::uint32_t window) const noexcept {
    const auto bits = bits_of(window);
    return !words_.empty() && (words_[word_of(window)] & bits) == bits;
  }

 private:
  static std::uint64_t mixed(std::uint32_t window) noexcept { return window * 0x9E3779B97F4A7C15U; }
  std::size_t word_of(std::uint32_t window) const noexcept { return mixed(window) >> shift_; }
  static std::uint64_t bits_of(std::uint32_t window) noexcept {
    const auto hash = mixed(window);
    return std::uint64_t{1} << (hash >> 20U & 63U) | std::uint64_t{1} << (hash >> 26U & 63U);
  }

  std::vector<std::uint64_t> words_;
  unsigned shift_ = 0;
};

/// Which texts stand for a set of secrets.
class SecretForms {
 public:
  /// So many of its first bytes tell a form from most others.
  static constexpr std::size_t window = 4;

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

  /// What begins at a place, by trying every form there: slow. SecretSearch comes to the same. `before`: what
  /// stands in front of that place; '\0' for nothing.
  Match try_all(std::string_view text, std::size_t at, char before) const;

 private:
  enum class Kind : unsigned char {
    plain,    ///< as it is
    word,     ///< likewise, by itself
    escaped,  ///< each byte or code point in any of its spellings
    base64,   ///< likewise, and lines may be broken anywhere
    base32,   ///< in any case, and lines may be broken anywhere: hexadecimal digits likewise
    hex,      ///< the bytes as hexadecimal numbers, with or without something between them
    decimal,  ///< the bytes as decimal numbers with something between them
  };
  struct Form {
    std::string text;
    Kind kind;
  };
  /// The first bytes of a form, before they are spelled, and alike ones made the same.
  struct Start {
    std::uint32_t window, form;
    bool operator<(const Start& other) const noexcept {
      return window != other.window ? window < other.window : form < other.form;
    }
    bool operator==(const Start&) const = default;
  };
  /// What a form is whose bytes are written as numbers: by its first.
  struct Number {
    unsigned char first;
    std::uint32_t form;
  };

  friend class SecretSearch;
  /// False says that no window surely begins with so many bytes of a key.
  bool begins(std::uint32_t key, std::size_t bytes) const noexcept {
    return bytes == 1 ? firsts_[key] : bytes != 2 || pairs_[key];
  }
  void add_form(std::string_view text, Kind kind);
  void add_base64(std::string_view secret);
  void add_base32(std::string_view secret);
  void add_digits(std::string_view secret);
  void add_utf16(std::string_view secret);
  void add_twice(std::string_view secret);
  void index(const Form& form, std::uint32_t number);
  void index_number(const Form& form, std::uint32_t number);
  void add_start(std::string_view start, std::uint32_t number);
  void index_cases(std::string_view start, std::uint32_t number);
  static void match_form(const Form& form, std::string_view rest, char before, Match& match);
  static bool match_bare(const Form& form, std::string_view rest, Match& match);
  static void match_spelled(const Form& form, std::string_view rest, Match& match);
  static void match_word(const Form& form, std::string_view rest, char before, Match& match);
  static void match_base32(const Form& form, std::string_view rest, Match& match);
  static void match_numbers(const Form& form, std::string_view rest, Match& match);

  /// Shared by the sets that are made of this one by adding to it.
  std::vector<std::shared_ptr<const Form>> forms_;
  std::vector<Start> starts_;  ///< sorted up to `sorted_`
  std::size_t sorted_ = 0;
  WindowFilter filter_;      ///< of starts_
  std::bitset<256> firsts_;  ///< with which they begin
  std::bitset<65536> pairs_;
  std::vector<std::uint32_t> shorts_;  ///< of less than a window
  std::bitset<256> short_firsts_;
  std::vector<std::uint32_t> foreign_;  ///< the window of which holds a part of a code point
  std::vector<Number> numbers_;
  std::bitset<256> number_firsts_, number_digits_;  ///< the bytes, and with which digits they begin
};

}  // namespace staithe::base
