#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/event/event.hpp"
#include "staithe/report/output.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// Who listens to a run: for a terminal, a pipe, a machine. An Output must outlive the sinks that write to
/// it.
namespace staithe::report {

enum class Color { off, on };

/// A listener that also wants to know that time passes, and when the run is over. A sink is called by one
/// thread at a time.
class Sink : public event::EventSink {
 public:
  virtual void on_tick(std::chrono::steady_clock::time_point /*now*/) noexcept {}
  /// Several events follow at once; what they come to need not be written before the end of the batch, which
  /// comes no later than with an event that is no output.
  virtual void begin_batch() noexcept {}
  virtual void end_batch() noexcept {}
  /// No further event comes.
  virtual void finish() noexcept {}
  /// Why what it was to write is not all written; "" when it is.
  virtual std::string problem() const { return {}; }
};

struct LinesOptions {
  int verbosity = 0;  ///< 1: output of commands that went well too; -1: only warnings and how it failed
  Color color = Color::off;
  std::chrono::seconds heartbeat{30};
};
/// Append-only lines for a pipe or CI: time, host, place in the lane, what, outcome. Times are local (TZ).
std::unique_ptr<Sink> make_lines(Output& output, LinesOptions options);

struct LiveOptions {
  int verbosity = 0;  ///< 1: output of commands and every action that went well too
  Color color = Color::off;
  std::function<unsigned()> columns;  ///< of the terminal; asked before each drawing
  std::function<unsigned()> rows;
};
/// For a terminal: one redrawn line for each host in hand below what has happened.
std::unique_ptr<Sink> make_live(Output& output, LiveOptions options);

/// JSON Lines, as staithe-events(7) describes them. The first record, with the tool's `version` and the
/// schema, is written at once; `plan_json`, a JSON text on one line or "", comes before the first event.
std::unique_ptr<Sink> make_jsonl(Output& output, const std::string& version, std::string plan_json = {});

/// A JUnit file as Jenkins reads it, written under a temporary name, synced and renamed. While the run lasts
/// the file says so, with an error for the run and for each action under way: that of a run that was killed
/// cannot look green. A path to something that is no regular file is written to once, at the end. Throws
/// base::Error when the file cannot be written now.
std::unique_ptr<Sink> make_junit(const std::string& path);

enum class Fold { prefixed, folded };
/// `staithe exec`: the commands' stdout to `output` and their stderr to `errors`, live with "host: " before
/// each line; or, folded, at the end, identical texts once under "web[1-9]". Then, to `errors`, who failed
/// and how. Folded keeps at most 1 MiB of a host and 64 MiB of all; what is left out is said. A `verbosity`
/// below 0 keeps only what went wrong of the latter.
std::unique_ptr<Sink> make_exec(Output& output, Output& errors, Fold fold, Color color, int verbosity = 0);

/// The one writer of a run: events wait in a queue and are handed to the sinks, in order, by its thread,
/// which also ticks them five times a second. When 32 MiB of commands' output wait in the queue, on_event of
/// further output waits as long as some of it is written now and then; once nothing was for `patience`, and
/// at once with none or when `stop` is requested, output is dropped until something is written again, and a
/// warning tells how many lines. close() and the destructor write all that is left; events after that are
/// ignored.
class Pump final : public event::EventSink {
 public:
  explicit Pump(std::vector<Sink*> sinks, base::Duration patience = base::Duration::zero(),
                const base::Cancel* stop = nullptr);
  ~Pump() override;

  void on_event(const event::Event& event) noexcept override;
  void close() noexcept;

 private:
  void work();
  void hand_out(const event::Event& event);
  void hand_out(std::deque<event::Event> batch, std::uint64_t dropped);
  void write_batch();
  event::Event told(std::uint64_t dropped, const std::string& run_id) const;
  bool stopping() const { return stop_ != nullptr && stop_->requested(); }
  bool await_room(std::unique_lock<std::mutex>& lock, std::size_t bytes);

  std::vector<Sink*> sinks_;
  base::Duration patience_;
  const base::Cancel* stop_;
  std::mutex mutex_;
  std::condition_variable wake_, room_;
  std::deque<event::Event> queue_;
  std::size_t output_bytes_ = 0;  ///< of event::Output in the queue and in hand
  std::uint64_t handed_out_ = 0;  ///< of these events
  std::uint64_t dropped_ = 0;     ///< lines
  bool stuck_ = false;            ///< nothing was handed out for as long as patience goes
  bool idle_ = false;             ///< waits for the next event, and has to be woken for it
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace staithe::report
