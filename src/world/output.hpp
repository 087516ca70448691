#pragma once
#include "staithe/base/redact.hpp"

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::world {

/// Raw bytes of a command's two streams as redacted, printable lines; the last ones are kept. For one thread.
class LineOutput {
 public:
  using Sink = std::function<void(std::string_view line, bool is_error)>;

  LineOutput(const base::Redactor& redactor, Sink sink, std::size_t keep);

  void push(bool is_error, std::string_view bytes);
  void finish();
  std::vector<std::string> tail() const { return {tail_.begin(), tail_.end()}; }

 private:
  void take_lines(bool is_error, std::string_view clean);
  void emit(bool is_error, std::string_view line);

  base::RedactingStream streams_[2];
  std::string partial_[2];
  Sink sink_;
  std::size_t keep_;
  std::deque<std::string> tail_;
};

}  // namespace staithe::world
