#include "output.hpp"

#include "staithe/base/text.hpp"

namespace staithe::world {
namespace {

/// A line without end is cut here, so that memory stays bounded.
constexpr std::size_t longest_line = 4096;
/// An event for each line would cost more than the line. Of more at a time a slow reader would seem to have
/// stopped.
constexpr std::size_t largest_block = 8192;

}  // namespace

LineOutput::LineOutput(const base::Redactor& redactor, Sink sink, std::size_t keep)
    : streams_{base::RedactingStream(redactor), base::RedactingStream(redactor)},
      sink_(std::move(sink)),
      keep_(keep) {}

void LineOutput::push(bool is_error, std::string_view bytes) {
  take_lines(is_error, streams_[is_error ? 1 : 0].push(bytes));
  hand_on(is_error);
}

void LineOutput::finish() {
  for (const bool is_error : {false, true}) {
    take_lines(is_error, streams_[is_error ? 1 : 0].finish());
    auto& rest = partial_[is_error ? 1 : 0];
    if (!rest.empty()) add_line(is_error, rest);
    rest.clear();
    hand_on(is_error);
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
    add_line(is_error, partial);
    partial.clear();
  }
}

void LineOutput::add_line(bool is_error, std::string_view line) {
  std::string shown = base::printable(line);
  while (!shown.empty() && shown.back() == '\n') shown.pop_back();
  if (any_) block_ += '\n';
  any_ = true;
  block_ += shown;
  tail_.push_back(std::move(shown));
  if (tail_.size() > keep_) tail_.pop_front();
  if (block_.size() >= largest_block) hand_on(is_error);
}

void LineOutput::hand_on(bool is_error) {
  if (any_ && sink_) sink_(block_, is_error);
  any_ = false;
  block_.clear();
}

}  // namespace staithe::world
