#include "staithe/world/faults.hpp"

#include "recovery_parts.hpp"

#include "staithe/base/error.hpp"
#include "staithe/event/event.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace staithe::world {
namespace {

/// Where a run's own journal, and those of its recoveries, have its hosts.
class Stand {
 public:
  Stand(store::Store& store, const std::string& run_id) {
    const auto run = store.run(run_id);
    const auto plan = run ? plan_of(*run) : std::nullopt;
    if (!plan) return;
    try {
      for (const auto& host : assess(*plan, read_journal(store, run_id), recoveries_of(store, *run)))
        hosts_[host.host] = host.left;
      readable_ = true;
    } catch (const base::Error& error) {
      if (error.code() != base::ErrorCode::conflict) throw;  // a recovery whose plan cannot be read
    }
  }

  /// "" where the host runs what it did before the run: its lane failed and had changed nothing.
  std::string words(const std::string& host) const {
    if (!readable_) return "not as it was meant";
    const auto known = hosts_.find(host);
    const bool as_before =
        known == hosts_.end() || known->second == Left::untouched || known->second == Left::reverted;
    if (as_before) return "";
    // What failed is not out of rotation, whatever the journal has last: the balancers or somebody let it in.
    const std::string words(text_of(known->second));
    constexpr std::string_view out = "out of ";
    return words.starts_with(out) ? "in " + words.substr(out.size()) : words;
  }

 private:
  bool readable_ = false;
  std::map<std::string, Left> hosts_;
};

/// What a person settled is theirs to have judged.
bool found_fault(store::Store& store, const store::Run& run) {
  if (!run.ended || run.exit_code == event::exit_done) return false;
  const auto plan = plan_of(run);
  return plan && parts::release_failed(*plan, read_journal(store, run.id));
}

}  // namespace

std::map<std::string, LeftFailed> left_failed(store::Store& store, const std::string& environment) {
  std::map<std::string, LeftFailed> failed;
  std::map<std::string, Stand> stands;  // each run is read once, whatever it left
  each_left(store, environment, [&](const store::Run& run, const std::string& host, std::string_view state) {
    if (state != event::name_of(event::HostState::failed) || failed.count(host) > 0) return;
    const auto& stand = stands.try_emplace(run.id, store, run.id).first->second;
    if (auto words = stand.words(host); !words.empty())
      failed.emplace(host, LeftFailed{run, std::move(words)});
  });
  return failed;
}

std::optional<Unjudged> unjudged(store::Store& store, const store::Run& run) {
  const bool ended_well = run.exit_code == event::exit_done && run.outcome != recovered_outcome;
  if (!run.ended || ended_well || run.outcome == settled_outcome) return std::nullopt;
  // One that left every host as it was has brought nothing that could be judged.
  const auto states = host_states(run);
  const bool brought = std::any_of(states.begin(), states.end(), [](const auto& host) {
    return host.second == event::name_of(event::HostState::done) ||
           host.second == event::name_of(event::HostState::failed) ||
           host.second == event::name_of(event::HostState::out);
  });
  const auto plan = brought ? plan_of(run) : std::nullopt;
  if (!plan) return std::nullopt;
  const auto journal = read_journal(store, run.id);
  const auto [stage, action] = first_unjudged(*plan, journal);
  if (action == nullptr) return std::nullopt;
  return Unjudged{run, fmt::format("'{}' under '{}' {}", action->title, stage->name,
                                   journal.begun(action->id) ? "did not end well" : "was not begun")};
}

std::vector<Unjudged> unjudged_tasks(store::Store& store, const std::string& environment) {
  std::vector<Unjudged> tasks;
  std::set<std::string> seen;
  each_left(store, environment, [&](const store::Run& run, const std::string&, std::string_view state) {
    if (run.kind != "run" || state != event::name_of(event::HostState::done)) return;
    if (!seen.insert(run.id).second) return;
    const auto whole = store.run(run.id);
    if (auto found = whole ? unjudged(store, *whole) : std::nullopt) tasks.push_back(std::move(*found));
  });
  return tasks;
}

std::map<std::string, std::string> bad_releases(store::Store& store, const std::string& environment,
                                                const std::string& service,
                                                const std::optional<store::Run>& newest) {
  std::map<std::string, std::string> bad;
  for (const auto& release : store.releases(environment, service))
    if (release.state == store::ReleaseState::bad) bad.emplace(release.id, release.run_id);
  if (newest && !newest->release.empty() && found_fault(store, *newest))
    bad.emplace(newest->release, newest->id);
  return bad;
}

bool is_bad_by(store::Store& store, const plan::Plan& plan, const std::string& run_id) {
  if (plan.release.empty()) return false;
  const auto known = store.releases(plan.environment, plan.service);
  return parts::release_failed(plan, read_journal(store, run_id)) ||
         std::any_of(known.begin(), known.end(), [&](const store::Release& release) {
           return release.id == plan.release && release.state == store::ReleaseState::bad;
         });
}

}  // namespace staithe::world
