#pragma once
#include "staithe/base/text.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::test {

/// The little of a terminal that a status line needs: wrapping, cursor up, erasing. What it does not know it
/// refuses, so that no other sequence slips in. Rows never scroll away.
class Screen {
 public:
  explicit Screen(std::size_t columns) : columns_(columns) {}

  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      if (bytes.front() == '\x1b') {
        sequence(bytes);
        continue;
      }
      const auto size = std::max<std::size_t>(base::utf8_sequence(bytes), 1);
      put(bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
  }

  /// Rows down to the last that holds something, without white space at their ends.
  std::string text() const {
    std::string all;
    for (const auto& row : rows_) {
      std::string line;
      for (const auto& cell : row) line += cell;
      line.erase(line.find_last_not_of(' ') + 1);
      all += line + "\n";
    }
    while (all.size() > 1 && all[all.size() - 2] == '\n') all.pop_back();
    return all;
  }
  std::size_t column() const { return column_; }

 private:
  void put(std::string_view glyph) {
    if (glyph == "\r") {
      column_ = 0;
    } else if (glyph == "\n") {
      ++row_;
      column_ = 0;
    } else {
      if (glyph.size() == 1 && static_cast<unsigned char>(glyph.front()) < 0x20)
        throw std::runtime_error("control character on the screen");
      if (column_ == columns_) {
        ++row_;
        column_ = 0;
      }
      while (row().size() <= column_) row().emplace_back(" ");
      row()[column_++] = glyph;
    }
  }

  void sequence(std::string_view& bytes) {
    const auto end = bytes.find_first_not_of("0123456789;", 2);
    if (bytes.size() < 3 || bytes[1] != '[' || end == std::string_view::npos)
      throw std::runtime_error("escape sequence that is not CSI");
    const std::string number(bytes.substr(2, end - 2));
    switch (bytes[end]) {
      case 'A': {
        const std::size_t up = number.empty() ? 1 : std::stoul(number);
        if (up > row_) throw std::runtime_error("cursor above what was written");
        row_ -= up;
        break;
      }
      case 'J':
        row().resize(std::min(column_, row().size()));
        rows_.resize(row_ + 1);
        break;
      case 'K':
        row().resize(std::min(column_, row().size()));
        break;
      case 'm':
        break;
      default:
        throw std::runtime_error(std::string("unexpected sequence ") + bytes[end]);
    }
    bytes.remove_prefix(end + 1);
  }

  std::vector<std::string>& row() {
    if (rows_.size() <= row_) rows_.resize(row_ + 1);
    return rows_[row_];
  }

  std::size_t columns_;
  std::size_t row_ = 0, column_ = 0;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace staithe::test
