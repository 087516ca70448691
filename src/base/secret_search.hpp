#pragma once
#include "readings.hpp"
#include "secret_forms.hpp"

#include <bitset>
#include <string_view>
#include <vector>

namespace staithe::base {

/// Looks through one text for the forms of secrets, from its front to its end. How many secrets there are
/// hardly matters: each place is read as the four bytes that it may stand for, and only forms that begin with
/// those are tried.
class SecretSearch {
 public:
  /// Whether more text may come behind this one: else nothing is partial.
  enum class Text { whole, goes_on };

  SecretSearch(const SecretForms& forms, std::string_view text, Text kind)
      : forms_(forms), text_(text), goes_on_(kind == Text::goes_on) {}

  /// The first place from that one on where a form may begin, as far as a quick look tells; the end of the
  /// text for none.
  std::size_t next(std::size_t at) const;
  /// As SecretForms::try_all, but that `partial` may be true without need.
  SecretForms::Match at(std::size_t at, char before);

 private:
  static constexpr std::size_t window = SecretForms::window;
  /// How much of a window has been read.
  struct Read {
    std::size_t from;  ///< of the text
    std::size_t bytes = 0;
    std::uint32_t key = 0;
    unsigned breaks = 0;  ///< line breaks passed over since the last byte
  };

  /// At the end of the text whatever may be cut there.
  bool is_escape(std::size_t at) const {
    return at + 1 < text_.size() ? escapes_[pair_of(text_[at], text_[at + 1])] : may_be_cut(text_[at]);
  }
  static bool may_be_cut(char last);
  const Readings& readings_at(std::size_t at);
  void read_on(const Read& read, std::size_t at, char before);
  void pass_breaks(const Read& read, std::size_t at, char before);
  bool may_go_on(std::uint32_t key, std::size_t bytes) const;
  void try_window(std::uint32_t key, std::size_t at, char before);
  void try_each(const std::vector<std::uint32_t>& forms, std::size_t at, char before);
  /// With which number of a byte the text goes on there, before something that separates numbers; -1: none.
  int hexadecimal_at(std::size_t at) const;
  int decimal_at(std::size_t at) const;
  bool may_be_number(std::size_t at) const;
  void try_numbers(std::size_t at, char before);

  const SecretForms& forms_;
  const std::bitset<65536>& escapes_ = escape_pairs();
  const std::string_view text_;
  const bool goes_on_;
  SecretForms::Match match_;
  bool met_number_ = false;  ///< of a code point, perhaps
  /// Keys that were looked for at this place: quotes, doubled or not, are the same ones read in many ways.
  std::vector<std::uint32_t> tried_;
  /// An escape stands in several windows, so what it may be is kept: of more places than a window reaches
  /// over, however it is written.
  struct Known {
    std::size_t at = std::string_view::npos;
    Readings readings;
  };
  static constexpr std::size_t places_kept = 128;
  std::vector<Known> known_;
};

}  // namespace staithe::base
