#include "action_runner.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace staithe::exec {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t stubborn_attempts = 3;
constexpr base::Duration stubborn_pause{1'000};

/// What a person may stop it with.
const base::Cancel* switch_of(const Stops& stops, Shield shield) {
  switch (shield) {
    case Shield::none:
      return &stops.soft;
    case Shield::soft:
      return &stops.hard;
    case Shield::full:
      return nullptr;
  }
  return nullptr;
}

bool bounded(const Context& context, const Manner& manner) {
  return manner.bound == Bound::by_run && context.clock.counts();
}

const base::Cancel* canceller(const Context& context, const Manner& manner) {
  const auto* own = switch_of(context.stops, manner.shield);
  if (own == nullptr || own->requested() || !bounded(context, manner)) return own;
  return manner.shield == Shield::none ? &context.clock.soft_or_late() : &context.clock.hard_or_late();
}

/// One action under way: the parts of run_action share what they know here.
class Attempt {
 public:
  Attempt(const Context& context, const plan::Action& action, LaneState& lane, const Manner& manner)
      : context_(context),
        action_(action),
        lane_(lane),
        manner_(manner),
        host_(told_host(lane.host, action)) {}

  EffectResult run() {
    ++lane_.index;
    lane_.performed = false;
    const auto started = Clock::now();
    context_.bus.send(event::ActionStarted{host_, action_.id, plan::kind_of(action_.effect), action_.step,
                                           action_.title, lane_.index, lane_.of, action_.timeout,
                                           lane_.host.empty()});
    EffectResult result = begin();
    if (result.ok()) result = perform_with_retries();
    if (ran_out(result)) tell_late(result);
    if (!result.ok() && !plan::judges_release(action_.effect)) result.own_fault = true;
    if (result.ok()) finish_capture(result);
    end(result);
    context_.bus.send(
        event::ActionFinished{host_, action_.id, plan::kind_of(action_.effect), action_.step, action_.title,
                              lane_.index, lane_.of, result.outcome, result.detail, result.exit_status,
                              std::chrono::duration_cast<base::Duration>(Clock::now() - started),
                              result.output_tail, lets_pass(result, lane_.brought_along)});
    return result;
  }

 private:
  EffectResult begin() {
    if (is_late()) return not_begun();
    try {
      context_.journal.intent(lane_.host, action_.id);
      return {};
    } catch (const base::Error& error) {
      return journal_failed(error);
    }
  }

  void end(EffectResult& result) {
    try {
      // Of a host that is lost a recovery is to know that its app was about to be changed.
      if (lane_.performed || result.host_lost())
        context_.journal.outcome(lane_.host, action_.id, result);
      else
        context_.journal.not_begun(lane_.host, action_.id, result);
    } catch (const base::Error& error) {
      const EffectResult lost = journal_failed(error);
      if (result.ok()) result = lost;
    }
  }

  /// A person who stops it at the same time is heard first.
  bool ran_out(const EffectResult& result) const {
    return result.outcome == event::Outcome::cancelled && bounded(context_, manner_) &&
           context_.clock.passed() && !switch_of(context_.stops, manner_.shield)->requested();
  }

  void tell_late(EffectResult& result) {
    lane_.late = true;
    result.outcome = event::Outcome::timed_out;
    result.retryable = false;
    result.own_fault = true;
    result.detail = late_text(context_.clock) + (result.detail.empty() ? "" : ": " + result.detail);
  }

  EffectResult journal_failed(const base::Error& error) {
    EffectResult result;
    if (manner_.record == Record::best_effort) {
      message(event::Level::warning, fmt::format("not journalled: {}", error.what()));
      return result;
    }
    result.outcome = event::Outcome::refused;
    result.detail = fmt::format("the journal cannot be written: {}", error.what());
    result.own_fault = true;
    return result;
  }

  EffectResult perform_with_retries() {
    for (std::uint32_t attempt = 1;; ++attempt) {
      EffectResult result = perform_once();
      const bool stubborn =
          manner_.persistence == Persistence::stubborn && result.outcome == event::Outcome::unreachable;
      const auto attempts = stubborn ? std::max(action_.attempts, stubborn_attempts) : action_.attempts;
      if (result.ok() || !result.retryable || attempt >= attempts) return result;
      context_.bus.send(event::Retried{host_, action_.id, result.detail, attempt, attempts});
      const auto wait = stubborn ? std::min(action_.retry_every, stubborn_pause) : action_.retry_every;
      const auto pause = base::Scope::lasting(wait + base::Duration(1000), canceller(context_, manner_));
      if (base::sleep_for(wait, pause) == base::Woke::cancelled) {
        result.outcome = event::Outcome::cancelled;
        return result;
      }
    }
  }

  EffectResult perform_once() {
    Performance performance{
        base::Scope::lasting(action_.timeout, canceller(context_, manner_)),
        lane_.captures,
        [this](std::string_view lines, bool is_error) {
          context_.bus.send(event::Output{host_, action_.id, std::string(lines), is_error});
        },
        [this](const event::Progress& progress) {
          event::Progress named = progress;
          named.host = host_;
          named.action_id = action_.id;
          context_.bus.send(std::move(named));
        },
        [this](event::Level level, const std::string& text) { message(level, text); },
        [this](const std::string& key, const std::string& text) {
          context_.journal.note(lane_.host, action_.id, key, text);
        },
        [this](std::vector<event::CheckRecord>&& checks) {
          context_.bus.send(event::ChecksEnded{host_, action_.id, action_.step, std::move(checks)});
        },
        &context_.stops.soft};
    // The switch follows the clock a moment later; the lane counts on it that nothing begins in between.
    if (is_late() || performance.scope.cancelled()) return not_begun();
    // An earlier attempt may have done something; so has one that ends by an exception.
    const bool before = std::exchange(lane_.performed, true);
    EffectResult result = context_.effects.perform(action_.effect, performance);
    if (result.nothing_done) lane_.performed = before;
    return result;
  }

  bool is_late() const { return bounded(context_, manner_) && context_.clock.passed(); }

  static EffectResult not_begun() {
    return {event::Outcome::cancelled, "stopped before it began", {}, {}, {}, false};
  }

  void finish_capture(const EffectResult& result) {
    if (const auto name = plan::capture_of(action_.effect); !name.empty())
      lane_.captures[name] = result.captured;
  }

  void message(event::Level level, std::string text) {
    context_.bus.send(event::Message{level, host_, std::move(text)});
  }

  const Context& context_;
  const plan::Action& action_;
  LaneState& lane_;
  Manner manner_;
  std::string host_;  ///< in events; the journal goes by the lane's
};

}  // namespace

void Bus::send(event::Payload payload) noexcept {
  event::Event event{std::chrono::system_clock::now(), ++seq_, run_id_, std::move(payload)};
  sink_.on_event(event);
}

std::string late_text(const RunClock& clock) {
  return fmt::format("the run's deadline of {} has passed", base::to_text(clock.deadline()));
}

std::string told_host(const std::string& lane_host, const plan::Action& action) {
  return lane_host.empty() ? plan::host_of(action.effect) : lane_host;
}

EffectResult run_action(const Context& context, const plan::Action& action, LaneState& lane,
                        const Manner& manner) {
  return Attempt(context, action, lane, manner).run();
}

}  // namespace staithe::exec
