#include "append_queue.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>
#include <thread>
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

std::uint64_t AppendQueue::next_seq(std::string_view run_id) {
  const auto last = last_seq_.find(run_id);
  if (last == last_seq_.end()) {
    throw base::Error(base::ErrorCode::not_found, "no run " + std::string(run_id));
  }
  return ++last->second;
}

std::uint64_t AppendQueue::append(std::string_view run_id, JournalEntry entry) {
  std::unique_lock lock(mutex_);
  entry.seq = next_seq(run_id);
  PendingEntry own{std::string(run_id), std::move(entry)};
  // Its own, for what is written at once are many entries, and of those in line only one writes next.
  std::condition_variable told;
  own.told = &told;
  waiting_.push_back(&own);
  while (!own.done) {
    if (writing_) {
      told.wait(lock);
    } else {
      write_batch(lock);
    }
  }
  if (own.error) std::rethrow_exception(own.error);
  return own.entry.seq;
}

std::uint64_t AppendQueue::enqueue(std::string_view run_id, JournalEntry entry) {
  std::unique_lock lock(mutex_);
  if (own_.size() >= max_unwritten) flush(lock);
  entry.seq = next_seq(run_id);
  auto pending = std::make_unique<PendingEntry>(PendingEntry{std::string(run_id), std::move(entry), false});
  waiting_.push_back(pending.get());
  const std::uint64_t seq = pending->entry.seq;
  const PendingEntry* key = pending.get();
  own_.emplace(key, std::move(pending));
  return seq;
}

void AppendQueue::flush() {
  std::unique_lock lock(mutex_);
  flush(lock);
}

void AppendQueue::flush(std::unique_lock<std::mutex>& lock) {
  while (writing_ || !waiting_.empty()) {
    if (writing_) {
      changed_.wait(lock);
    } else if (const auto error = write_batch(lock)) {
      std::rethrow_exception(error);
    }
  }
}

std::exception_ptr AppendQueue::write_batch(std::unique_lock<std::mutex>& lock) {
  writing_ = true;
  if (shared_) {
    lock.unlock();
    std::this_thread::sleep_for(gathers_for);
    lock.lock();
  }
  const std::size_t count = std::min(waiting_.size(), max_batch);
  const std::vector<PendingEntry*> batch(waiting_.begin(),
                                         waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  shared_ =
      std::count_if(batch.begin(), batch.end(), [](const auto* entry) { return entry->waited_for; }) > 1;
  lock.unlock();
  std::exception_ptr error;
  try {
    write_(batch);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  writing_ = false;
  settle(batch, error);
  wake_next();
  return error;
}

void AppendQueue::settle(std::span<PendingEntry* const> batch, const std::exception_ptr& error) {
  std::vector<PendingEntry*> again;
  for (PendingEntry* entry : batch) {
    if (entry->waited_for) {
      entry->error = error;
      entry->done = true;
      entry->told->notify_one();
    } else if (error) {
      again.push_back(entry);
    } else {
      own_.erase(entry);
    }
  }
  waiting_.insert(waiting_.begin(), again.begin(), again.end());
}

void AppendQueue::wake_next() {
  changed_.notify_all();
  const auto next =
      std::find_if(waiting_.begin(), waiting_.end(), [](const auto* entry) { return entry->waited_for; });
  if (next != waiting_.end()) (*next)->told->notify_one();
}

}  // namespace staithe::store
