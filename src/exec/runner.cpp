#include "staithe/exec/runner.hpp"

#include "stage_runner.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

namespace staithe::exec {
namespace {

using Clock = std::chrono::steady_clock;

/// Locks are given back and people told whatever was asked to stop.
constexpr Manner closing{Shield::full, Record::best_effort, Persistence::as_planned};

const char* text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::done:
      return "done";
    case Verdict::failed:
      return "failed";
    case Verdict::refused:
      return "refused";
    case Verdict::needs_person:
      return "needs a person";
    case Verdict::interrupted:
      break;
  }
  return "interrupted";
}

/// One run from its locks to its last event.
class Run {
 public:
  Run(const plan::Plan& plan, const RunOptions& options, Effects& effects, Journal& journal,
      event::EventSink& sink, const Stops& stops)
      : plan_(plan),
        options_(options),
        bus_(sink, options.run_id),
        clock_(plan.strategy.deadline, stops),
        context_{plan, effects, journal, bus_, stops, clock_},
        started_(Clock::now()) {
    for (auto& host : plan::brought_along(plan)) brought_along_.insert(std::move(host));
  }

  RunResult run() {
    announce();
    if (sequence(plan_.open) && start_clock()) run_stages();
    clock_.stop();
    if (begun_) close();
    return finish();
  }

 private:
  void announce() {
    event::RunStarted started{options_.run_id,
                              options_.plan_id,
                              plan_.kind,
                              plan_.title,
                              plan_.environment,
                              plan_.service,
                              plan_.release,
                              plan_.sha,
                              plan::count_actions(plan_),
                              {},
                              plan_.strategy.deadline};
    started.hosts = plan::target_hosts(plan_);
    bus_.send(std::move(started));
  }

  /// A run whose deadline nobody would keep is not begun.
  bool start_clock() {
    try {
      clock_.start([this] { tell_late(); });
      return true;
    } catch (const std::system_error& error) {
      const auto text = fmt::format("no thread to wait for the run's deadline: {}", error.what());
      failure_ = Failure{"", "", "deadline", {event::Outcome::refused, text, {}, {}, {}, false}};
      refused_ = true;
      return false;
    }
  }

  void tell_late() {
    bus_.send(event::Message{event::Level::warning, "",
                             late_text(clock_) + ": nothing else is begun, what is in hand is given up, and "
                                                 "what gives back goes on"});
  }

  /// Locks and the like, one after the other; a failure refuses the run.
  bool sequence(const std::vector<plan::Action>& actions) {
    LaneState lane;
    lane.of = actions.size();
    for (const auto& action : actions) {
      EffectResult result = run_action(context_, action, lane, {});
      if (!result.ok()) {
        failure_ = Failure{"", action.id, action.title, std::move(result)};
        refused_ = true;
        return false;
      }
      begun_ = true;
    }
    begun_ = true;
    return true;
  }

  void close() {
    LaneState lane;
    lane.of = plan_.close.size();
    for (const auto& action : plan_.close) {
      EffectResult result = run_action(context_, action, lane, closing);
      if (!result.ok() && !failure_) failure_ = Failure{"", action.id, action.title, std::move(result)};
    }
    if (!failure_) return;
    for (const auto& action : plan_.notify_failure) run_action(context_, action, lane, closing);
  }

  void run_stages() {
    for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
      const auto& stage = plan_.stages[i];
      if (context_.stops.soft.requested()) {
        interrupted_ = true;
        return;
      }
      if (tidies(stage)) clock_.stop();
      if (clock_.passed()) {
        miss(stage);
        return;
      }
      StageResult result = run_stage(context_, only_done(stage));
      let_pass(result);
      interrupted_ = interrupted_ || result.stopped;
      const bool failed = take(stage, result);
      release_hosts(i);
      if (failed) return;
    }
  }

  /// What follows the roll on each host, behind all else: the run has done by then what it was for.
  bool tidies(const plan::Stage& stage) const {
    return rolled_stage_ != nullptr && stage.shape == plan::Stage::Shape::parallel;
  }

  /// A stage that the deadline left no time for has failed.
  void miss(const plan::Stage& stage) {
    late_ = true;
    refused_ = refused_ || stage.shape == plan::Stage::Shape::gather;
    if (!failure_) failure_ = nobodys_failure(stage);
    if (rolled_stage_ != nullptr) revert_all();
  }

  Failure nobodys_failure(const plan::Stage& stage) const {
    EffectResult result{event::Outcome::timed_out, late_text(clock_), {}, {}, {}, false};
    result.own_fault = true;  // a release is not bad for the time that the roll took
    return {"", "", stage.name, std::move(result)};
  }

  /// What follows the roll on each host (cleanup) is for hosts that are on the new release. Those that
  /// earlier runs had brought to it wait for a roll that went well everywhere: before, the rollout has not
  /// ended.
  plan::Stage only_done(plan::Stage stage) const {
    if (!tidies(stage)) return stage;
    const bool whole = all_rolled();
    std::erase_if(stage.lanes, [&](const plan::Lane& lane) {
      const auto rolled = rolled_.lanes.find(lane.host);
      const bool is_ours = rolled != rolled_.lanes.end() && brought_along_.count(lane.host) == 0;
      // A recovery tidies up on hosts that it had nothing to mend on, too.
      if (!is_ours) return !whole && (plan_.kind == "recover" || brought_along_.count(lane.host) > 0);
      return !rolled->second.ok();
    });
    return stage;
  }

  bool all_rolled() const {
    return std::all_of(rolled_stage_->lanes.begin(), rolled_stage_->lanes.end(), [this](const auto& lane) {
      const auto rolled = rolled_.lanes.find(lane.host);
      return rolled != rolled_.lanes.end() && rolled->second.ok();
    });
  }

  /// Its hosts are on the release and serve, and it was not for this run to bring them there: what cannot be
  /// tidied up on them makes the run no failure.
  void let_pass(StageResult& result) {
    std::erase_if(result.failures, [this](const Failure& failure) {
      if (!lets_pass(failure.result, failure.brought_along)) return false;
      untidied_.push_back(failure.host);
      bus_.send(
          event::Message{event::Level::warning, failure.host,
                         plan_.release + " serves here, but is not marked good: " + failure.result.detail});
      return true;
    });
  }

  /// Keeps what a stage came to; true when the run ends here.
  bool take(const plan::Stage& stage, const StageResult& result) {
    if (stage.shape == plan::Stage::Shape::rolling) {
      rolled_stage_ = &stage;
      rolled_ = result;
    }
    for (auto& [host, lane] : result.lanes) {
      keep_state(stage, host, lane);
      changed_ = changed_ || (lane.changed && !only_stages(stage));
      if (lane.changed && stage.shape == plan::Stage::Shape::once) stays_.push_back(stage.name);
    }
    for (auto& failure : result.failures) {
      // What a person's stop left unfinished is no failure of its own: a health that was waited for to the
      // end.
      const bool stopped = failure.result.outcome == event::Outcome::cancelled;
      interrupted_ = interrupted_ || stopped || context_.stops.soft.requested();
      if (!failure_) failure_ = failure;
    }
    if (result.late) {
      late_ = true;
      if (!failure_) failure_ = nobodys_failure(stage);
    }
    if (result.failures.empty() && !result.late) return interrupted_;
    if (stage.shape == plan::Stage::Shape::gather) {
      refused_ = true;
      findings_ = result.failures.size();
    }
    if (stage.shape == plan::Stage::Shape::rolling) {
      for (const auto& failure : result.failures)
        if (failure.result.outcome != event::Outcome::cancelled) failed_hosts_.insert(failure.host);
      return interrupted_ || result.over_budget || result.lanes.size() < stage.lanes.size();
    }
    if (rolled_stage_ != nullptr && stage.shape == plan::Stage::Shape::once) revert_all();
    return true;
  }

  /// What comes after the roll judges the whole of it: its failure reverts all, when reverting is the policy.
  void revert_all() {
    left_unapproved_ = plan_.kind != "recover";
    if (plan_.strategy.on_failure == plan::Strategy::OnFailure::stop || interrupted_) return;
    std::vector<std::string> all;
    for (const auto& lane : rolled_stage_->lanes) all.push_back(lane.host);
    const bool tells = failure_ && failure_->tells_of_release();
    revert_lanes(context_, *rolled_stage_, rolled_, all, tells ? Blame::release : Blame::nobody);
    for (auto& [host, lane] : rolled_.lanes) keep_state(*rolled_stage_, host, lane);
  }

  void keep_state(const plan::Stage& stage, const std::string& host, const LaneResult& lane) {
    if (host.empty()) return;
    auto& known = states_[host];
    known.detail = lane.failure ? lane.failure->result.detail : "";
    if (stage.shape == plan::Stage::Shape::rolling) {
      known.state = lane.state;
      known.altered = lane.altered;
      known.kept_out = lane.but_for_others;
      return;
    }
    // Staging and preflight leave a host untouched; where they are all there is, they are its work.
    if (rolled_stage_ == nullptr && !has_rolling())
      known.state = lane.state;
    else if (lane.state == event::HostState::failed && known.state == event::HostState::untouched)
      known.detail = lane.failure ? lane.failure->result.detail : "";
  }

  bool has_rolling() const {
    return std::any_of(plan_.stages.begin(), plan_.stages.end(),
                       [](const auto& stage) { return stage.shape == plan::Stage::Shape::rolling; });
  }

  void release_hosts(std::size_t stage) {
    std::set<std::string> later;
    for (std::size_t i = stage + 1; i < plan_.stages.size(); ++i)
      for (const auto& lane : plan_.stages[i].lanes) later.insert(lane.host);
    for (const auto& lane : plan_.stages[stage].lanes)
      if (!lane.host.empty() && later.count(lane.host) == 0) context_.effects.done_with(lane.host);
  }

  /// Whether hosts that somebody else keeps out count as out, or as what they would be without that.
  enum class Others { heeded, overlooked };

  Verdict judge(Others others) const {
    const bool out = std::any_of(states_.begin(), states_.end(), [others](const auto& entry) {
      const bool is_theirs = entry.second.kept_out.has_value();
      return entry.second.state == event::HostState::out && (others == Others::heeded || !is_theirs);
    });
    if (out || unproven()) return Verdict::needs_person;
    if (!failure_ && !interrupted_) return Verdict::done;
    // A drain that came to some of its hosts: those are out, and nobody has what they asked for.
    if (any_held()) return Verdict::needs_person;
    if (interrupted_) return Verdict::interrupted;
    const bool refused = refused_ || failure_->result.outcome == event::Outcome::refused;
    // A restore that came to some of its hosts: the others are out, or nobody has proven them.
    if (any_moved() && !all_ended_well(others)) return Verdict::needs_person;
    if (refused && !changed_) return Verdict::refused;
    return mixed_versions() || (left_unapproved_ && any_altered()) ? Verdict::needs_person : Verdict::failed;
  }

  /// A host whose service was altered and did not end well is in service as nobody has approved it. Before a
  /// recovery that could not do anything there, an earlier run had altered it.
  bool unproven() const {
    return std::any_of(rolled_.lanes.begin(), rolled_.lanes.end(), [this](const auto& entry) {
      return (entry.second.altered || plan_.kind == "recover") &&
             entry.second.state == event::HostState::failed;
    });
  }

  bool any_held() const {
    return std::any_of(rolled_.lanes.begin(), rolled_.lanes.end(),
                       [](const auto& entry) { return entry.second.held; });
  }

  bool any_moved() const {
    return std::any_of(rolled_.lanes.begin(), rolled_.lanes.end(),
                       [](const auto& entry) { return entry.second.ok() && entry.second.moved; });
  }

  bool any_altered() const {
    return std::any_of(rolled_.lanes.begin(), rolled_.lanes.end(),
                       [](const auto& entry) { return entry.second.altered; });
  }

  /// A host that was brought back is as somebody has approved it, as one that was brought on.
  bool all_ended_well(Others others) const {
    return std::all_of(rolled_stage_->lanes.begin(), rolled_stage_->lanes.end(), [&](const auto& lane) {
      const auto rolled = rolled_.lanes.find(lane.host);
      if (rolled == rolled_.lanes.end()) return false;
      const auto state = others == Others::heeded
                             ? rolled->second.state
                             : rolled->second.but_for_others.value_or(rolled->second.state);
      return state == event::HostState::done || state == event::HostState::reverted ||
             state == event::HostState::restored;
    });
  }

  /// What is made ready on the hosts in front of a roll is not live: a checkout, what looks at them.
  bool only_stages(const plan::Stage& stage) const {
    const bool side_by_side =
        stage.shape == plan::Stage::Shape::gather || stage.shape == plan::Stage::Shape::parallel;
    return side_by_side && rolled_stage_ == nullptr && has_rolling();
  }

  /// Over the whole rollout: what earlier runs had brought to the release is on it, whatever becomes of this.
  /// A recovery is no rollout, and says by itself how versions stand once it is over.
  bool mixed_versions() const {
    const std::size_t earlier = plan_.kind == "recover" ? 0 : brought_along_.size();
    if (rolled_stage_ == nullptr) return earlier > 0;
    std::size_t altered = earlier;
    for (const auto& [host, lane] : rolled_.lanes) altered += lane.altered ? 1 : 0;
    return altered > 0 && altered < rolled_stage_->lanes.size() + earlier;
  }

  /// The run's hosts are listed; those of earlier runs nobody would think of.
  void tell_mixed() {
    if (brought_along_.empty() || (!failure_ && !interrupted_) || !mixed_versions()) return;
    const std::vector<std::string> hosts(brought_along_.begin(), brought_along_.end());
    bus_.send(event::Message{
        event::Level::warning, "",
        fmt::format("versions are mixed: {} {} on {} since an earlier run of this rollout",
                    base::fold_names(hosts), hosts.size() == 1 ? "is" : "are", plan_.release)});
  }

  /// What did not come back as it should is told as the balancers have it: one that serves on all of them
  /// after all is not out, though it is not as it was meant either.
  void tell_reach(event::RunFinished& finished) {
    std::set<std::string> out;
    for (const auto& host : finished.hosts)
      if (host.state == event::HostState::out) out.insert(host.name);
    if (out.empty()) return;
    const auto reach = context_.effects.reach(out, base::Scope::lasting(look_patience));
    for (auto& host : finished.hosts) {
      const auto known = reach.find(host.name);
      if (known == reach.end()) continue;
      host.reach = known->second.text();
      if (known->second.everywhere()) host.state = event::HostState::failed;
    }
  }

  int exit_code_of(Verdict verdict) const {
    switch (verdict) {
      case Verdict::done:
        return event::exit_done;
      case Verdict::failed:
        return event::exit_failed;
      case Verdict::refused:
        return event::exit_refused;
      case Verdict::needs_person:
        return event::exit_needs_person;
      case Verdict::interrupted:
        break;
    }
    return context_.stops.exit_code;
  }

  RunResult finish() {
    if (context_.stops.soft.requested() && failure_ && failure_->result.outcome == event::Outcome::cancelled)
      interrupted_ = true;
    RunResult result;
    result.verdict = judge(Others::heeded);
    auto& finished = result.finished;
    finished.exit_code = exit_code_of(result.verdict);
    finished.verdict = text_of(result.verdict);
    if (const auto other = judge(Others::overlooked); other != result.verdict)
      finished.but_for_others = exit_code_of(other);
    if (failure_) {
      finished.failed_action = failure_->title.empty() ? failure_->action_id : failure_->title;
      finished.failed_host = failure_->host;
      finished.failed_kind = failure_->kind;
      finished.wrong_servers = failure_->result.wrong_servers;
      finished.failure = failure_->result.detail;
      // What it was abandoned in looks like a failure of its own.
      if (context_.stops.hard.requested())
        finished.failure = "interrupted a second time, and abandoned: " + finished.failure;
      if (findings_ > 1)
        finished.failure += fmt::format(" (and {} more, above)", base::count_text(findings_ - 1, "finding"));
      if (const auto others = failed_hosts_.size() - failed_hosts_.count(failure_->host); others > 0)
        finished.failure += fmt::format(" (and at {} more, above)", base::count_text(others, "host"));
    }
    for (const auto& host : plan::target_hosts(plan_)) {
      const auto known = states_.find(host);
      if (known == states_.end())
        finished.hosts.push_back({host, event::HostState::untouched, ""});
      else
        finished.hosts.push_back({host,
                                  known->second.state,
                                  known->second.detail,
                                  {},
                                  known->second.altered,
                                  known->second.kept_out});
    }
    tell_reach(finished);
    tell_mixed();
    if (result.verdict != Verdict::done) finished.stays = stays_;
    if (late_) finished.deadline = plan_.strategy.deadline;
    finished.duration = std::chrono::duration_cast<base::Duration>(Clock::now() - started_);
    if (options_.advise) finished.next = options_.advise(finished, untidied_);
    if (options_.judge) options_.judge(finished);
    bus_.send(finished);
    return result;
  }

  struct Known {
    event::HostState state = event::HostState::untouched;
    std::string detail;
    bool altered = false;
    std::optional<event::HostState> kept_out;
  };

  const plan::Plan& plan_;
  const RunOptions& options_;
  Bus bus_;
  RunClock clock_;
  Context context_;
  Clock::time_point started_;
  std::optional<Failure> failure_;
  bool changed_ = false;                ///< something that is live, or that a once-step is for
  std::vector<std::string> stays_;      ///< once-stages that did something
  std::size_t findings_ = 0;            ///< of the stage that looks before anything is changed
  std::set<std::string> failed_hosts_;  ///< of the rolling stage
  const plan::Stage* rolled_stage_ = nullptr;
  StageResult rolled_;
  std::map<std::string, Known> states_;
  std::set<std::string> brought_along_;  ///< by earlier runs of the rollout; only tidied up here
  std::vector<std::string> untidied_;    ///< of them
  bool begun_ = false;
  bool refused_ = false;
  bool interrupted_ = false;
  bool late_ = false;
  bool left_unapproved_ = false;  // the roll as a whole was refused: what is still altered, nobody approves
};

}  // namespace

std::string Reach::text() const {
  std::string text;
  const auto add = [&](const std::vector<std::string>& balancers, std::string_view before,
                       std::string_view after) {
    if (balancers.empty()) return;
    if (!text.empty()) text += "; ";
    text.append(before).append(base::join(balancers, ", ")).append(after);
  };
  add(out, "NOT serving on ", "");
  add(serving, "serving on ", "");
  add(unknown, "", unknown.size() == 1 ? " does not answer" : " do not answer");
  return text;
}

RunResult run(const plan::Plan& plan, const RunOptions& options, Effects& effects, Journal& journal,
              event::EventSink& sink, const Stops& stops) {
  return Run(plan, options, effects, journal, sink, stops).run();
}

}  // namespace staithe::exec
