#pragma once
#include "staithe/base/redact.hpp"

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::world {

/// Raw bytes of a command's two streams as redacted, printable lines; the last ones are kept. For one thread.
/// Lines that have come together are handed on together, as a few KiB with '\n' between the lines.
class LineOutput {
 public:
  using Sink = std::function<void(std::string_view lines, bool is_error)>;

  LineOutput(const base::Redactor& redactor, Sink sink, std::size_t keep);

  void push(bool is_error, std::string_view bytes);
  void finish();
  std::vector<std::string> tail() const { return {tail_.begin(), tail_.end()}; }

 private:
  void take_lines(bool is_error, std::string_view clean);
  void add_line(bool is_error, std::string_view line);
  void hand_on(bool is_error);

  base::RedactingStream streams_[2];
  std::string partial_[2];
  Sink sink_;
  std::size_t keep_;
  std::deque<std::string> tail_;
  std::string block_;
  bool any_ = false;  ///< there is a line in the block; it may be empty
};

}  // namespace staithe::world
