#include "each_run.hpp"
#include "finds.hpp"

#include "staithe/event/event.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"
#include "staithe/world/survey.hpp"

#include <map>
#include <set>
#include <utility>

namespace staithe::world {
namespace {

/// What the runs say of each host, from the newest on.
class Search {
 public:
  Search(store::Store& store, const std::vector<std::string>& hosts)
      : store_(store), pending_(hosts.begin(), hosts.end()) {}

  /// False once all is known.
  bool read(const store::Run& run) {
    Finds finds(store_, run.id);
    const auto states = host_states(run);
    const auto kept_out = kept_out_by_others(run);
    std::erase_if(pending_, [&](const std::string& host) {
      if (!run.ended) return read_open(run, host, finds);
      const auto state = states.find(host);
      if (state == states.end()) return false;
      const bool out = state->second == event::name_of(event::HostState::out) && kept_out.count(host) == 0;
      return read_ended(run, host, state->second, out, finds);
    });
    return !pending_.empty();
  }

  std::map<std::string, TakenOut> take() { return std::move(taken_); }

 private:
  static TakenOut taken_by(const store::Run& run, std::string found) {
    return {run.id, run.user, run.title, run.started, false, false, std::move(found)};
  }

  /// These return true where nothing older matters.
  bool read_open(const store::Run& run, const std::string& host, Finds& finds) {
    auto found = finds.of(host);
    if (found.empty()) return false;
    auto taken = taken_by(run, std::move(found));
    taken.in_hand = run.owner == store::Owner::running;
    taken.open = true;
    taken_[host] = std::move(taken);
    return true;
  }

  /// `out`: the run left it so, and not somebody else.
  bool read_ended(const store::Run& run, const std::string& host, const std::string& state, bool out,
                  Finds& finds) {
    // What keeps visitors away after a person put it right is not this run's.
    if (run.outcome == settled_outcome && out) return false;
    if (run.kind == "restore") return read_restore(run, host, out);
    const bool on_purpose = run.kind == "drain" && state == event::name_of(event::HostState::done);
    if (on_purpose || out) {
      auto taken = taken_by(run, finds.of(host));
      taken.on_purpose = on_purpose;
      // A drain of what is out already changes nothing: who took it out is further back, if it was one of us.
      const bool changed = !on_purpose || !was_out(taken.found);
      // A restore that failed is what a drain is left by, and what somebody has to come for.
      if (!on_purpose || not_given_back_.count(host) == 0) taken_[host] = std::move(taken);
      return changed;
    }
    // A run that took the host out of nothing, such as a task without a drain, gave nothing back. One that
    // found it in service gave it back so: what keeps visitors away now is not ours.
    return finds.in_service(host);
  }

  /// One that failed left what an earlier run had taken out: it counts only where no run had left the host.
  bool read_restore(const store::Run& run, const std::string& host, bool out) {
    if (!out) return true;
    if (not_given_back_.insert(host).second) taken_[host] = taken_by(run, {});
    return false;
  }

  store::Store& store_;
  std::set<std::string> pending_, not_given_back_;
  std::map<std::string, TakenOut> taken_;
};

}  // namespace

std::map<std::string, TakenOut> taken_out(store::Store& store, const std::string& environment,
                                          const std::vector<std::string>& hosts) {
  if (hosts.empty()) return {};
  Search search(store, hosts);
  each_run(store, of_environment(environment), [&](const store::Run& run) { return search.read(run); });
  return search.take();
}

}  // namespace staithe::world
