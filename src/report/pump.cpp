#include "staithe/report/sinks.hpp"

#include <fmt/format.h>

namespace staithe::report {
namespace {

constexpr auto tick = std::chrono::milliseconds(200);
/// How long the first event waits for others, so that many hosts do not wake this thread for each of theirs.
constexpr auto gathers_for = std::chrono::milliseconds(10);
/// A terminal stopped with Ctrl-S must neither stall a run nor fill the memory.
constexpr std::size_t most_output_bytes = 32U << 20U;

/// Roughly what a line of output costs in the queue; 0 for other events, which are few and never dropped.
std::size_t output_cost(const event::Event& event) {
  const auto* output = std::get_if<event::Output>(&event.payload);
  return output == nullptr ? 0 : output->line.size() + sizeof event;
}

}  // namespace

Pump::Pump(std::vector<Sink*> sinks) : sinks_(std::move(sinks)), thread_([this] { work(); }) {}

Pump::~Pump() {
  close();
}

void Pump::on_event(const event::Event& event) noexcept {
  const std::size_t cost = output_cost(event);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    if (cost > 0 && output_bytes_ + cost > most_output_bytes) {
      ++dropped_;
      return;
    }
    output_bytes_ += cost;
    first = queue_.empty();
    queue_.push_back(event);
  }
  if (first) wake_.notify_one();
}

void Pump::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Pump::hand_out(const event::Event& event) {
  for (auto* sink : sinks_) sink->on_event(event);
}

void Pump::tell_dropped(std::uint64_t dropped, const std::string& run_id) {
  hand_out(
      {std::chrono::system_clock::now(), 0, run_id,
       event::Message{event::Level::warning, "",
                      fmt::format("{} lines of output were dropped here: the reader is too slow", dropped)}});
}

void Pump::work() {
  auto ticked = std::chrono::steady_clock::now();
  for (bool last = false; !last;) {
    std::deque<event::Event> batch;
    std::uint64_t dropped = 0;
    std::size_t in_hand = 0;  // counts until it is handed out
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, ticked + tick, [this] { return closing_ || !queue_.empty(); });
      wake_.wait_for(lock, gathers_for, [this] { return closing_; });
      batch.swap(queue_);
      in_hand = output_bytes_;
      std::swap(dropped, dropped_);
      last = closing_;
    }
    for (const auto& event : batch) hand_out(event);
    {
      const std::lock_guard lock(mutex_);
      output_bytes_ -= in_hand;
    }
    if (dropped > 0) tell_dropped(dropped, batch.empty() ? std::string() : batch.back().run_id);
    const auto now = std::chrono::steady_clock::now();
    if (now - ticked < tick) continue;
    ticked = now;
    for (auto* sink : sinks_) sink->on_tick(now);
  }
  for (auto* sink : sinks_) sink->finish();
}

}  // namespace staithe::report
