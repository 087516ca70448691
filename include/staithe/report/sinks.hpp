#pragma once
#include "staithe/event/event.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// Who listens to a run: for a terminal, a pipe, a machine.
namespace staithe::report {

/// A file descriptor that reporters write to. Short writes are completed; failing ones (a closed pipe, a full
/// disk) are remembered, never thrown. Thread safe, one write at a time.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  void write(std::string_view text) noexcept;
  bool failed() const noexcept { return failed_; }

 private:
  int fd_;
  std::mutex mutex_;
  bool failed_ = false;
};

enum class Color { off, on };

/// A listener that also wants to know that time passes, and when the run is over.
class Sink : public event::EventSink {
 public:
  virtual void on_tick(std::chrono::steady_clock::time_point /*now*/) noexcept {}
  virtual void finish() noexcept {}
};

struct LinesOptions {
  int verbosity = 0;  ///< 1: output of commands that went well too
  Color color = Color::off;
  std::chrono::seconds heartbeat{30};
};
/// Append-only lines for a pipe or CI: time, host, place in the lane, what, outcome. Times are local.
std::unique_ptr<Sink> make_lines(Output& output, LinesOptions options);

/// The one writer of a run: events wait in a queue and are handed to the sinks, in order, by its thread,
/// which also ticks them five times a second. close() and the destructor write all that is left.
class Pump final : public event::EventSink {
 public:
  explicit Pump(std::vector<Sink*> sinks);
  ~Pump() override;

  void on_event(const event::Event& event) noexcept override;
  void close() noexcept;

 private:
  void work();

  std::vector<Sink*> sinks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<event::Event> queue_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace staithe::report
