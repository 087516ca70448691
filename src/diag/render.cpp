#include "staithe/diag/render.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/hide.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace staithe::diag {
namespace {

constexpr std::size_t widest = 120;                      ///< code points shown of a source line
constexpr std::size_t before_caret = 60;                 ///< of which at most so many in front of a far caret
constexpr std::string_view unshowable = "\xEF\xBF\xBD";  // U+FFFD

/// Message, path or help on one line and without control characters.
std::string one_line(std::string_view text) {
  std::string line = base::printable(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

/// The line as its code points; what cannot be shown becomes U+FFFD in place, so that columns stay true.
std::vector<std::string> characters(std::string_view line) {
  std::vector<std::string> shown;
  while (!line.empty()) {
    const std::size_t length = base::utf8_sequence(line);
    const std::string_view character = line.substr(0, std::max<std::size_t>(length, 1));
    const bool is_text = length > 0 && (character == "\t" || base::printable(character) == character);
    shown.emplace_back(is_text ? character : unshowable);
    line.remove_prefix(character.size());
  }
  return shown;
}

/// The source line with its number, and the caret under it.
std::string excerpt(const Diagnostic& diagnostic, std::string_view line, const Style& style) {
  const auto all = characters(line);
  const std::size_t column = diagnostic.position.column == 0 ? 0 : diagnostic.position.column - 1;
  const std::size_t caret = std::min<std::size_t>(column, all.size());
  const std::size_t first = all.size() > widest && caret > before_caret ? caret - before_caret : 0;
  const std::size_t last = std::min(all.size(), std::max(first + widest, caret));

  std::string text = first > 0 ? "..." : "";
  std::string under = first > 0 ? "   " : "";
  for (std::size_t i = first; i < last; ++i) text += all[i];
  if (last < all.size()) text += "...";
  for (std::size_t i = first; i < caret; ++i) under += all[i] == "\t" ? '\t' : ' ';
  const std::size_t room = last > caret ? last - caret : 1;
  const std::size_t length = std::clamp<std::size_t>(diagnostic.length, 1, room);
  const std::string mark = '^' + std::string(length - 1, '~');

  const std::string number = std::to_string(diagnostic.position.line);
  const std::string gutter(number.size(), ' ');
  return fmt::format("  {} | {}\n  {} | {}{}{}{}\n", number, text, gutter, under, style.caret, mark,
                     style.reset);
}

std::string location(const Position& position) {
  if (position.file.empty()) return "";
  const std::string file = one_line(position.file.text());
  if (position.line == 0) return file + ": ";
  if (position.column == 0) return fmt::format("{}:{}: ", file, position.line);
  return fmt::format("{}:{}:{}: ", file, position.line, position.column);
}

std::string summary(std::size_t errors, std::size_t warnings, const std::string& consequence) {
  if (errors == 0) return base::count_text(warnings, "warning") + ".\n";
  const std::string also = warnings > 0 ? ", " + base::count_text(warnings, "warning") : "";
  return base::count_text(errors, "error") + also + "; " + consequence + ".\n";
}

}  // namespace

std::string render(const Diagnostic& diagnostic, const SourceMap& sources, const Style& style) {
  const bool is_error = diagnostic.severity == Severity::error;
  std::string text = fmt::format("{}{}{}{}{}:{} {}\n", style.location, location(diagnostic.position),
                                 style.reset, is_error ? style.error : style.warning,
                                 name_of(diagnostic.severity), style.reset, one_line(diagnostic.message));
  const auto line = sources.line(diagnostic.position.file.text(), diagnostic.position.line);
  if (line) text += excerpt(diagnostic, base::hide_written_secrets(*line), style);
  const std::string gutter(line ? std::to_string(diagnostic.position.line).size() + 2 : 2, ' ');
  const auto note = [&](std::string_view label, const std::string& what) {
    if (!what.empty())
      text += fmt::format("{} {}= {}{}{}\n", gutter, style.note, label, style.reset, one_line(what));
  };
  note("at ", diagnostic.path);
  note("help: ", diagnostic.help);
  return text;
}

std::string render(const Diagnostics& diagnostics, const Style& style, std::size_t limit) {
  if (diagnostics.empty()) return "";
  const std::size_t errors = diagnostics.count(Severity::error);
  const std::size_t warnings = diagnostics.count(Severity::warning);
  auto shown = diagnostics.sorted();
  if (shown.size() > limit) {
    // An error must not be crowded out by warnings that stand above it.
    std::stable_partition(shown.begin(), shown.end(),
                          [](const Diagnostic& one) { return one.severity == Severity::error; });
    shown.resize(limit);
    std::stable_sort(shown.begin(), shown.end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return a.position < b.position; });
  }
  std::string text;
  for (const auto& diagnostic : shown) text += render(diagnostic, diagnostics.sources(), style);
  if (shown.size() < errors + warnings)
    text += fmt::format("... and {} more\n", errors + warnings - shown.size());
  return text + summary(errors, warnings, style.consequence);
}

}  // namespace staithe::diag
