#include "each_run.hpp"
#include "finds.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/event/event.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/world/journal.hpp"
#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <utility>

/// What runs left to a person, and whether later ones have put that right.
namespace staithe::world {
namespace {

/// A host is in order again where a run did all it meant to, or brought the release before back.
bool in_order(const std::string& state) {
  return state == event::name_of(event::HostState::done) ||
         state == event::name_of(event::HostState::reverted);
}

/// As event::name_of() has it.
constexpr std::string_view out = "out";

/// A person vouched for what the run left out or half changed.
bool put_right_by_hand(const store::Run& run, const std::string& state) {
  return run.outcome == settled_outcome &&
         (state == out || state == event::name_of(event::HostState::failed));
}

/// How a run has left a host.
struct LeftAs {
  std::string_view state;          ///< as host_states() has it; "" when it did not come to the host
  const store::Run* by = nullptr;  ///< null where any would do
};

/// Of a run's plan, which only Store::run has; "" where this build cannot read it.
std::string source_of(store::Store& store, const std::string& run_id) {
  const auto run = store.run(run_id);
  const auto plan = run ? plan_of(*run) : std::nullopt;
  return plan ? plan->source : std::string();
}

/// The values that a person gave it. Whatever else was asked, such as how many at once, makes no other task.
nlohmann::json values_of(store::Store& store, const std::string& run_id) {
  const auto asked = nlohmann::json::parse(asked_for(store, run_id), nullptr, false);
  using Texts = std::vector<std::string>;
  if (!asked.is_object()) return nlohmann::json::array();
  std::map<std::string, std::string> vars;  // the last one of a name counts
  for (const auto& one : asked.value("vars", Texts())) vars[one.substr(0, one.find('='))] = one;
  return nlohmann::json::array({vars, asked.value("var_files", Texts())});
}

/// Whether a run that ended with the host in `state` has put right what an earlier one had left as `left`.
/// One that is out is right only where it was given back: a drain keeps visitors away, and a task that takes
/// nothing out gives nothing back. One that serves half changed, or what the run found fault with, waits for
/// a release that comes to it as a whole: a restore changes nothing there, and a revert brings back just
/// that. What a task left so, the same task puts right where it goes well.
bool puts_right(store::Store& store, const store::Run& run, const std::string& host, const std::string& state,
                const LeftAs& left, Finds& finds) {
  if (put_right_by_hand(run, state)) return true;
  if (!in_order(state) || run.kind == "drain") return false;
  if (run.kind == "restore") return left.state == out;
  if (left.state == out) return finds.in_service(host);
  const bool is_others = left.by != nullptr && run.service != left.by->service;
  if (is_others || state != event::name_of(event::HostState::done)) return false;
  if (run.kind == "deploy" || run.kind == "rollback") return true;
  return left.by != nullptr && is_same_task(store, run, *left.by);
}

/// Runs that ended, told of from the newest on.
class LaterRuns {
 public:
  explicit LaterRuns(store::Store& store) : store_(store) {}

  /// False for one that puts nothing right.
  bool add(const store::Run& run) {
    if (!takes_hosts(run) || !run.ended) return false;
    runs_.push_back({run, host_states(run), Finds(store_, run.id)});
    runs_.back().run.summary_json.clear();
    return true;
  }

  /// Whether the run that was added last has put the host right, had it been out.
  bool oldest_gave_back(const std::string& host) { return puts_right(runs_.back(), host, {out}); }

  /// The newest that has put the host right, which an earlier run had left as `left`; "" for none.
  std::string that_put_right(const std::string& host, const LeftAs& left) {
    for (auto& later : runs_)
      if (puts_right(later, host, left)) return later.run.id;
    return {};
  }

  std::set<std::string> hosts() const {
    std::set<std::string> hosts;
    for (const auto& later : runs_)
      for (const auto& [host, state] : later.states) hosts.insert(host);
    return hosts;
  }

 private:
  struct Later {
    store::Run run;
    std::map<std::string, std::string> states;
    Finds finds;
  };

  bool puts_right(Later& later, const std::string& host, const LeftAs& left) {
    const auto state = later.states.find(host);
    return state != later.states.end() &&
           world::puts_right(store_, later.run, host, state->second, left, later.finds);
  }

  store::Store& store_;
  std::vector<Later> runs_;
};

/// A host as a run has left it to a person.
struct Leaving {
  store::Run run;
  std::string host, state;
};

/// Hosts that runs which ended have left to a person and that nothing since has put right, from the newest
/// run on. What a restore did not bring back is that of the run which had left it out; only where there is
/// none is it the restore's own, and told last.
class Leavings {
 public:
  explicit Leavings(store::Store& store) : store_(store), later_(store) {}

  /// Until `visit` returns false. With `only` these hosts alone, until it is empty: those that a run gave
  /// back are taken off it, and `visit` takes off those that it need not hear of any more.
  void each(const std::string& environment, std::set<std::string>* only,
            const std::function<bool(const Leaving&)>& visit) {
    bool more = true;
    each_run(store_, of_environment(environment), [&](const store::Run& run) {
      if (takes_hosts(run) && run.exit_code == event::exit_needs_person && run.outcome != recovered_outcome &&
          !is_only_kept_out(run))
        for (const auto& left : left_by(run, only)) more = more && visit(left);
      const bool counts = later_.add(run);
      if (only != nullptr && counts)
        std::erase_if(*only, [&](const auto& host) { return later_.oldest_gave_back(host); });
      return more && (only == nullptr || !only->empty());
    });
    for (const auto& left : by_restores_) more = more && visit(left);
  }

 private:
  std::vector<Leaving> left_by(const store::Run& run, const std::set<std::string>* only) {
    std::vector<Leaving> left;
    const bool gives_back = run.kind == "restore";
    const auto kept_out = kept_out_by_others(run);
    for (const auto& [name, state] : host_states(run)) {
      const auto& host = name;  // which the lambda below can hold
      if ((only != nullptr && only->count(host) == 0) || (gives_back && in_order(state)) ||
          kept_out.count(host) > 0 || !later_.that_put_right(host, {state, &run}).empty())
        continue;
      if (!gives_back) std::erase_if(by_restores_, [&](const Leaving& one) { return one.host == host; });
      (gives_back ? by_restores_ : left).push_back({run, host, state});
    }
    return left;
  }

  store::Store& store_;
  LaterRuns later_;
  std::vector<Leaving> by_restores_;
};

/// The newest run that ended and left a host to a person which nothing since has put right.
std::optional<store::Run> ended_to_recover(store::Store& store, const std::string& environment,
                                           const std::string& service) {
  std::optional<store::Run> found;
  Leavings(store).each(environment, nullptr, [&](const Leaving& left) {
    if (service.empty() || left.run.service == service) found = left.run;
    return !found;
  });
  return found;
}

/// As host_states() has them of a run that ended: by the journal of one that died, and of its recoveries. A
/// host that it did not come to, or left as it should be, is not among them.
std::map<std::string, std::string> states_left_by(store::Store& store, const store::Run& run) {
  if (run.ended) return host_states(run);
  std::map<std::string, std::string> states;
  const auto plan = plan_of(run);
  if (!plan) return states;
  for (const auto& host : assess(*plan, read_journal(store, run.id), recoveries_of(store, run)))
    if (!settled(host.left))
      states[host.host] =
          may_serve(host.left) ? std::string(event::name_of(event::HostState::failed)) : std::string(out);
  return states;
}

}  // namespace

bool is_same_task(store::Store& store, const store::Run& one, const store::Run& other) {
  if (one.kind != other.kind || one.title != other.title) return false;
  const auto source = source_of(store, one.id);
  return !source.empty() && source == source_of(store, other.id) &&
         values_of(store, one.id) == values_of(store, other.id);
}

std::map<std::string, std::string> put_right_since(store::Store& store, const store::Run& run) {
  LaterRuns later(store);
  auto filter = of_environment(run.environment);
  filter.since = run.started;
  each_run(store, filter, [&](const store::Run& one) {
    if (one.id != run.id) later.add(one);
    return one.id != run.id;
  });
  std::map<std::string, std::string> since;
  const auto states = states_left_by(store, run);
  for (const auto& host : later.hosts()) {
    const auto known = states.find(host);
    const std::string_view left = known == states.end() ? std::string_view() : known->second;
    if (auto by = later.that_put_right(host, {left, &run}); !by.empty()) since.emplace(host, std::move(by));
  }
  return since;
}

std::optional<store::Run> run_to_recover(store::Store& store, const std::string& environment,
                                         const std::string& service) {
  std::optional<store::Run> under_way;
  for (const auto& run : store.unfinished(environment, service)) {
    if (!takes_hosts(run)) continue;
    if (is_dead(store, run)) return run;
    if (!under_way) under_way = run;
  }
  if (auto ended = ended_to_recover(store, environment, service)) return ended;
  if (under_way)
    throw base::Error(base::ErrorCode::conflict,
                      base::one_line(fmt::format("run {} ({}) is {}: {}", under_way->id, under_way->title,
                                                 under_way->owner == store::Owner::running
                                                     ? "still going on"
                                                     : "not ended, and nothing shows that it died",
                                                 under_way->user)));
  return std::nullopt;
}

std::map<std::string, store::Run> left_to_person(store::Store& store, const std::string& environment,
                                                 std::set<std::string> hosts) {
  std::map<std::string, store::Run> left;
  if (hosts.empty()) return left;
  Leavings(store).each(environment, &hosts, [&](const Leaving& leaving) {
    // A restore that failed left what a drain had taken out; a new release may be just what the host needs.
    if (leaving.state == out && leaving.run.kind != "restore" && hosts.erase(leaving.host) > 0)
      left.emplace(leaving.host, leaving.run);
    return !hosts.empty();
  });
  return left;
}

void each_left(store::Store& store, const std::string& environment,
               const std::function<void(const store::Run&, const std::string&, std::string_view)>& visit) {
  Leavings(store).each(environment, nullptr, [&](const Leaving& leaving) {
    visit(leaving.run, leaving.host, leaving.state);
    return true;
  });
}

}  // namespace staithe::world
