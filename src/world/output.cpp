#include "output.hpp"

#include "staithe/base/text.hpp"

namespace staithe::world {
namespace {

/// A line without end is cut here, so that memory stays bounded.
constexpr std::size_t longest_line = 4096;

}  // namespace

LineOutput::LineOutput(const base::Redactor& redactor, Sink sink, std::size_t keep)
    : streams_{base::RedactingStream(redactor), base::RedactingStream(redactor)},
      sink_(std::move(sink)),
      keep_(keep) {}

void LineOutput::push(bool is_error, std::string_view bytes) {
  take_lines(is_error, streams_[is_error ? 1 : 0].push(bytes));
}

void LineOutput::finish() {
  for (const bool is_error : {false, true}) {
    take_lines(is_error, streams_[is_error ? 1 : 0].finish());
    auto& rest = partial_[is_error ? 1 : 0];
    if (!rest.empty()) emit(is_error, rest);
    rest.clear();
  }
}

void LineOutput::take_lines(bool is_error, std::string_view clean) {
  auto& partial = partial_[is_error ? 1 : 0];
  while (!clean.empty()) {
    const auto end = clean.find('\n');
    const auto room = longest_line - partial.size();
    const auto take = std::min(end == std::string_view::npos ? clean.size() : end, room);
    partial.append(clean.substr(0, take));
    clean.remove_prefix(take);
    const bool line_ends = !clean.empty() && clean.front() == '\n';
    if (line_ends) clean.remove_prefix(1);
    if (!line_ends && partial.size() < longest_line) return;
    emit(is_error, partial);
    partial.clear();
  }
}

void LineOutput::emit(bool is_error, std::string_view line) {
  std::string shown = base::printable(line);
  while (!shown.empty() && shown.back() == '\n') shown.pop_back();
  if (sink_) sink_(shown, is_error);
  tail_.push_back(std::move(shown));
  if (tail_.size() > keep_) tail_.pop_front();
}

}  // namespace staithe::world
