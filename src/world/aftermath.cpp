#include "staithe/world/aftermath.hpp"

#include "recovery_parts.hpp"

#include "staithe/event/event.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/world/past_runs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace staithe::world {
namespace {

bool half_changed(Left left) {
  return left == Left::out_altered || left == Left::altered;
}

/// Hosts that an earlier recovery of the run found let in as they were, each with the number of recoveries
/// that there were before it.
std::map<std::string, std::size_t> found_given_back(const store::Run& run) {
  std::map<std::string, std::size_t> known;
  if (run.summary_json.find(given_back_key) == std::string::npos) return known;
  const auto summary = nlohmann::json::parse(run.summary_json, nullptr, false);
  for (const auto& [host, state] : named_hosts(run))
    if (const auto told = summary["hosts"][host].find(given_back_key);
        told != summary["hosts"][host].end() && told->is_number_unsigned())
      known[host] = told->get<std::size_t>();
  return known;
}

/// What stands behind the restore: whether the recovery took the host out again.
bool took_out(const LaterRecovery& recovery, const std::string& host) {
  for (const auto& stage : recovery.plan.stages)
    if (stage.shape == plan::Stage::Shape::rolling)
      for (const auto& lane : stage.lanes)
        if (lane.host == host && rotation_left(lane, recovery.journal) != RotationLeft::untouched)
          return true;
  return false;
}

bool any_took_out(const std::vector<LaterRecovery>& recoveries, std::size_t behind, const std::string& host) {
  return std::any_of(recoveries.begin() + static_cast<std::ptrdiff_t>(std::min(behind, recoveries.size())),
                     recoveries.end(), [&](const auto& recovery) { return took_out(recovery, host); });
}

std::string state_in(const std::map<std::string, std::string>& states, const std::string& host) {
  const auto known = states.find(host);
  return known == states.end() ? std::string() : known->second;
}

}  // namespace

bool Aftermath::unjudged() const noexcept {
  return std::any_of(hosts.begin(), hosts.end(), [](const HostSince& host) {
    return host.seen_to == SeenTo::given_back || host.seen_to == SeenTo::unknown || host.left.given_back;
  });
}

Left once_let_in(Left left) noexcept {
  switch (left) {
    case Left::done:
    case Left::out_done:
    case Left::out_new:
    case Left::condemned:
      return Left::done;
    case Left::untouched:
    case Left::out_unaltered:
      return Left::untouched;
    default:
      return Left::reverted;
  }
}

SeenTo seen_to(const store::Run& run, Left left, const Later& later) {
  const bool done = later.state == event::name_of(event::HostState::done);
  const bool reverted = later.state == event::name_of(event::HostState::reverted);
  if (later.run.outcome == settled_outcome && !done && !reverted) return SeenTo::vouched;
  const bool brings = later.run.kind == "deploy" || later.run.kind == "rollback" || later.is_same;
  if (brings && done) return later.run.sha == run.sha ? SeenTo::brought : SeenTo::replaced;
  return half_changed(left) ? SeenTo::unknown : SeenTo::given_back;
}

Aftermath aftermath_of(store::Store& store, const store::Run& run, const plan::Plan& plan) {
  Aftermath aftermath;
  const auto since = put_right_since(store, run);
  const auto recoveries = recoveries_of(store, run);
  const auto given_back = found_given_back(run);
  const auto states = named_hosts(run);
  aftermath.recoveries = recoveries.size();
  for (auto& left : assess(plan, read_journal(store, run.id), recoveries)) {
    HostSince host;
    host.state = state_in(states, left.host);
    if (const auto later = since.find(left.host); later != since.end()) host.by = later->second;
    if (const auto by = host.by.empty() ? std::nullopt : store.run(host.by)) {
      host.seen_to = seen_to(run, left.left,
                             {*by, state_in(named_hosts(*by), left.host), is_same_task(store, *by, run)});
      const bool is_same = !run.sha.empty() && by->sha == run.sha;
      aftermath.went_on = aftermath.went_on || (is_same && by->exit_code == event::exit_done);
    } else if (const auto known = given_back.find(left.host);
               known != given_back.end() && !any_took_out(recoveries, known->second, left.host)) {
      left.given_back = half_changed(left.left);
      if (!left.given_back) host.seen_to = SeenTo::given_back;
    }
    host.left = std::move(left);
    aftermath.hosts.push_back(std::move(host));
  }
  return aftermath;
}

std::vector<HostLeft> to_mend(const Aftermath& aftermath) {
  std::vector<HostLeft> left;
  for (const auto& host : aftermath.hosts) {
    if (host.seen_to != SeenTo::no && host.seen_to != SeenTo::given_back) continue;
    left.push_back(host.left);
    if (host.seen_to == SeenTo::given_back) left.back().left = once_let_in(host.left.left);
  }
  // No release is good for what was never looked at.
  if (aftermath.unjudged())
    for (auto& host : left) host.to_clean = false;
  return left;
}

}  // namespace staithe::world
