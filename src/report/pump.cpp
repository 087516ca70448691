#include "staithe/base/count_text.hpp"
#include "staithe/report/sinks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::report {
namespace {

constexpr auto tick = std::chrono::milliseconds(200);
/// How long the first event waits for others, so that many hosts do not wake this thread for each of theirs.
constexpr auto gathers_for = std::chrono::milliseconds(10);
constexpr base::Duration stop_is_seen_within{100};
/// A terminal stopped with Ctrl-S must neither stall a run for long nor fill the memory.
constexpr std::size_t most_output_bytes = 32U << 20U;

/// Roughly what an event of output costs in the queue; 0 for other events, which are few and never dropped.
std::size_t output_cost(const event::Event& event) {
  const auto* output = std::get_if<event::Output>(&event.payload);
  return output == nullptr ? 0 : output->line.size() + sizeof event;
}

std::uint64_t lines_in(const event::Event& event) {
  const auto& text = std::get<event::Output>(event.payload).line;
  std::uint64_t lines = 1;
  // A peer that floods is what this is for: find() looks at many bytes at a time.
  for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) ++lines;
  return lines;
}

}  // namespace

Pump::Pump(std::vector<Sink*> sinks, base::Duration patience, const base::Cancel* stop)
    : sinks_(std::move(sinks)), patience_(patience), stop_(stop), thread_([this] { work(); }) {}

Pump::~Pump() {
  close();
}

void Pump::on_event(const event::Event& event) noexcept {
  const std::size_t cost = output_cost(event);
  bool first = false;
  {
    std::unique_lock lock(mutex_);
    if (cost > 0 && !await_room(lock, cost)) {
      dropped_ += lines_in(event);
      return;
    }
    if (closing_) return;
    output_bytes_ += cost;
    first = idle_ && queue_.empty();
    queue_.push_back(event);
  }
  if (first) wake_.notify_one();
}

/// Whoever sends waits meanwhile, and so does the peer that it reads from: nothing need be lost.
bool Pump::await_room(std::unique_lock<std::mutex>& lock, std::size_t bytes) {
  const auto fits = [&] { return output_bytes_ + bytes <= most_output_bytes; };
  while (!fits() && !stuck_ && !closing_ && !stopping()) {
    const auto give_up = std::chrono::steady_clock::now() + patience_;
    const auto goes_on = [&, seen = handed_out_] { return closing_ || stopping() || handed_out_ != seen; };
    while (!stuck_ &&
           !room_.wait_for(lock, std::min<base::Duration>(patience_, stop_is_seen_within), goes_on))
      stuck_ = std::chrono::steady_clock::now() >= give_up;
  }
  return fits();
}

void Pump::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
  }
  wake_.notify_one();
  room_.notify_all();
  thread_.join();
}

void Pump::hand_out(const event::Event& event) {
  for (auto* sink : sinks_) sink->on_event(event);
}

event::Event Pump::told(std::uint64_t dropped, const std::string& run_id) const {
  std::string why;
  if (patience_ > base::Duration::zero())
    why = stopping() ? ", and the run was to stop"
                     : fmt::format(", and for {} nothing of it was read", base::to_text(patience_));
  return {std::chrono::system_clock::now(), 0, run_id,
          event::Message{event::Level::warning, "",
                         fmt::format("{} of output dropped here: {} MiB of it waited to be written{}",
                                     base::count_text(dropped, "line"), most_output_bytes >> 20U, why)}};
}

/// The last first: those after the one for a person write to files, which keep nobody waiting.
void Pump::write_batch() {
  std::for_each(sinks_.rbegin(), sinks_.rend(), [](Sink* sink) {
    sink->end_batch();
    sink->begin_batch();
  });
}

/// What is handed out gives its room back piece by piece: who waits for some sees that it goes on.
void Pump::hand_out(std::deque<event::Event> batch, std::uint64_t dropped) {
  const auto run_id = batch.empty() ? std::string() : batch.back().run_id;
  for (auto* sink : sinks_) sink->begin_batch();
  for (; !batch.empty(); batch.pop_front()) {
    hand_out(batch.front());
    const auto cost = output_cost(batch.front());
    if (cost == 0) {
      write_batch();
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      output_bytes_ -= cost;
      ++handed_out_;
      stuck_ = false;
    }
    room_.notify_all();
  }
  if (dropped > 0) hand_out(told(dropped, run_id));
  for (auto* sink : sinks_) sink->end_batch();
}

void Pump::work() {
  auto ticked = std::chrono::steady_clock::now();
  for (bool last = false, came = false; !last;) {
    std::deque<event::Event> batch;
    std::uint64_t dropped = 0;
    {
      std::unique_lock lock(mutex_);
      // While events keep coming nobody has to wake this thread for them.
      idle_ = !came;
      if (idle_) wake_.wait_until(lock, ticked + tick, [this] { return closing_ || !queue_.empty(); });
      idle_ = false;
      wake_.wait_for(lock, gathers_for, [this] { return closing_; });
      batch.swap(queue_);
      std::swap(dropped, dropped_);
      last = closing_;
    }
    came = !batch.empty();
    hand_out(std::move(batch), dropped);
    const auto now = std::chrono::steady_clock::now();
    if (now - ticked < tick) continue;
    ticked = now;
    for (auto* sink : sinks_) sink->on_tick(now);
  }
  for (auto* sink : sinks_) sink->finish();
}

}  // namespace staithe::report
