#include "each_run.hpp"

#include "staithe/event/event.hpp"
#include "staithe/world/past_runs.hpp"

#include <map>

namespace staithe::world {
namespace {

constexpr std::size_t runs_of_a_rollout = 200;

using States = std::map<std::string, std::string>;

bool is(const std::string& state, event::HostState known) {
  return state == event::name_of(known);
}

/// How far deploys of a commit have come; runs are told to it newest first. On a host that a run of another
/// commit came to, the rollout has ended: what older runs had meant for it is nobody's wish any more.
class Rollout {
 public:
  explicit Rollout(const plan::Plan& plan) : sha_(plan.sha) {}

  void read(const std::string& kind, const std::string& sha, const States& states) {
    const bool recovery = kind == "recover";
    for (const auto& [host, state] : states) {
      if (ended_.count(host) > 0) continue;
      if (kind == "deploy" && sha == sha_) meant_.insert(host);
      // Untouched, or given back as it was.
      if (state.empty() || is(state, event::HostState::untouched) || is(state, event::HostState::restored))
        continue;
      if (sha == sha_)
        on_release_.emplace(host, is(state, event::HostState::done) && !recovery);
      else if (!is(state, event::HostState::reverted) || recovery)
        ended_.insert(host);
    }
  }

  bool has(const std::string& host) const { return meant_.count(host) > 0; }
  bool is_there(const std::string& host) const {
    const auto known = on_release_.find(host);
    return known != on_release_.end() && known->second;
  }
  std::vector<std::string> left() const {
    std::vector<std::string> hosts;
    for (const auto& host : meant_)
      if (!is_there(host)) hosts.push_back(host);
    return hosts;
  }

 private:
  const std::string sha_;
  std::set<std::string> meant_, ended_;
  std::map<std::string, bool> on_release_;  ///< by the newest run that came to the host
};

/// Where a run failed before it had altered anything, its commit did not come to the host.
States states_of(const store::Run& run) {
  auto states = named_hosts(run);
  for (const auto& host : left_as_they_were(run)) states[host] = event::name_of(event::HostState::reverted);
  return states;
}

void read_history(store::Store& store, const plan::Plan& plan, Rollout& rollout) {
  auto filter = of_environment(plan.environment);
  filter.service = plan.service;
  for (const auto& run : store.history(filter, runs_of_a_rollout)) {
    const bool recovery = run.kind == "recover";
    if (!run.ended || (run.kind != "deploy" && run.kind != "rollback" && !recovery)) continue;
    // Its hosts are told by the run that it was for.
    if (recovery && has_concluded(run)) continue;
    rollout.read(run.kind, run.sha, states_of(run));
  }
}

/// Of the rollout's hosts, those of the plan.
struct Halves {
  std::vector<std::string> there, left;
};

Halves halves_of(store::Store& store, const plan::Plan& plan) {
  Rollout rollout(plan);
  read_history(store, plan, rollout);
  Halves halves;
  for (const auto& host : plan::target_hosts(plan))
    if (rollout.has(host)) (rollout.is_there(host) ? halves.there : halves.left).push_back(host);
  return halves;
}

}  // namespace

std::optional<std::vector<std::string>> left_behind(store::Store& store, const plan::Plan& plan) {
  auto halves = halves_of(store, plan);
  if (halves.there.empty() && halves.left.empty()) return std::nullopt;
  return std::move(halves.left);
}

std::vector<std::string> brought_along(store::Store& store, const plan::Plan& plan) {
  return halves_of(store, plan).there;
}

std::vector<std::string> left_of_rollout(store::Store& store, const plan::Plan& plan,
                                         const event::RunFinished* ending) {
  Rollout rollout(plan);
  if (ending != nullptr) {
    States states;
    for (const auto& host : ending->hosts) states[host.name] = event::name_of(host.state);
    rollout.read(plan.kind, plan.sha, states);
  }
  read_history(store, plan, rollout);
  return rollout.left();
}

}  // namespace staithe::world
