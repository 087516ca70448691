#include "backlog.hpp"

#include <iterator>
#include <utility>

namespace staithe::watch {
namespace {

std::size_t bytes_of(const Records& run) {
  std::size_t bytes = 0;
  for (const auto& one : run) {
    bytes += sizeof one;
    for (const auto* text : {&one.environment, &one.suite, &one.key, &one.text_id, &one.run_id, &one.release,
                             &one.verdict, &one.detail, &one.excused_by})
      bytes += text->size();
  }
  return bytes;
}

}  // namespace

void Backlog::add(Records run) {
  if (run.empty()) return;
  bytes_ += bytes_of(run);
  runs_.push_back(std::move(run));
  fit();
}

std::deque<Records> Backlog::take() {
  std::deque<Records> taken;
  std::size_t results = 0;
  while (!runs_.empty() && (taken.empty() || results + runs_.front().size() <= most_at_once)) {
    results += runs_.front().size();
    bytes_ -= bytes_of(runs_.front());
    taken.push_back(std::move(runs_.front()));
    runs_.pop_front();
  }
  return taken;
}

void Backlog::put_back(std::deque<Records> taken) {
  for (const auto& run : taken) bytes_ += bytes_of(run);
  runs_.insert(runs_.begin(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
  fit();
}

std::size_t Backlog::take_lost() noexcept {
  return std::exchange(lost_, 0);
}

void Backlog::give_up() {
  for (const auto& run : runs_) lost_ += run.size();
  runs_.clear();
  bytes_ = 0;
}

void Backlog::fit() {
  // A run that is larger than all that may wait is what a healthy store takes at once.
  while (bytes_ > most_bytes && runs_.size() > 1) {
    bytes_ -= bytes_of(runs_.front());
    lost_ += runs_.front().size();
    runs_.pop_front();
  }
}

}  // namespace staithe::watch
