#include "source.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace staithe::yaml {
namespace {

unsigned byte_of(char c) {
  return static_cast<unsigned char>(c);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Why the character at the front of `rest` cannot stand in a file of ours; empty when it can.
std::string objection(std::string_view rest, std::size_t length) {
  const unsigned first = byte_of(rest.front());
  if (length == 0) return fmt::format("byte 0x{:02X} is not UTF-8", first);
  if (first == '\n' || first == '\t') return "";
  if (first == '\r') return rest.starts_with("\r\n") ? "" : "a carriage return that ends no line";
  if (first < 0x20 || first == 0x7F) return fmt::format("a control character, U+{:04X}", first);
  if (first == 0xC2 && byte_of(rest[1]) < 0xA0)
    return fmt::format("a control character, U+{:04X}", byte_of(rest[1]));
  return "";
}

}  // namespace

Source::Source(std::string_view text, diag::FileName file)
    : file_(file), text_(text), has_tabs_(text.find('\t') != npos), line_starts_{0} {
  for (std::size_t at = 0; at < text_.size(); ++at)
    if (text_[at] == '\n') line_starts_.push_back(at + 1);
}

bool Source::check_bytes(diag::Diagnostics& diagnostics) const {
  const std::string_view all = text_;
  for (std::size_t at = 0; at < all.size();) {
    if (all[at] >= ' ' && all[at] <= '~') {  // most of any file
      ++at;
      continue;
    }
    const std::string_view rest = all.substr(at);
    const std::size_t length = base::utf8_sequence(rest);
    const std::string wrong = objection(rest, length);
    if (!wrong.empty()) {
      const std::size_t line = line_of(at);
      const auto before = base::code_points(all.substr(line_starts_[line], at - line_starts_[line]));
      diagnostics.error(
          {file_, static_cast<std::uint32_t>(line + 1), static_cast<std::uint32_t>(before + 1)}, wrong, "",
          length == 0 ? "save the file as UTF-8" : "remove it, or write it as an escape in double quotes");
      return false;
    }
    at += length;
  }
  return true;
}

std::size_t Source::line_of(std::size_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return static_cast<std::size_t>(next - line_starts_.begin()) - 1;
}

std::size_t Source::line_end(std::size_t offset) const {
  const std::size_t end = text_.find_first_of("\r\n", offset);
  return end == npos ? text_.size() : end;
}

diag::Position Source::position(std::size_t offset) {
  if (offset >= text_.size()) {
    const std::size_t last = text_.find_last_not_of(" \t\r\n");
    offset = last == npos ? 0 : last + 1;
  }
  const bool same_line = offset >= last_offset_ &&
                         (last_line_ + 1 == line_starts_.size() || offset < line_starts_[last_line_ + 1]);
  if (!same_line) {
    last_line_ = line_of(offset);
    last_offset_ = line_starts_[last_line_];
    last_column_ = 0;
  }
  const std::string_view between = std::string_view(text_).substr(last_offset_, offset - last_offset_);
  last_column_ += static_cast<std::uint32_t>(base::code_points(between));
  last_offset_ = offset;
  return {file_, static_cast<std::uint32_t>(last_line_ + 1), last_column_ + 1};
}

std::size_t Source::scalar_end(std::size_t offset, std::string_view value) const {
  if (offset >= text_.size()) return text_.size();
  const char quote = text_[offset];
  if (quote != '"' && quote != '\'') {
    const auto both = std::mismatch(value.begin(), value.end(),
                                    text_.begin() + static_cast<std::ptrdiff_t>(offset), text_.end());
    return static_cast<std::size_t>(both.second - text_.begin());
  }
  for (std::size_t at = offset + 1; at < text_.size(); ++at) {
    if (quote == '"' && text_[at] == '\\') {
      ++at;
    } else if (text_[at] == quote) {
      const bool doubled = quote == '\'' && at + 1 < text_.size() && text_[at + 1] == quote;
      if (!doubled) return at + 1;
      ++at;
    }
  }
  return text_.size();
}

std::uint32_t Source::length_to(std::size_t offset, std::size_t end) const {
  if (offset >= text_.size()) return 1;
  // No look beyond `end`: the line may be the whole file.
  const std::string_view token = std::string_view(text_).substr(offset, end > offset ? end - offset : 0);
  const auto end_of_line =
      std::find_if(token.begin(), token.end(), [](char c) { return c == '\r' || c == '\n'; });
  const std::size_t count = base::code_points({token.begin(), end_of_line});
  return static_cast<std::uint32_t>(std::max<std::size_t>(count, 1));
}

std::size_t Source::skip_blanks(std::size_t from) const {
  while (from < text_.size()) {
    const bool after_blank = from == 0 || is_blank(text_[from - 1]);
    if (text_[from] == '#' && after_blank)
      from = line_end(from);
    else if (is_blank(text_[from]))
      ++from;
    else
      return from;
  }
  return text_.size();
}

bool Source::opens_quote(std::size_t at) const {
  constexpr std::string_view openers = " \t\n\r[{,:-?";
  return (text_[at] == '"' || text_[at] == '\'') && (at == 0 || openers.find(text_[at - 1]) != npos);
}

std::size_t Source::opening_quote(std::size_t from) const {
  for (std::size_t at = skip_blanks(from); at < text_.size(); at = skip_blanks(at + 1))
    if (opens_quote(at)) return at;
  return npos;
}

std::size_t Source::open_bracket(std::size_t from, std::size_t to) const {
  std::vector<std::size_t> open;
  to = std::min(to, text_.size());
  for (std::size_t at = skip_blanks(from); at < to;) {
    const char c = text_[at];
    if (c == '[' || c == '{') open.push_back(at);
    if ((c == ']' || c == '}') && !open.empty()) open.pop_back();
    at = skip_blanks(opens_quote(at) ? scalar_end(at, {}) : at + 1);
  }
  return open.empty() ? npos : open.back();
}

std::size_t Source::indenting_tab(std::size_t offset) const {
  if (!has_tabs_) return npos;
  const std::size_t start = line_starts_[line_of(std::min(offset, text_.size()))];
  const std::size_t content = std::min(text_.find_first_not_of(" \t", start), text_.size());
  if (content < offset) return npos;
  const std::size_t tab = std::string_view(text_).substr(start, offset - start).find('\t');
  return tab == npos ? npos : start + tab;
}

}  // namespace staithe::yaml
