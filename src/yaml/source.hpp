#pragma once
#include "staithe/diag/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::yaml {

/// Nowhere in the text.
inline constexpr std::size_t npos = std::string_view::npos;

/// The text of one file under its byte offsets, for the parser and for what it says about mistakes.
class Source {
 public:
  Source(std::string_view text, diag::FileName file);

  const std::string& text() const noexcept { return text_; }
  diag::FileName file() const noexcept { return file_; }

  /// Reports the first byte that cannot be text: no UTF-8, a control character, a carriage return alone.
  bool check_bytes(diag::Diagnostics& diagnostics) const;

  /// An offset past the end means the end of the last line that has content. Cheap when asked for ascending
  /// offsets (a file may be one line of 1 MiB); hence not const.
  diag::Position position(std::size_t offset);

  /// Counts from 0.
  std::size_t line_of(std::size_t offset) const;

  /// Offset past the scalar that begins at `offset` and reads `value`: past its closing quote; for others
  /// past the last byte that stands there as it reads. The end of the text when a quote is never closed.
  std::size_t scalar_end(std::size_t offset, std::string_view value) const;

  /// Code points from `offset` to `end` or to the end of the line, at least 1.
  std::uint32_t length_to(std::size_t offset, std::size_t end) const;

  /// The next offset from `from` on that is neither blank nor in a comment.
  std::size_t skip_blanks(std::size_t from) const;

  /// The first quote from `from` on that could open a scalar, or npos.
  std::size_t opening_quote(std::size_t from) const;

  /// The innermost '[' or '{' between `from` and `to` that nothing closes before `to`, or npos.
  std::size_t open_bracket(std::size_t from, std::size_t to) const;

  /// The offset of a tab among the blanks between the start of the line and `offset`, or npos.
  std::size_t indenting_tab(std::size_t offset) const;

 private:
  std::size_t line_end(std::size_t offset) const;
  bool opens_quote(std::size_t at) const;

  diag::FileName file_;
  std::string text_;
  bool has_tabs_ = false;
  std::vector<std::size_t> line_starts_;
  // Where position() last was: its line, the offset and the code points in front of it on the line.
  std::size_t last_line_ = 0;
  std::size_t last_offset_ = 0;
  std::uint32_t last_column_ = 0;
};

}  // namespace staithe::yaml
