#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/event/check_record.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace staithe::event {

enum class Outcome {
  ok,
  failed,   ///< it was done and the answer was wrong
  refused,  ///< a precondition does not hold; nothing was changed by it
  timed_out,
  unreachable,  ///< the peer could not be spoken to
  cancelled,
  skipped,
};

/// Stable machine name, e.g. "timed_out".
const char* name_of(Outcome outcome) noexcept;

struct RunStarted {
  std::string run_id, plan_id, kind, title, environment, service, release, sha;
  std::uint64_t actions = 0;
  std::vector<std::string> hosts;
  base::Duration deadline{0};  ///< of the whole run; zero for none
};
struct StageStarted {
  std::string stage;
  std::uint64_t hosts = 0;
};
/// A batch of a rolling stage begins.
struct BatchStarted {
  std::uint64_t number = 0, of = 0;
  std::vector<std::string> hosts;
};
struct ActionStarted {
  std::string host, action_id, kind, step, title;
  std::uint64_t index = 0, of = 0;  ///< 1-based place in the host's lane
  base::Duration timeout{0};
  bool alone = false;  ///< in no host's lane, though it may be done on one
};
/// Lines of a command's output with '\n' between them, printable and redacted.
struct Output {
  std::string host, action_id, line;
  bool is_error = false;
};
struct Progress {
  std::string host, action_id, text;  ///< "sessions 14 -> 0"
  std::uint64_t done = 0, total = 0;  ///< total 0: unknown
  std::string unit;
};
struct Retried {
  std::string host, action_id, reason;
  std::uint32_t attempt = 0, of = 0;
};
struct ActionFinished {
  std::string host, action_id, kind, step, title;
  std::uint64_t index = 0, of = 0;
  Outcome outcome = Outcome::ok;
  std::string detail;
  std::optional<int> exit_status;
  base::Duration duration{0};
  std::vector<std::string> output_tail;  ///< last lines of a failed command
  bool let_pass = false;                 ///< it failed, and the run is no failure for it
};
/// Checks of the suite that an action runs, as many as were told together.
struct ChecksEnded {
  std::string host, action_id, step;
  std::vector<CheckRecord> checks;
};
/// Where a host stands when its lane has ended.
enum class HostState {
  untouched,
  done,      ///< everything of the lane was done
  reverted,  ///< the previous release serves again
  restored,  ///< given back as it was, nothing altered
  failed,    ///< its lane failed and the host is not out of rotation
  out,       ///< left out of rotation: it needs a person
};
const char* name_of(HostState state) noexcept;

struct HostFinished {
  std::string host, stage;
  HostState state = HostState::untouched;
  std::string detail;
  std::uint64_t actions = 0;
  base::Duration duration{0}, drained{0};
};
enum class Level { info, warning, error };
/// A sentence for the person: a lock waited for, another's drain left alone.
struct Message {
  Level level = Level::info;
  std::string host, text;
};
struct RunFinished {
  int exit_code = 0;
  std::string verdict;  ///< "done", "failed", "refused", "needs a person", "interrupted"
  std::string failed_action, failed_host, failure;
  std::string failed_kind{};  ///< of the action's effect, as in ActionFinished: "guard"
  struct Host {
    std::string name;
    HostState state;
    std::string detail;
    std::string reach{};  ///< of one that was left out or may be: "NOT serving on lb1; serving on lb2", or ""
    bool altered = false;  ///< its service was touched and not brought back
    /// Of one that is out by somebody else's hand alone: its state if it were not. All that the run had to do
    /// there is done.
    std::optional<HostState> kept_out{};
  };
  std::vector<Host> hosts;
  std::vector<std::string> next;  ///< commands to run next, each with a comment behind two spaces
  base::Duration duration{0};
  base::Duration deadline{0};  ///< of the run, when it has passed before everything was done; else zero
  /// Stages of one lane whose steps did something that no revert takes back, where the run did not end well:
  /// "before".
  std::vector<std::string> stays{};
  bool wrong_servers = false;  ///< of the failure: the servers that the files name are not HAProxy's
  /// Where it needs a person for such hosts alone: the exit code that it would have had without them.
  std::optional<int> but_for_others{};
};

using Payload = std::variant<RunStarted, StageStarted, BatchStarted, ActionStarted, Output, Progress, Retried,
                             ChecksEnded, ActionFinished, HostFinished, Message, RunFinished>;

struct Event {
  std::chrono::system_clock::time_point time;
  std::uint64_t seq = 0;
  std::string run_id;
  Payload payload;
};

/// Listens to a run. Called from any thread; blocks for a bounded time at most and must not throw.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) noexcept = 0;
};

}  // namespace staithe::event
