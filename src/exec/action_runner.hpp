#pragma once
#include "staithe/exec/runner.hpp"

#include <atomic>
#include <map>
#include <string>

namespace staithe::exec {

/// Stamps events with time, run and sequence. Thread safe.
class Bus {
 public:
  Bus(event::EventSink& sink, std::string run_id) : sink_(sink), run_id_(std::move(run_id)) {}
  void send(event::Payload payload) noexcept;

 private:
  event::EventSink& sink_;
  std::string run_id_;
  std::atomic<std::uint64_t> seq_{0};
};

/// What every part of a run works with.
struct Context {
  const plan::Plan& plan;
  Effects& effects;
  Journal& journal;
  Bus& bus;
  const Stops& stops;
};

/// How much may stop an action: the first signal, only the second, or neither.
enum class Shield { none, soft, full };

/// What the actions of one lane share.
struct LaneState {
  std::string host;
  std::uint64_t index = 0;  ///< actions begun so far
  std::uint64_t of = 0;
  std::map<std::string, std::string> captures;
};

/// Whether an action may go unrecorded when the journal cannot be written: what gives back must happen.
enum class Record { required, best_effort };

/// Journals the intent, performs the effect with its attempts, journals and announces the outcome.
EffectResult run_action(const Context& context, const plan::Action& action, LaneState& lane, Shield shield,
                        Record record);

}  // namespace staithe::exec
