#include "check_records.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/error.hpp"

#include <fmt/format.h>

namespace staithe::world {

void CheckRecords::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > longest_line) {
      too_long_ = true;
      partial_.clear();
    }
    if (!too_long_) partial_ += piece;
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (too_long_)
      ++unread_;
    else
      take(partial_);
    too_long_ = false;
    partial_.clear();
  }
  hand_on();
}

void CheckRecords::hand_on() {
  if (!read_.empty() && sink_) sink_(std::move(read_));
  read_.clear();
}

void CheckRecords::take(std::string_view line) {
  try {
    auto record = event::read_check_record(line);
    if (!record) return;
    if (records_ == most_records || bytes_ + line.size() > most_bytes) {
      ++beyond_;
      return;
    }
    ++records_;
    bytes_ += line.size();
    read_.push_back(std::move(*record));
  } catch (const base::Error&) {
    ++unread_;
  }
}

std::string CheckRecords::trouble() const {
  // What a process that was killed had not written to its end is no record, and no news.
  if (unread_ + beyond_ == 0) return {};
  return fmt::format("{} of its checks {} not in the reports: {}",
                     base::count_text(unread_ + beyond_, "record"), unread_ + beyond_ == 1 ? "is" : "are",
                     unread_ == 0   ? "they are too many"
                     : beyond_ == 0 ? "what its process wrote could not be read"
                                    : "they are too many, or what its process wrote could not be read");
}

}  // namespace staithe::world
