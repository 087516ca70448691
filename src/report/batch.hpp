#pragma once
#include "staithe/report/output.hpp"

#include <string>
#include <string_view>

namespace staithe::report {

/// What a sink writes while events wait for it, put together: a line alone is hardly worth a system call.
/// Texts for two outputs stay in their order. For one thread.
class Batch {
 public:
  void begin() noexcept { gathers_ = true; }
  void end() noexcept {
    gathers_ = false;
    flush();
  }
  void write(Output& to, std::string_view text) {
    if (to_ != &to) flush();
    to_ = &to;
    text_ += text;
    if (!gathers_ || text_.size() >= most) flush();
  }

 private:
  /// Of more at a time a slow reader would seem to have stopped.
  static constexpr std::size_t most = 8192;

  void flush() noexcept {
    if (to_ != nullptr) to_->write(text_);
    text_.clear();
  }

  Output* to_ = nullptr;
  std::string text_;
  bool gathers_ = false;
};

}  // namespace staithe::report
