#include "stage_runner.hpp"

#include "staithe/base/count_text.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

namespace staithe::exec {
namespace {

using LaneRefs = std::vector<const plan::Lane*>;
using LaneFunction = std::function<LaneResult(const Context&, const plan::Lane&)>;

/// Runs lanes on at most `at_once` threads; a thread takes the next lane when it has ended one.
class Pool {
 public:
  Pool(const Context& context, const plan::Stage& stage, StageResult& results)
      : context_(context), stage_(stage), results_(results) {}

  /// `go_on` is asked, under the lock, before a lane is begun.
  void run(const LaneRefs& lanes, std::size_t at_once, const LaneFunction& run_one,
           const std::function<bool()>& go_on) {
    std::size_t next = 0;
    const auto work = [&] {
      for (;;) {
        const plan::Lane* lane = nullptr;
        {
          const std::lock_guard lock(mutex_);
          if (next >= lanes.size() || !go_on()) return;
          lane = lanes[next++];
        }
        LaneResult result = run_one(context_, *lane);
        if (!lane->host.empty()) context_.effects.lane_ended(lane->host);
        finish(*lane, std::move(result));
      }
    };
    std::vector<std::jthread> threads;
    const std::size_t count = std::min(std::max<std::size_t>(at_once, 1), lanes.size());
    try {
      for (std::size_t i = 1; i < count; ++i) threads.emplace_back(work);
    } catch (const std::system_error&) {
      // No more threads to be had: the lanes are run by those that there are.
    }
    work();
  }

 private:
  /// A host that was not put back as it should be may serve all the same: then it is not out.
  event::HostState told_state(const std::string& host, const LaneResult& result) {
    if (result.state != event::HostState::out) return result.state;
    const auto reach = context_.effects.reach({host}, base::Scope::lasting(look_patience));
    const auto known = reach.find(host);
    return known != reach.end() && known->second.everywhere() ? event::HostState::failed : result.state;
  }

  void finish(const plan::Lane& lane, LaneResult result) {
    const bool theirs = result.state == event::HostState::out && !result.kept_out.empty();
    if (!lane.host.empty())
      context_.bus.send(event::HostFinished{lane.host, stage_.name, told_state(lane.host, result),
                                            theirs           ? result.kept_out
                                            : result.failure ? result.failure->result.detail
                                                             : std::string(),
                                            result.actions, result.duration, result.taken});
    const std::lock_guard lock(mutex_);
    if (result.failure) results_.failures.push_back(*result.failure);
    results_.lanes[lane.host] = std::move(result);
  }

  const Context& context_;
  const plan::Stage& stage_;
  StageResult& results_;
  std::mutex mutex_;
};

/// What a signal keeps from beginning the deadline has not kept from it, though it may have passed by now.
bool is_late(const Context& context, const plan::Stage& stage, const StageResult& results) {
  if (!context.clock.passed()) return false;
  const bool kept = results.lanes.size() < stage.lanes.size() && !context.stops.soft.requested();
  return kept || std::any_of(results.lanes.begin(), results.lanes.end(),
                             [](const auto& entry) { return entry.second.late; });
}

/// A lane that ended because a signal stopped it has not failed.
std::size_t failed_lanes(const StageResult& results) {
  return static_cast<std::size_t>(std::count_if(
      results.failures.begin(), results.failures.end(),
      [](const Failure& failure) { return failure.result.outcome != event::Outcome::cancelled; }));
}

bool over(const plan::Amount& most_failures, const StageResult& results, std::size_t lanes) {
  return failed_lanes(results) >
         (most_failures.percent ? most_failures.value * lanes / 100 : most_failures.value);
}

/// A rolling stage: batches, window, failure budget.
class Roller {
 public:
  Roller(const Context& context, const plan::Stage& stage)
      : context_(context), stage_(stage), pool_(context, stage, results_) {}

  StageResult run() {
    const auto sizes = plan::batch_sizes(context_.plan.strategy, stage_.lanes.size());
    std::size_t first = 0;
    for (std::size_t number = 0; number < sizes.size() && may_begin(); ++number) {
      run_batch(number, sizes.size(), first, sizes[number]);
      first += sizes[number];
    }
    results_.stopped = results_.lanes.size() < stage_.lanes.size() && context_.stops.soft.requested();
    results_.late = is_late(context_, stage_, results_);
    results_.over_budget = over_budget() || results_.late;
    if (results_.over_budget) revert();
    return std::move(results_);
  }

 private:
  void run_batch(std::size_t number, std::size_t of, std::size_t first, std::size_t size) {
    LaneRefs lanes;
    batch_.clear();
    for (std::size_t i = first; i < first + size; ++i) {
      lanes.push_back(&stage_.lanes[i]);
      batch_.push_back(stage_.lanes[i].host);
    }
    context_.bus.send(event::BatchStarted{number + 1, of, batch_});
    const auto& strategy = context_.plan.strategy;
    const auto go_on = [this] { return may_begin(); };
    if (strategy.window == plan::Strategy::Window::sliding) {
      pool_.run(lanes, strategy.parallel, run_lane, go_on);
      return;
    }
    for (std::size_t at = 0; at < lanes.size() && may_begin(); at += strategy.parallel) {
      const auto begin = lanes.begin() + static_cast<std::ptrdiff_t>(at);
      const auto count = std::min<std::size_t>(strategy.parallel, lanes.size() - at);
      pool_.run(LaneRefs(begin, begin + static_cast<std::ptrdiff_t>(count)), count, run_lane, go_on);
    }
  }

  bool may_begin() const {
    return !context_.stops.soft.requested() && !context_.clock.passed() && !over_budget();
  }

  /// The deadline may pass between two batches: then the one before it has ended, and stays.
  bool ended(const std::vector<std::string>& hosts) const {
    return std::all_of(hosts.begin(), hosts.end(), [this](const std::string& host) {
      const auto lane = results_.lanes.find(host);
      return lane != results_.lanes.end() && !lane->second.late;
    });
  }

  bool over_budget() const {
    return over(context_.plan.strategy.max_failures, results_, stage_.lanes.size());
  }

  Blame blame() const {
    const bool any = std::any_of(results_.failures.begin(), results_.failures.end(),
                                 [](const Failure& failure) { return failure.tells_of_release(); });
    return any ? Blame::release : Blame::nobody;
  }

  void revert() {
    using OnFailure = plan::Strategy::OnFailure;
    switch (context_.plan.strategy.on_failure) {
      case OnFailure::stop:
        return;
      case OnFailure::revert_batch:
        if (over_budget() || !ended(batch_)) revert_lanes(context_, stage_, results_, batch_, blame());
        return;
      case OnFailure::revert_all: {
        std::vector<std::string> all;
        for (const auto& lane : stage_.lanes) all.push_back(lane.host);
        revert_lanes(context_, stage_, results_, all, blame());
        return;
      }
    }
  }

  const Context& context_;
  const plan::Stage& stage_;
  StageResult results_;
  Pool pool_;
  std::vector<std::string> batch_;
};

StageResult run_all(const Context& context, const plan::Stage& stage) {
  StageResult results;
  LaneRefs lanes;
  for (const auto& lane : stage.lanes) lanes.push_back(&lane);
  Pool(context, stage, results).run(lanes, stage.at_once, run_lane, [&] {
    return !context.stops.soft.requested() && !context.clock.passed() &&
           !(stage.max_failures && over(*stage.max_failures, results, stage.lanes.size()));
  });
  results.late = is_late(context, stage, results);
  results.stopped = results.lanes.size() < stage.lanes.size() && context.stops.soft.requested();
  return results;
}

/// For a recovery, should this process die before the host is back: see plan::revert_note.
void note_revert(const Context& context, const plan::Lane& lane) {
  try {
    context.journal.note(lane.host, plan::first_of_revert(lane), plan::revert_note, "");
  } catch (const std::exception& error) {
    context.bus.send(event::Message{event::Level::warning, lane.host, error.what()});
  }
}

}  // namespace

StageResult run_stage(const Context& context, const plan::Stage& stage) {
  context.bus.send(event::StageStarted{stage.name, stage.lanes.size()});
  if (stage.shape == plan::Stage::Shape::rolling) return Roller(context, stage).run();
  return run_all(context, stage);
}

void revert_lanes(const Context& context, const plan::Stage& stage, StageResult& results,
                  const std::vector<std::string>& hosts, Blame blame) {
  LaneRefs lanes;
  for (const auto& lane : stage.lanes) {
    const auto result = results.lanes.find(lane.host);
    const bool wanted = std::find(hosts.begin(), hosts.end(), lane.host) != hosts.end();
    if (!wanted || result == results.lanes.end() || lane.revert.empty()) continue;
    // A host that was left out keeps its state: bringing it in again is a person's decision.
    if (result->second.altered && result->second.state != event::HostState::out) lanes.push_back(&lane);
  }
  if (lanes.empty()) return;
  context.clock.stop();
  for (const auto* lane : lanes) note_revert(context, *lane);
  context.bus.send(
      event::Message{event::Level::warning, "",
                     "reverting " + base::count_text(lanes.size(), "host") + " to the release before"});
  StageResult reverted;
  Pool(context, stage, reverted)
      .run(
          lanes, context.plan.strategy.parallel,
          [blame](const Context& of, const plan::Lane& lane) { return run_revert(of, lane, blame); },
          [&] { return !context.stops.hard.requested(); });
  for (auto& [host, result] : reverted.lanes) {
    auto& before = results.lanes[host];
    before.state = result.state;
    before.kept_out = result.kept_out;
    before.but_for_others = result.but_for_others;
    before.altered =
        result.altered || (result.state != event::HostState::reverted && !result.only_kept_out());
    if (result.failure) results.failures.push_back(*result.failure);
  }
}

}  // namespace staithe::exec
