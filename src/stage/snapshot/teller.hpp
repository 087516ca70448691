#pragma once
#include "staithe/event/event.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace staithe::stage {

/// Says what happens in a run, in the order in which it happens. Thread safe.
class Teller {
 public:
  Teller(std::string run_id, event::EventSink& sink) : run_id_(std::move(run_id)), sink_(sink) {}

  void tell(event::Payload payload) noexcept;
  void message(event::Level level, std::string text) noexcept;
  const std::string& run_id() const { return run_id_; }

 private:
  std::string run_id_;
  event::EventSink& sink_;
  std::mutex mutex_;
  std::uint64_t seq_ = 0;
};

/// When an action is told of.
enum class Talk { always, of_failure };

/// One action between its start and its end. Destroyed without an end, it ends as failed.
class Telling {
 public:
  /// `host`: whose lane, "" for none. `index` of `of`: its place there.
  Telling(Teller& teller, std::string host, std::string step, std::string title, std::uint64_t index,
          std::uint64_t of, base::Duration limit, Talk talk = Talk::always);
  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;
  ~Telling();

  void progress(std::uint64_t done, std::uint64_t total, const std::string& unit, std::string text) noexcept;
  void retried(std::string reason, std::uint32_t attempt, std::uint32_t of) noexcept;
  void end(event::Outcome outcome, std::string detail = {}) noexcept;

 private:
  void announce() noexcept;

  Teller& teller_;
  event::ActionStarted started_;
  std::chrono::steady_clock::time_point began_;
  bool ended_ = false;
  bool told_ = false;
};

/// "230 MiB of 700 MiB, 80 MiB/s, 6s left".
std::string rate_text(std::uint64_t done, std::uint64_t total, base::Duration spent);

}  // namespace staithe::stage
