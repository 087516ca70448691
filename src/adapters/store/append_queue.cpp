#include "append_queue.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>
#include <set>
#include <vector>

namespace staithe::store {

Turn::Turn() {
  ::sem_init(&told_, 0, 0);
}

Turn::~Turn() {
  ::sem_destroy(&told_);
}

void Turn::say(Word word) noexcept {
  word_ = word;
  ::sem_post(&told_);
}

Turn::Word Turn::wait() noexcept {
  while (::sem_wait(&told_) != 0) continue;  // interrupted by a signal
  return word_;
}

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

void AppendQueue::line_up(PendingEntry& pending) {
  pending.entry.seq = next_seq(pending.run_id);
  pending.place = ++places_;
  waiting_.push_back(&pending);
}

bool AppendQueue::in_line(std::uint64_t place) const {
  return in_hand_ <= place || (!waiting_.empty() && waiting_.front()->place <= place);
}

std::uint64_t AppendQueue::append(std::string_view run_id, JournalEntry entry) {
  Turn turn;
  PendingEntry own{std::string(run_id), std::move(entry), &turn};
  std::unique_lock lock(mutex_);
  line_up(own);
  note_arrival();
  bool mine = !std::exchange(writing_, true);
  if (!mine) {
    lock.unlock();
    mine = turn.wait() == Turn::Word::write;
    if (mine) lock.lock();
  }
  if (mine) {
    while (!own.done) write_batch(lock, &turn);
    pass_on(lock);
  }
  if (own.error) std::rethrow_exception(own.error);
  return own.entry.seq;
}

std::uint64_t AppendQueue::enqueue(std::string_view run_id, JournalEntry entry) {
  std::unique_lock lock(mutex_);
  if (own_.size() >= max_unwritten) flush(lock);
  auto pending = std::make_unique<PendingEntry>(PendingEntry{std::string(run_id), std::move(entry)});
  line_up(*pending);
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
  const std::uint64_t last = places_;
  while (in_line(last)) {
    if (std::exchange(writing_, true)) {
      changed_.wait(lock);
      continue;
    }
    const auto error = write_batch(lock, nullptr);
    pass_on(lock);
    if (error) std::rethrow_exception(error);
    lock.lock();
  }
}

void AppendQueue::note_arrival() noexcept {
  latest_.emplace_back(std::this_thread::get_id(), std::chrono::steady_clock::now());
  if (latest_.size() > crowd) latest_.pop_front();
}

bool AppendQueue::crowded() const noexcept {
  if (latest_.size() < crowd || latest_.back().second - latest_.front().second > crowd_within) return false;
  std::set<std::thread::id> threads;
  for (const auto& [thread, at] : latest_) threads.insert(thread);
  return threads.size() == crowd;
}

void AppendQueue::gather(std::unique_lock<std::mutex>& lock) noexcept {
  if (!crowded()) return;
  const auto awaited = [this] {
    return std::count_if(waiting_.begin(), waiting_.end(),
                         [](const auto* entry) { return entry->turn != nullptr; });
  };
  for (int count = 0; count < most_gathers && awaited() < static_cast<std::ptrdiff_t>(crowd); ++count) {
    const std::uint64_t before = places_;
    lock.unlock();
    std::this_thread::sleep_for(gathers_for);
    lock.lock();
    if (places_ == before) return;
  }
}

/// For the thread that writes. Returns with the lock and still the one that writes.
std::exception_ptr AppendQueue::write_batch(std::unique_lock<std::mutex>& lock, const Turn* mine) noexcept {
  gather(lock);
  const std::size_t count = std::min(waiting_.size(), max_batch);
  const std::vector<PendingEntry*> batch(waiting_.begin(),
                                         waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  in_hand_ = batch.empty() ? nothing : batch.front()->place;
  lock.unlock();
  std::exception_ptr error;
  try {
    write_(batch);
  } catch (...) {
    error = std::current_exception();
  }
  std::vector<PendingEntry*> unasked;
  for (PendingEntry* entry : batch) {
    if (entry->turn == nullptr) {
      unasked.push_back(entry);
      continue;
    }
    entry->error = error;
    entry->done = true;
    if (entry->turn != mine) entry->turn->say(Turn::Word::done);  // it may be gone from here on
  }
  lock.lock();
  in_hand_ = nothing;
  settle(unasked, error);
  changed_.notify_all();
  return error;
}

void AppendQueue::settle(std::span<PendingEntry* const> unasked, const std::exception_ptr& error) {
  if (error) {
    waiting_.insert(waiting_.begin(), unasked.begin(), unasked.end());
  } else {
    for (const PendingEntry* entry : unasked) own_.erase(entry);
  }
}

/// Names the thread that writes next, if one waits. Returns without the lock.
void AppendQueue::pass_on(std::unique_lock<std::mutex>& lock) {
  const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                 [](const auto* entry) { return entry->turn != nullptr; });
  Turn* const turn = next == waiting_.end() ? nullptr : (*next)->turn;
  writing_ = turn != nullptr;
  if (!writing_) changed_.notify_all();
  lock.unlock();
  // It waits until it is told: nobody else can write its entry.
  if (turn != nullptr) turn->say(Turn::Word::write);
}

}  // namespace staithe::store
