#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"
#include "staithe/world/survey.hpp"

#include <algorithm>

namespace staithe::world {
namespace {

constexpr std::size_t runs_to_read = 200;

/// What the run wrote down of the host before it drained it, the first time; "" when it did not come to that.
std::string found_by(store::Store& store, const std::string& run_id, const std::string& host) {
  for (const auto& record : store.journal(run_id)) {
    if (record.host != host) continue;
    if (auto found = noted(record, found_key); !found.empty()) return found;
  }
  return {};
}

/// "" when the run did not come to the host.
std::string state_after(const store::Run& run, const std::string& host) {
  const auto states = host_states(run);
  const auto found = states.find(host);
  return found == states.end() ? std::string() : found->second;
}

std::optional<TakenOut> newest(store::Store& store, const std::vector<store::Run>& runs,
                               const std::string& host) {
  std::vector<std::string> gave_back;  // what later runs had found, which gave the host back so
  for (const auto& run : runs) {
    if (run.kind == "exec") continue;
    TakenOut taken{run.id, run.user, run.title, run.started, false, false};
    if (!run.ended) {
      if (found_by(store, run.id, host).empty()) continue;
      taken.in_hand = run.owner == store::Owner::running;
      return taken;
    }
    const auto state = state_after(run, host);
    if (state.empty()) continue;
    // What keeps visitors away after a person put it right is not this run's.
    if (run.outcome == settled_outcome && state == event::name_of(event::HostState::out)) continue;
    taken.on_purpose = run.kind == "drain" && state == event::name_of(event::HostState::done);
    if (taken.on_purpose || state == event::name_of(event::HostState::out)) {
      // Where one of them found the host in service, what keeps visitors away now is not ours.
      const bool still = std::all_of(gave_back.begin(), gave_back.end(), was_out);
      return still ? std::optional(taken) : std::nullopt;
    }
    if (run.kind == "restore") return std::nullopt;
    // A run that took the host out of nothing, such as a task without a drain, gave nothing back.
    if (auto found = found_by(store, run.id, host); !found.empty()) gave_back.push_back(std::move(found));
  }
  return std::nullopt;
}

}  // namespace

std::map<std::string, TakenOut> taken_out(store::Store& store, const std::string& environment,
                                          const std::vector<std::string>& hosts) {
  if (hosts.empty()) return {};  // 200 runs, with their plans, would be read for nothing
  store::HistoryFilter filter;
  filter.environment = environment;
  const auto runs = store.history(filter, runs_to_read);
  std::map<std::string, TakenOut> taken;
  for (const auto& host : hosts)
    if (auto found = newest(store, runs, host)) taken.emplace(host, std::move(*found));
  return taken;
}

}  // namespace staithe::world
