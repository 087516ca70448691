#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::yaml {

/// A text whose words are one byte each. yaml-cpp tries its expressions on every byte, at about two thousand
/// instructions each, and what stands inside of a word decides nothing: to the parser
/// "https://api.example.com/charges" is as much a word as "x". So it gets a mark for each, and the words are
/// put back into what it makes of them. What stands behind '!', '&', '*', '%', '|', '>' or a backslash is
/// left as it is: names of tags, heads of blocks and escapes have rules of their own, and so have lines of
/// directives, which begin with '%'. Two things become possible by it: a key of more than 1024 bytes, and in
/// braces or brackets a text with a '?' inside of it, such as a URL's, at which yaml-cpp 0.7 stops.
class Abbreviation {
 public:
  /// What stands for a word. No file of ours holds it: control characters are refused.
  static constexpr char mark = '\x01';

  /// `original` is what Source::check_bytes() accepts, and outlives this.
  explicit Abbreviation(std::string_view original);

  const std::string& text() const noexcept { return text_; }
  /// Where in the original stands what stands at `offset` of text().
  std::size_t original_offset(std::size_t offset) const;
  /// A scalar that begins at `offset` of text(), as the original has it.
  std::string expand(std::size_t offset, const std::string& value) const;

 private:
  struct Cut {
    std::size_t mark;  ///< where in text() the mark stands
    std::size_t from;  ///< the bytes of the original that it stands for
    std::size_t to;
  };

  /// How many marks stand before `offset` of text().
  std::size_t cuts_before(std::size_t offset) const;

  std::string_view original_;
  std::string text_;
  std::vector<Cut> cuts_;
  mutable std::size_t last_ = 0;  // what cuts_before() said last
};

}  // namespace staithe::yaml
