#pragma once
#include "staithe/base/error.hpp"
#include "staithe/exec/runner.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

/// Fakes for exec: they record what they were asked to do and fail where a test says.
namespace staithe::test {

/// Knows actions by the script of their RunRemote: "web1 activate".
class FakeEffects final : public exec::Effects {
 public:
  exec::EffectResult perform(const plan::Effect& effect, exec::Performance& performance) override {
    const auto* run = std::get_if<plan::RunRemote>(&effect);
    const std::string name = run != nullptr ? run->script : plan::kind_of(effect);
    {
      const std::lock_guard lock(mutex_);
      performed_.push_back(name);
    }
    if (on_perform) on_perform(name, performance);
    if (performance.scope.cancelled()) return {event::Outcome::cancelled, "stopped", {}, {}, {}, false};
    const std::lock_guard lock(mutex_);
    if (const auto left = fails_.find(name); left != fails_.end() && left->second > 0) {
      --left->second;
      exec::EffectResult result{event::Outcome::failed, "told to fail", 1, {}, {}, true};
      result.own_fault = own_fault;
      return result;
    }
    if (const auto left = away_.find(name); left != away_.end() && left->second > 0) {
      --left->second;
      return {event::Outcome::unreachable, "connection refused", {}, {}, {}, true};
    }
    if (const auto left = unsent_.find(name); left != unsent_.end() && --left->second >= 0) {
      exec::EffectResult result{event::Outcome::unreachable, "connection refused", {}, {}, {}, true};
      result.nothing_done = true;
      return result;
    }
    if (refuses_.count(name) > 0) return {event::Outcome::refused, "told to refuse", {}, {}, {}, false};
    exec::EffectResult result;
    if (run != nullptr && !run->capture.empty()) result.captured = "value of " + run->capture;
    if (const auto why = kept_out.find(name); why != kept_out.end()) result.kept_out = why->second;
    return result;
  }
  void done_with(const std::string& host) noexcept override {
    const std::lock_guard lock(mutex_);
    closed_.insert(host);
  }

  std::map<std::string, exec::Reach> reach(const std::set<std::string>& hosts,
                                           const base::Scope&) noexcept override {
    std::map<std::string, exec::Reach> known;
    for (const auto& host : hosts)
      if (const auto said = reaches.find(host); said != reaches.end()) known.insert(*said);
    return known;
  }

  std::string unmet() noexcept override { return nobody_came; }

  void fail(const std::string& name, int times = 1'000'000) { fails_[name] = times; }
  /// The host does not answer the first `times` attempts.
  void lose(const std::string& name, int times) { away_[name] = times; }
  /// The same, and it is sure that nothing was sent to it.
  void lose_unsent(const std::string& name, int times = 1'000'000) { unsent_[name] = times; }
  void refuse(const std::string& name) { refuses_.insert(name); }
  std::vector<std::string> performed() const {
    const std::lock_guard lock(mutex_);
    return performed_;
  }
  bool did(const std::string& name) const {
    const auto all = performed();
    return std::find(all.begin(), all.end(), name) != all.end();
  }
  /// Position of the last performance of `name`, -1 for never.
  long last(const std::string& name) const {
    const auto all = performed();
    const auto found = std::find(all.rbegin(), all.rend(), name);
    return found == all.rend() ? -1 : static_cast<long>(all.rend() - found) - 1;
  }
  std::set<std::string> closed() const { return closed_; }

  std::function<void(const std::string&, exec::Performance&)> on_perform;
  bool own_fault = false;                       ///< what is told to fail is this machine's fault
  std::string nobody_came;                      ///< why no visitor has met the release
  std::map<std::string, std::string> kept_out;  ///< why visitors do not meet the host once this is done
  std::map<std::string, exec::Reach> reaches;   ///< what the balancers say of hosts; of others nothing

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> performed_;
  std::map<std::string, int> fails_;
  std::map<std::string, int> away_;
  std::map<std::string, int> unsent_;
  std::set<std::string> refuses_;
  std::set<std::string> closed_;
};

class FakeJournal final : public exec::Journal {
 public:
  void intent(const std::string&, const std::string& action_id) override { add("intent " + action_id); }
  void note(const std::string&, const std::string& action_id, const std::string& key,
            const std::string&) override {
    add("note " + action_id + " " + key);
  }
  void outcome(const std::string&, const std::string& action_id, const exec::EffectResult& result) override {
    add("outcome " + action_id + " " + event::name_of(result.outcome));
  }
  void not_begun(const std::string&, const std::string& action_id,
                 const exec::EffectResult& result) override {
    add("not begun " + action_id + " " + event::name_of(result.outcome));
  }

  std::vector<std::string> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  /// Told every record once it is written.
  std::function<void(const std::string&)> on_record;
  /// From this record on the disk is full.
  std::size_t full_after = 1'000'000;

 private:
  void add(std::string record) {
    const std::lock_guard lock(mutex_);
    if (records_.size() >= full_after) throw base::Error(base::ErrorCode::io, "no space left on device");
    if (on_record) on_record(record);
    records_.push_back(std::move(record));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> records_;
};

class EventLog final : public event::EventSink {
 public:
  void on_event(const event::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  std::vector<event::Event> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<event::Event> events_;
};

inline plan::Action action(const std::string& id, const std::string& name, bool alters = false) {
  plan::Action made;
  made.id = id;
  made.step = "run";
  made.title = name;
  plan::RunRemote run;
  run.host = name.substr(0, name.find(' '));
  run.script = name;
  made.effect = run;
  made.alters_service = alters;
  made.retry_every = base::Duration(1);
  return made;
}

/// drain → activate, reload, health → restore on each host, as a deploy has it.
inline plan::Lane deploy_lane(const std::string& host, plan::Bracket::OnFailure on_failure) {
  const auto make = [&](const std::string& name, bool alters = false) {
    return action("roll/" + host + "/" + name, host + " " + name, alters);
  };
  plan::Bracket bracket;
  bracket.name = "rotation";
  bracket.acquire = {make("drain"), make("calm")};
  bracket.undo = {make("undo")};
  bracket.body = {make("prepare"), make("activate", true), make("reload", true), make("health")};
  bracket.repair = {make("back", true), make("reload-back", true), make("health-back")};
  bracket.release = {make("prove"), make("ready")};
  bracket.on_failure = on_failure;
  plan::Bracket revert = bracket;
  for (auto* part : {&revert.acquire, &revert.undo, &revert.release})
    for (auto& each : *part) {
      each.id = "revert/" + each.id;
      std::get<plan::RunRemote>(each.effect).script += " (revert)";
    }
  revert.body = {make("revert-back", true), make("revert-reload", true)};
  revert.repair.clear();
  revert.on_failure = plan::Bracket::OnFailure::keep;
  plan::Lane lane;
  lane.host = host;
  lane.nodes = {bracket, make("check")};
  lane.revert = {revert};
  return lane;
}

inline plan::Plan deploy_plan(std::size_t hosts, plan::Strategy strategy) {
  plan::Plan plan;
  plan.kind = "deploy";
  plan.title = "deploy test";
  plan.strategy = strategy;
  plan.open = {action("open/1", "lock")};
  plan.close = {action("close/1", "unlock")};
  plan::Stage stage;
  stage.name = "stage";
  stage.shape = plan::Stage::Shape::parallel;
  plan::Stage roll;
  roll.name = "roll";
  roll.shape = plan::Stage::Shape::rolling;
  plan::Stage after;
  after.name = "after";
  after.lanes = {{"", {action("after/1", "after")}, {}}};
  const auto on_failure = strategy.on_failure == plan::Strategy::OnFailure::stop
                              ? plan::Bracket::OnFailure::keep
                              : plan::Bracket::OnFailure::repair;
  for (std::size_t i = 1; i <= hosts; ++i) {
    const auto host = "web" + std::to_string(i);
    plan.hosts[host].name = host;
    stage.lanes.push_back({host, {action("stage/" + host, host + " checkout")}, {}});
    roll.lanes.push_back(deploy_lane(host, on_failure));
  }
  plan.stages = {stage, roll, after};
  return plan;
}

inline event::HostState state_of(const exec::RunResult& result, const std::string& host) {
  for (const auto& known : result.finished.hosts)
    if (known.name == host) return known.state;
  return event::HostState::untouched;
}

}  // namespace staithe::test
