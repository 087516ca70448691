#pragma once
#include "staithe/store/store.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// What earlier runs left, and which of it still stands.
namespace staithe::world {

/// Whether nobody works on a run that did not end. Where its process cannot be looked at (another container,
/// or this machine before it lost power) its locks tell: it had some and holds none that is alive.
bool is_dead(store::Store& store, const store::Run& run);

/// Hosts whose state the run's summary tells; those it did not come to are left out.
std::map<std::string, std::string> host_states(const store::Run& run);

/// Hosts that a later run has brought into order since, each with that run's id.
std::map<std::string, std::string> put_right_since(store::Store& store, const store::Run& run);

/// The newest run whose leavings are still there: one that died, else one that ended and left hosts to a
/// person. Without plan. Throws base::Error{conflict} when there is none and a run is under way.
std::optional<store::Run> run_to_recover(store::Store& store, const std::string& environment);

/// Recoveries that died. What they were to put right stands in the journal of the run that they were for.
std::vector<store::Run> dead_recoveries(store::Store& store, const std::string& environment);

/// Ids of the recoveries of the run's environment and service that began after it and ended or died, newest
/// first; of any service when it had none.
std::vector<std::string> recoveries_since(store::Store& store, const store::Run& run);

/// A run that died and stands in the way of a plan of the same service or with one of its hosts.
std::optional<store::Run> in_the_way(store::Store& store, const std::string& environment,
                                     const std::string& service, const std::set<std::string>& hosts);

/// Hosts that a run ended with out of rotation and that no later run has put right, each with that run.
std::map<std::string, store::Run> left_to_person(store::Store& store, const std::string& environment);

/// What the balancers' state of each host was before the first run of ours that took it out and did not give
/// it back; hosts that our newest run gave back, or never took, are not in it.
std::map<std::string, std::string> drains_on_record(store::Store& store, const std::string& environment,
                                                    const std::set<std::string>& hosts);

}  // namespace staithe::world
