#pragma once
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// Keeps the head and the tail of a stream of any length in bounded memory (at most 1.5 times `keep`).
class Capture {
 public:
  explicit Capture(std::size_t keep) : head_most_(keep / 2), tail_most_(keep - keep / 2) {}

  void add(std::string_view bytes) {
    total_ += bytes.size();
    const std::size_t to_head = std::min(bytes.size(), head_most_ - head_.size());
    head_.append(bytes.substr(0, to_head));
    bytes.remove_prefix(to_head);
    if (bytes.size() > tail_most_) bytes.remove_prefix(bytes.size() - tail_most_);
    tail_.append(bytes);
    // Cut rarely, so that many small pieces do not move the tail each time.
    if (tail_.size() > 2 * tail_most_) tail_.erase(0, tail_.size() - tail_most_);
  }

  std::uint64_t total() const noexcept { return total_; }
  bool truncated() const noexcept { return total_ > head_most_ + tail_most_; }

  std::string text() const {
    if (!truncated()) return head_ + tail_;
    const auto tail = std::string_view(tail_).substr(tail_.size() - std::min(tail_most_, tail_.size()));
    return fmt::format("{}\n[{} left out]\n{}", head_, base::bytes_text(total_ - head_.size() - tail.size()),
                       tail);
  }

 private:
  std::size_t head_most_, tail_most_;
  std::string head_, tail_;
  std::uint64_t total_ = 0;
};

}  // namespace staithe::ssh
