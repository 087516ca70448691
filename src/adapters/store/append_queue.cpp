#include "append_queue.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>
#include <vector>

namespace staithe::store {

bool AppendQueue::knows(std::string_view run_id) const {
  const std::lock_guard lock(mutex_);
  return last_seq_.find(run_id) != last_seq_.end();
}

void AppendQueue::learn(std::string_view run_id, std::uint64_t last_seq) {
  const std::lock_guard lock(mutex_);
  last_seq_.emplace(run_id, last_seq);
}

std::uint64_t AppendQueue::append(std::string_view run_id, JournalEntry entry) {
  std::unique_lock lock(mutex_);
  const auto last = last_seq_.find(run_id);
  if (last == last_seq_.end()) {
    throw base::Error(base::ErrorCode::not_found, "no run " + std::string(run_id));
  }
  entry.seq = ++last->second;
  PendingEntry own{std::string(run_id), std::move(entry)};
  waiting_.push_back(&own);
  while (!own.done) {
    writing_ ? changed_.wait(lock) : write_batch(lock);
  }
  if (own.error) std::rethrow_exception(own.error);
  return own.entry.seq;
}

void AppendQueue::write_batch(std::unique_lock<std::mutex>& lock) {
  const std::size_t count = std::min(waiting_.size(), max_batch);
  const std::vector<PendingEntry*> batch(waiting_.begin(),
                                         waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  writing_ = true;
  lock.unlock();
  std::exception_ptr error;
  try {
    write_(batch);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  writing_ = false;
  for (PendingEntry* entry : batch) {
    entry->error = error;
    entry->done = true;
  }
  changed_.notify_all();
}

}  // namespace staithe::store
