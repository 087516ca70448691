#include "staithe/report/sinks.hpp"

#include <unistd.h>

#include <cerrno>

namespace staithe::report {

void Output::write(std::string_view text) noexcept {
  const std::lock_guard lock(mutex_);
  while (!text.empty() && !failed_) {
    const auto written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      failed_ = true;
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

Pump::Pump(std::vector<Sink*> sinks) : sinks_(std::move(sinks)), thread_([this] { work(); }) {}

Pump::~Pump() {
  close();
}

void Pump::on_event(const event::Event& event) noexcept {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(event);
  }
  wake_.notify_one();
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

void Pump::work() {
  constexpr auto tick = std::chrono::milliseconds(200);
  for (bool last = false; !last;) {
    std::deque<event::Event> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, tick, [this] { return closing_ || !queue_.empty(); });
      batch.swap(queue_);
      last = closing_ && batch.empty();
    }
    for (const auto& event : batch)
      for (auto* sink : sinks_) sink->on_event(event);
    const auto now = std::chrono::steady_clock::now();
    for (auto* sink : sinks_) sink->on_tick(now);
  }
  for (auto* sink : sinks_) sink->finish();
}

}  // namespace staithe::report
