#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace staithe::proc {

/// The first and the last part of a stream, in bounded memory.
class Kept {
 public:
  explicit Kept(std::size_t limit) : head_limit_(limit / 2), tail_limit_(limit - limit / 2) {}

  void add(std::string_view bytes) {
    total_ += bytes.size();
    const std::size_t room = head_limit_ - head_.size();
    head_ += bytes.substr(0, room);
    if (bytes.size() <= room) return;
    bytes.remove_prefix(room);
    if (bytes.size() > tail_limit_) bytes.remove_prefix(bytes.size() - tail_limit_);
    tail_ += bytes;
    // Cutting only at twice the limit makes each byte move once on average.
    if (tail_.size() > 2 * tail_limit_) tail_.erase(0, tail_.size() - tail_limit_);
  }

  std::uint64_t total() const noexcept { return total_; }

  std::string text() const {
    const std::string_view tail =
        std::string_view(tail_).substr(tail_.size() > tail_limit_ ? tail_.size() - tail_limit_ : 0);
    const std::uint64_t left_out = total_ - head_.size() - tail.size();
    std::string whole = head_;
    if (left_out > 0) whole += "\n… " + std::to_string(left_out) + " bytes left out …\n";
    return whole.append(tail);
  }

 private:
  std::size_t head_limit_;
  std::size_t tail_limit_;
  std::string head_;
  std::string tail_;
  std::uint64_t total_ = 0;
};

}  // namespace staithe::proc
