#pragma once
#include "staithe/event/event.hpp"

#include <atomic>
#include <string>
#include <utility>

namespace staithe::stage {

/// Puts time, number and run to what happens. From any thread.
class Emitter {
 public:
  Emitter(event::EventSink& sink, std::string run_id) : sink_(sink), run_id_(std::move(run_id)) {}

  void operator()(event::Payload payload) noexcept {
    sink_.on_event({std::chrono::system_clock::now(), ++seq_, run_id_, std::move(payload)});
  }
  const std::string& run_id() const { return run_id_; }

 private:
  event::EventSink& sink_;
  std::string run_id_;
  std::atomic<std::uint64_t> seq_{0};
};

}  // namespace staithe::stage
