#include "behind.hpp"

#include <exception>
#include <utility>

namespace staithe::report {

Behind::Behind(Write write, Gap gap, std::size_t most_bytes)
    : write_(std::move(write)), gap_(std::move(gap)), most_bytes_(most_bytes) {
  thread_ = std::thread([this] { work(); });
}

Behind::~Behind() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Behind::add(std::string_view text) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (bytes_ + text.size() > most_bytes_) {
      ++left_out_;
      return;
    }
    if (left_out_ > 0) {
      waiting_.push_back(gap_(left_out_));
      bytes_ += waiting_.back().size();
      left_out_ = 0;
    }
    waiting_.emplace_back(text);
    bytes_ += text.size();
  } catch (const std::exception&) {
    // Out of memory: a text less is nothing to stop a program for.
  }
  changed_.notify_all();
}

void Behind::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) {
      if (left_out_ == 0) return;
      waiting_.push_back(gap_(std::exchange(left_out_, 0)));
      bytes_ += waiting_.back().size();
    }
    const auto text = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    write_(text);
    lock.lock();
    bytes_ -= text.size();
  }
}

}  // namespace staithe::report
